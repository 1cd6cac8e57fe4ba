"""Compare the models of a finished workflow: mean +- s.e.m. of every primary score, shares of the oracles, differences.

    python -m benchmarks.compare_models results/tables/metrics.csv
    python -m benchmarks.compare_models results/tables/metrics.csv --against "neds-mm finetuned"

Scores of a session are averaged over seeds first, then over sessions (s.e.m. over n sessions); in brackets stands the s.e.m.
over seeds of the means over sessions. A share is that of the oracle's bits in the same session, averaged over sessions. For
the study of many sessions, `docs/examples/many_sessions.yaml` makes the table.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from neds.evaluation.paired import compare, paired_note

PRIMARY = {
    "spikes": "bits_per_spike",
    "wheel_speed": "r2",
    "whisker_motion_energy": "r2",
    "choice": "balanced_accuracy",
    "block": "balanced_accuracy",
}
ORACLES = ("oracle", "oracle-behaviour")


def primary_scores(metrics: pd.DataFrame) -> pd.DataFrame:
    """Rows (model, seed, eid), a column per target: the score by which each is judged, from all inputs."""
    metric = metrics["target"].map(PRIMARY).fillna("r2")
    chosen = metrics[metrics["metric"] == metric]
    most_inputs = chosen["inputs"].str.count(r"\+").groupby([chosen["model"], chosen["target"]]).transform("max")
    chosen = chosen[chosen["inputs"].str.count(r"\+") == most_inputs]
    label = chosen["model"] + chosen["training"].fillna("").map(lambda training: f" {training}" if training else "")
    return chosen.assign(model=label).pivot_table("value", ["model", "seed", "eid"], "target", sort=False)


def comparison(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row per model: n sessions, mean +- s.e.m. over them (spread over seeds), and mean shares of the oracles' bits."""
    scores = primary_scores(metrics)
    by_session = scores.groupby(["model", "eid"], sort=False).mean()
    means, errors = (getattr(by_session.groupby("model", sort=False), name)() for name in ("mean", "sem"))
    over_seeds = scores.groupby(["model", "seed"], sort=False).mean().groupby("model", sort=False).sem()
    table = pd.DataFrame(index=means.index)
    numbers = by_session.groupby("model", sort=False).count().replace(0, np.nan)
    table["n"] = [_range(numbers.loc[model].dropna().astype(int)) for model in means.index]
    for target in means:
        cells = zip(means[target], errors[target], over_seeds[target], strict=True)
        table[target] = [_cell(*cell) for cell in cells]
    for oracle in ORACLES:
        if oracle in means.index:
            bits = by_session["spikes"].unstack("eid")
            share = (bits / bits.loc[oracle]).mean(axis=1)
            table[f"share of {oracle}"] = share.map("{:.0%}".format).replace("nan%", "")
    return table


def paired_differences(metrics: pd.DataFrame, *, against: str) -> pd.DataFrame:
    """One row per model: its scores less those of `against`, session by session, with their test where there can be one."""
    by_session = primary_scores(metrics).groupby(["model", "eid"], sort=False).mean()
    table = pd.DataFrame(index=by_session.index.unique("model").drop(against))
    for target in by_session:
        values = by_session[target].unstack("eid").reindex(columns=by_session.index.unique("eid"))
        table[target] = [_difference(values.loc[[model, against]].dropna(axis=1).to_numpy()) for model in table.index]
    return table


def _difference(pair: np.ndarray) -> str:
    """A cell of (2, n) scores of two models in n sessions."""
    ours, other = pair
    if not len(ours):
        return ""
    found = compare(ours, other)
    error = f" ± {found.difference_sem:.3f}" if len(ours) > 1 else ""
    test = f", p = {found.wilcoxon_p:.2g}" if np.isfinite(found.wilcoxon_p) else ""
    return f"{found.difference:+.3f}{error} ({(ours > other).sum()} of {len(ours)} higher{test})"


def _cell(mean: float, error: float, over_seeds: float) -> str:
    if pd.isna(mean):
        return ""
    of_sessions = "" if pd.isna(error) else f" ± {error:.3f}"
    return f"{mean:.3f}{of_sessions}" + ("" if pd.isna(over_seeds) else f" ({over_seeds:.3f})")


def _range(numbers: pd.Series) -> str:
    least, most = numbers.min(), numbers.max()
    return f"{least}" if least == most else f"{least} to {most}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", type=Path, help="tables/metrics.csv of a finished workflow")
    parser.add_argument(
        "--against", help='a model of the table, such as "neds-mm finetuned", that the others are compared with'
    )
    given = parser.parse_args()
    found = pd.read_csv(given.metrics)
    print(comparison(found).to_markdown())
    if given.against:
        print(f"\nless {given.against}, paired by session: mean ± s.e.m.")
        print(paired_differences(found, against=given.against).to_markdown())
        print(f"\n{paired_note(found['eid'].nunique())}")
