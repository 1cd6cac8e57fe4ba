"""Scores and cost of the baselines: mean +- s.e.m. over sessions and splits, and CPU seconds per session.

    snakemake --cores all sessions
    python -m benchmarks.baselines --test results/aligned/TEST.h5 ... --train results/aligned/TRAIN.h5 ...

Each session is split anew `--splits` times into training, validation and test; split 0 is the file's own. Seconds are
those of fitting and predicting, imports aside.
"""

import argparse
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pandas as pd

from neds.baselines.fitting import Given
from neds.baselines.registry import module_of
from neds.data.subset import with_training_trials
from neds.evaluation.score import PRIMARY_METRIC, score
from neds.files.aligned import AlignedSession, read_aligned
from neds.partition.split import assign_split
from neds.partition.statistics import training_statistics

FRACTIONS = [0.7, 0.1, 0.2]


def split_anew(session: AlignedSession, seed: int) -> AlignedSession:
    """The session as the seed splits it; as it is for seed 0."""
    if not seed:
        return session
    split = assign_split(session.n_trials, eid=session.eid, seed=seed, fractions=FRACTIONS)
    statistics = training_statistics(session.values, session.modalities, split == 0)
    return replace(session, split=split, statistics=statistics)


def scores_of(name: str, session: AlignedSession, others: list[Path]) -> dict[str, float]:
    """The primary score of each target, and `CPU s`."""
    predict = import_module(f"neds.baselines.{module_of(name)}").predict
    start_s = time.process_time()
    predicted = predict(session, Given(None, others))
    found = {"CPU s": time.process_time() - start_s}
    test = session.trials_of("test")
    for item in predicted:
        for target, values in item.values.items():
            metric = PRIMARY_METRIC[session.modalities[target].kind]
            found[target] = score(session, target, values, test)[metric]
    return found


def table_of(rows: pd.DataFrame) -> str:
    """Mean +- s.e.m. by baseline, as Markdown."""
    grouped = rows.drop(columns=["session", "split"]).groupby("baseline", sort=False)
    mean, error = grouped.mean(), grouped.sem()
    table = mean.map("{:.3f}".format) + error.map(" ± {:.3f}".format)
    table["CPU s"] = mean["CPU s"].map("{:.1f}".format)
    return str(table.replace({"nan ± nan": ""}).to_markdown())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", type=Path, nargs="+", required=True, help="aligned sessions to score on")
    parser.add_argument("--train", type=Path, nargs="+", default=[], help="aligned sessions for rrr-multi")
    parser.add_argument("--baselines", nargs="+", default=["psth", "linear", "glm", "rrr"])
    parser.add_argument("--splits", type=int, default=1, help="splits of each session")
    parser.add_argument("--training-trials", type=int, help="so many of the training trials alone")
    parser.add_argument("--csv", type=Path, help="where to write every score too")
    options = parser.parse_args()
    rows = []
    for path in options.test:
        session = read_aligned(path)
        for seed in range(options.splits):
            given = with_training_trials(split_anew(session, seed), options.training_trials)
            for name in options.baselines:
                known = {"session": session.eid, "split": seed, "baseline": name}
                rows.append(known | scores_of(name, given, options.train))
    table = pd.DataFrame(rows)
    if options.csv:
        table.to_csv(options.csv, index=False)
    print(f"{len(options.test)} sessions x {options.splits} splits\n\n{table_of(table)}")


if __name__ == "__main__":
    main()
