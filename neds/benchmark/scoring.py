"""The scores that IBL's own scorer gives a submission, offline, against the truth made of the recordings' files."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from neds.benchmark.archive import read_archive
from neds.benchmark.protocol import TASKS
from neds.benchmark.settings import ScoresRun
from neds.errors import UserError
from neds.files.atomic import write_csv
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.files.tables import read_csv
from neds.partition.views import in_view

log = logging.getLogger(__name__)

ALL = "all"
"""The EID of means over recordings."""
COLUMNS = ["label", "task", "eid", "seed", "metric", "value", "sem", "n", "own"]


def score_submission(
    *, submissions: InputFiles, ground_truths: InputFiles, metrics: InputFile, settings: ScoresRun, output: OutputFile
) -> None:
    """Score submissions to BrainWideBench by the IBL's package ibl-bwb-eval.

    Args:
        submissions: zips of predictions.
        ground_truths: zips of true values.
        metrics: table of our own scores, which are put beside.
        settings: which model it is, and the view of each task.
        output: CSV to write: a row for each recording, seed and metric, and of each task the mean over recordings (eid
            "all") as the leaderboard has it: scores below the null model's count as 0, `sem` is over seeds.

    Raises:
        UserError: the package is not installed, or it passes over a file of the submission.
    """
    scorer, aggregation = _scorer("ts1"), _scorer("aggregation")
    with tempfile.TemporaryDirectory(prefix="neds-benchmark-") as made:
        folders = {name: Path(made, name) for name in ("predictions", "truth")}
        n_files = sum(_unpacked(path, folders["predictions"]) for path in submissions)
        for path in ground_truths:
            _unpacked(path, folders["truth"])
        raw = scorer.score_dir(folders["predictions"], folders["truth"])
    if len(raw) != n_files:
        raise UserError(f"ibl-bwb-eval scored {len(raw)} of {n_files} files of the submission; its lines above say why")
    table = pd.DataFrame([*_rows(raw), *_means(aggregation.aggregate_over_seeds(raw))], columns=COLUMNS)
    table["own"] = _own(table, read_csv(metrics), settings)
    write_csv(output, table.astype({"seed": "Int64", "n": "Int64"}))


def _scorer(name: str) -> ModuleType:
    try:
        return import_module(f"ibl_bwb_eval.scoring.{name}")
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed, which scores submissions: pip install --no-deps --requirement envs/scorer.txt, "
            "or run snakemake with --sdm conda (docs/benchmark.md)"
        ) from None


def _unpacked(path: Path, folder: Path) -> int:
    """Write the files of a zip below a folder; how many."""
    from safetensors.numpy import save_file

    number = 0
    for entry in read_archive(path):
        number += 1
        target = folder / entry.path
        if not target.resolve().is_relative_to(folder.resolve()):
            raise UserError(f"{path}: {entry.path} leads out of the folder that it is unpacked to")
        target.parent.mkdir(parents=True, exist_ok=True)
        save_file(dict(entry.tensors), target, dict(entry.header))
    return number


def _rows(raw: Mapping[tuple[Any, ...], Mapping[str, float]]) -> Iterator[dict[str, Any]]:
    """Of each file, by recording (empty where it is of all) and seed."""
    for key, scores in sorted(raw.items()):
        label, task, *recording, seed = key
        known = {"label": label, "task": task, "eid": "".join(recording), "seed": seed}
        yield from ({**known, "metric": metric, "value": value} for metric, value in scores.items())


def _means(
    aggregated: Mapping[tuple[str, str], Mapping[str, tuple[float, float | None, int]]],
) -> Iterator[dict[str, Any]]:
    for (label, task), scores in sorted(aggregated.items()):
        for metric, (mean, sem, number) in scores.items():
            yield {"label": label, "task": task, "eid": ALL, "metric": metric, "value": mean, "sem": sem, "n": number}


def _own(table: pd.DataFrame, metrics: pd.DataFrame, settings: ScoresRun) -> pd.Series:
    """Our own score of the same model, recording, task and metric; NaN where we have none."""
    labels = metrics["model"] + "-" + metrics["training"].fillna("")
    ours = metrics[(labels == settings.model) & (metrics["task"] == "decoding")]
    known = ours.set_index(["eid", "seed", "target", "metric"])["value"].to_dict()
    found = []
    for row in table.itertuples():
        task = TASKS.get(str(row.task).removeprefix("ts1-"))
        if task is None or row.metric != task.metric or row.eid == ALL:
            found.append(float("nan"))
            continue
        eid = in_view(str(row.eid), settings.views[task.name])
        found.append(known.get((eid, row.seed, task.target, task.own_metric), float("nan")))
    return pd.Series(found, index=table.index)
