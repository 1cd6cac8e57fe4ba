"""Compare the models of a finished workflow: mean +- s.e.m. of every primary score, and the share of the oracle's bits.

    python -m benchmarks.compare_models results/tables/metrics.csv

Scores of a session are averaged over seeds first, then over sessions (s.e.m. over sessions); in brackets stands the s.e.m.
over seeds of the means over sessions. For the study of many sessions, `docs/examples/many_sessions.yaml` makes the table.
"""

import argparse
from pathlib import Path

import pandas as pd

PRIMARY = {
    "spikes": "bits_per_spike",
    "wheel_speed": "r2",
    "whisker_motion_energy": "r2",
    "choice": "balanced_accuracy",
    "block": "balanced_accuracy",
}


def primary_scores(metrics: pd.DataFrame) -> pd.DataFrame:
    """Rows (model, seed, eid), a column per target: the score by which each is judged, from all inputs."""
    metric = metrics["target"].map(PRIMARY).fillna("r2")
    chosen = metrics[metrics["metric"] == metric]
    most_inputs = chosen["inputs"].str.count(r"\+").groupby([chosen["model"], chosen["target"]]).transform("max")
    chosen = chosen[chosen["inputs"].str.count(r"\+") == most_inputs]
    label = chosen["model"] + chosen["training"].fillna("").map(lambda training: f" {training}" if training else "")
    return chosen.assign(model=label).pivot_table("value", ["model", "seed", "eid"], "target", sort=False)


def comparison(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row per model: mean +- s.e.m. over sessions (spread over seeds), and the mean share of the oracle's bits."""
    scores = primary_scores(metrics)
    by_session = scores.groupby(["model", "eid"], sort=False).mean()
    means, errors = (getattr(by_session.groupby("model", sort=False), name)() for name in ("mean", "sem"))
    over_seeds = scores.groupby(["model", "seed"], sort=False).mean().groupby("model", sort=False).sem()
    table = pd.DataFrame(index=means.index)
    for target in means:
        cells = zip(means[target], errors[target], over_seeds[target], strict=True)
        table[target] = [_cell(*cell) for cell in cells]
    if "oracle" in means.index:
        bits = by_session["spikes"].unstack("eid")
        table["share of oracle"] = (bits / bits.loc["oracle"]).mean(axis=1).map("{:.0%}".format).replace("nan%", "")
    return table


def _cell(mean: float, error: float, over_seeds: float) -> str:
    if pd.isna(mean):
        return ""
    of_sessions = "" if pd.isna(error) else f" ± {error:.3f}"
    return f"{mean:.3f}{of_sessions}" + ("" if pd.isna(over_seeds) else f" ({over_seeds:.3f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("metrics", type=Path, help="tables/metrics.csv of a finished workflow")
    print(comparison(pd.read_csv(parser.parse_args().metrics)).to_markdown())
