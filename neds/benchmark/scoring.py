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
from neds.benchmark.leak import recording_of
from neds.benchmark.protocol import REGION_TASK, TASKS
from neds.benchmark.settings import ScoresRun
from neds.benchmark.tables import OWN_SCORES
from neds.errors import UserError
from neds.files.atomic import write_csv
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.files.tables import read_csv
from neds.partition.views import in_view

log = logging.getLogger(__name__)

ALL = "all"
"""The EID of means over recordings."""
COLUMNS = [*OWN_SCORES, "sem", "n"]


def score_submission(
    *,
    submissions: InputFiles,
    ground_truths: InputFiles,
    settings: ScoresRun,
    output: OutputFile,
    metrics: InputFile | None = None,
    scores: InputFiles = (),
) -> None:
    """Score submissions to BrainWideBench by the IBL's package ibl-bwb-eval.

    Args:
        submissions: zips of predictions.
        ground_truths: zips of true values.
        settings: which model it is, and the view of each task.
        output: CSV to write: a row for each recording, seed and metric, and of each task the mean over recordings (eid
            "all") as the leaderboard has it: scores below the null model's count as 0, `sem` is over seeds.
        metrics: table of our own scores, which are put beside those of the first suite.
        scores: tables of our own scores of the other suites.

    Raises:
        UserError: the package is not installed, or it passes over a file of the submission.
    """
    aggregation = _scorer("aggregation")
    raw: dict[tuple[Any, ...], Mapping[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="neds-benchmark-") as made:
        folders = {name: Path(made, name) for name in ("predictions", "truth")}
        n_files = sum(_unpacked(path, folders["predictions"]) for path in submissions)
        for path in ground_truths:
            _unpacked(path, folders["truth"])
        for suite in ("ts1", "ts2", "ts3"):
            found = _scorer(suite).score_dir(folders["predictions"], folders["truth"])
            raw |= aggregation.from_ts3(found, REGION_TASK) if suite == "ts3" else found
    if len(raw) != n_files:
        raise UserError(f"ibl-bwb-eval scored {len(raw)} of {n_files} files of the submission; its lines above say why")
    own = [read_csv(path, dtype={"eid": str}, keep_default_na=False, na_values={"value": ""}) for path in scores]
    own += list(_decoded(metrics, settings)) if metrics else []
    table = pd.DataFrame([*_rows(raw), *_means(aggregation.aggregate_over_seeds(raw))], columns=COLUMNS)
    table = table.astype({"seed": "Int64", "n": "Int64"})
    ours = pd.concat(own).astype({"seed": "Int64"}).rename(columns={"value": "own"})
    write_csv(output, table.merge(ours, how="left", on=OWN_SCORES[:-1], validate="one_to_one"))


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
    for key, scores in sorted(raw.items(), key=lambda item: tuple(map(str, item[0]))):
        label, task, *recording, seed = key
        known = {"label": label, "task": task, "eid": "".join(recording), "seed": seed}
        yield from ({**known, "metric": metric, "value": value} for metric, value in scores.items())


def _means(
    aggregated: Mapping[tuple[str, str], Mapping[str, tuple[float, float | None, int]]],
) -> Iterator[dict[str, Any]]:
    for (label, task), scores in sorted(aggregated.items()):
        for metric, (mean, sem, number) in scores.items():
            yield {"label": label, "task": task, "eid": ALL, "metric": metric, "value": mean, "sem": sem, "n": number}


def _decoded(metrics: Path, settings: ScoresRun) -> Iterator[pd.DataFrame]:
    """Our own scores of the first suite, by the benchmark's names: `OWN_SCORES`."""
    table = read_csv(metrics, dtype={"eid": str})
    is_ours = (table["model"] + "-" + table["training"].fillna("") == settings.model) & (table["task"] == "decoding")
    for name, view in settings.views.items():
        task = TASKS[name]
        is_task = (table["target"] == task.target) & (table["metric"] == task.own_metric)
        ours = table[is_ours & is_task & table["eid"].str.endswith(in_view("", view))]
        eids = [recording_of(eid, [view]) for eid in ours["eid"]]
        known = {"label": settings.label, "task": task.id, "eid": eids, "metric": task.metric}
        yield ours[["seed", "value"]].assign(**known)
