"""The third suite of a submission: the brain region of each unit, told from what a network has learned of it.

A pretrained network and those that are fine-tuned from it, each to one recording that is evaluated, have embeddings of
units in one space. A linear probe is fitted to the regions of the units that were pretrained on, and tells those of the
others. The protocol is that of brainbench-org/ibl-bwb, src/ts3 (`transductive`, `probe=linear`).

Shapes: N units, F features, C regions.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neds.benchmark.archive import Entry, encoded, prediction, truth, write_archive
from neds.benchmark.ending import finish
from neds.benchmark.leak import refuse_leak
from neds.benchmark.protocol import N_REGION_UNITS, REGION_METRIC, REGION_TASK, REGIONS, SCOPES, evaluation_sessions
from neds.benchmark.region_units import builds_of, region_units
from neds.benchmark.settings import RegionsSubmission
from neds.benchmark.tables import COVERAGE, OWN_SCORES
from neds.errors import UserError
from neds.files.atomic import write_csv
from neds.files.roles import InputFiles, OutputFile
from neds.regions.embeddings import Embeddings, read_embeddings
from neds.words import counted

log = logging.getLogger(__name__)

_MOST_NEIGHBOURS, _RADIUS_UM = 5, 60.0
"""A unit's own probabilities among them."""


@dataclass(frozen=True)
class _Scored:
    """Units (N rows, of `region_units`) that are scored, the class (N,) and identifier (N, 36) of each, and their header."""

    units: pd.DataFrame
    targets: np.ndarray
    ids: np.ndarray
    header: dict[str, str]


def submit_regions(
    *,
    recordings: InputFiles,
    pretraining: InputFiles,
    embeddings: InputFiles,
    pretrained: InputFiles,
    checkpoints: InputFiles,
    settings: RegionsSubmission,
    single: OutputFile,
    multi: OutputFile,
    ground_truth: OutputFile,
    coverage: OutputFile,
    scores: OutputFile,
) -> None:
    """Write which brain regions models tell their units to be in for the third suite of BrainWideBench, and the truth.

    Args:
        recordings: units of the recordings that are scored, files of `write_region_units`.
        pretraining: those of the recordings that were pretrained on.
        embeddings: of the units of each recording that is scored in each model, those of a seed after one another.
        pretrained: of the units that were pretrained on, in the model of each seed.
        checkpoints: the models that `embeddings` are of.
        settings: label, EIDs, view, seeds, and `missing`.
        single: zip to write of the label <label>_single: what is told of each unit by itself.
        multi: zip to write of the label <label>_multi: the mean of what is told of units nearby.
        ground_truth: zip of the true regions to write, as the scorer reads them.
        coverage: CSV to write, a row for each file of the submissions.
        scores: CSV to write of our own scores of what is submitted.

    Raises:
        UserError: a model that was pretrained on a session that is evaluated, files of another build of the benchmark, or a
            unit that is scored and has no embedding, where that is refused.
    """
    n_recordings = len(settings.eids)
    for number, checkpoint in enumerate(checkpoints):
        refuse_leak(checkpoint, settings.eids[number % n_recordings], [settings.view])
    scored, of_scored = _scored(recordings)
    if evaluation_sessions() <= set(settings.eids) and len(scored.units) != N_REGION_UNITS:
        log.warning("%d units are scored, of the benchmark's %d", len(scored.units), N_REGION_UNITS)
    known, of_known = region_units(pretraining, of_scored=False)
    _require_apart(scored.units, known)
    absent = ", ".join(name for name in REGIONS if name not in set(known["region"]))
    never = f"regions: no unit that was pretrained on is in {absent}, which is never told" if absent else ""
    remark = "; ".join(filter(None, (of_scored, of_known, never)))
    log.info(remark)
    tensors = {"targets": scored.targets, "entity_ids": scored.ids}
    write_archive(ground_truth, iter([truth(task=REGION_TASK, tensors=tensors, header=scored.header)]))
    entries: dict[str, list[Entry]] = {scope: [] for scope in SCOPES}
    rows: list[dict[str, object]] = []
    own: list[tuple[object, ...]] = []
    for number, seed in enumerate(settings.seeds):
        of_seed = [read_embeddings(path) for path in embeddings[number * n_recordings :][:n_recordings]]
        told = _told(_features([read_embeddings(pretrained[number])]), known, _features(of_seed))
        probabilities, n_filled = _of_all(told, scored.units, missing=settings.missing)
        for scope, values in _scopes(probabilities, scored.units).items():
            label = f"{settings.label}_{scope}"
            entries[scope].append(
                prediction(
                    label=label,
                    task=REGION_TASK,
                    seed=seed,
                    tensors={"pred_proba": values, "entity_ids": scored.ids},
                    header=scored.header,
                )
            )
            numbers = (len(values), len(values) - n_filled, n_filled)
            columns = ("ts3", f"unit_cosmos_{scope}", "", seed, "units", *numbers, remark)
            rows.append(dict(zip(COVERAGE, columns, strict=True)))
            own.append((label, REGION_TASK, "", seed, REGION_METRIC, _macro_f1(scored.targets, values)))
    for scope, path in zip(SCOPES, (single, multi), strict=True):
        write_archive(path, iter(entries[scope]))
    finish([single, multi], ground_truth, coverage=coverage, rows=rows)
    write_csv(scores, pd.DataFrame(own, columns=OWN_SCORES))
    n_others = counted(len(known), "unit")
    log.info(
        "%s whose region is scored, told from %s of other recordings", counted(len(scored.units), "unit"), n_others
    )


def _scored(paths: Sequence[Path]) -> tuple[_Scored, str]:
    """What is scored, and how many of all units that is."""
    units, remark = region_units(paths, of_scored=True)
    if units.empty:
        raise UserError(f"no unit of the recordings that are scored counts. {remark}")
    targets = units["region"].map(REGIONS.index).to_numpy(np.int64)
    header = builds_of(units)[0] | {"label_names": ",".join(REGIONS)}
    return _Scored(units, targets, encoded(units["uuid"]), header), remark


def _require_apart(scored: pd.DataFrame, known: pd.DataFrame) -> None:
    """
    Raises:
        UserError: a unit is in two recordings, or files are of several versions of the benchmark.
    """
    units = pd.concat([scored, known], ignore_index=True)
    if len(builds := builds_of(units)) > 1:
        first = [units.loc[units["dataset_version"] == build["dataset_version"], "eid"].iloc[0] for build in builds[:2]]
        raise UserError(f"sessions {' and '.join(first)} are of several versions of the benchmark; take files of one")
    twice = units[units["uuid"].duplicated(keep=False)]
    if len(twice):
        eids = twice.loc[twice["uuid"] == twice["uuid"].iloc[0], "eid"].iloc[:2]
        raise UserError(
            f"sessions {' and '.join(eids)} have unit {twice['uuid'].iloc[0]} in common, so that one is a copy of the "
            "other; take it off the sheet"
        )


def _features(of_models: Iterable[Embeddings]) -> pd.DataFrame:
    """Embeddings (N, F) by the UUIDs of the units."""
    parts = []
    for found in of_models:
        if found.rows:
            is_spikes = (found.units["modality"] == "spikes").to_numpy()
            if not np.isfinite(found.features[is_spikes]).all():
                eid = found.units["eid"].iloc[0]
                raise UserError(
                    f"embeddings of session {eid} are not finite, as its model diverged; train it with a lower lr"
                )
            parts.append(pd.DataFrame(found.features[is_spikes], index=found.units["uuid"][is_spikes]))
    return pd.concat(parts) if parts else pd.DataFrame()


def _told(fitted: pd.DataFrame, known: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """Probabilities (n, C) of units by UUID.

    Args:
        fitted: embeddings of units, by UUID, of which some have their region in the table `known`.
        asked: embeddings of the units that are told.
    """
    known = known[known["uuid"].isin(fitted.index)]
    if known["region"].nunique() < 2:
        raise UserError(
            f"the units that were pretrained on are of {counted(known['region'].nunique(), 'region')}; pretrain on more "
            "sessions to tell regions apart"
        )
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=1.0, max_iter=1000, solver="newton-cg", class_weight="balanced")
    )
    probe.fit(fitted.loc[known["uuid"]].to_numpy(), known["region"].to_numpy(str))
    found = pd.DataFrame(probe.predict_proba(asked.to_numpy()), index=asked.index, columns=probe.classes_)
    return found.reindex(columns=list(REGIONS), fill_value=0.0)


def _of_all(told: pd.DataFrame, units: pd.DataFrame, *, missing: str) -> tuple[np.ndarray, int]:
    """Probabilities (N, C) of all units, and how many had no embedding and have the mean of the others.

    Raises:
        UserError: one has none, where that is refused.
    """
    found = told.reindex(units["uuid"])
    lacking = units["uuid"].to_numpy()[found.isna().any(axis=1)]
    if len(lacking) and (missing == "error" or len(lacking) == len(units)):
        raise UserError(
            f"the benchmark scores {counted(len(units), 'unit')}, of which {counted(len(lacking), 'unit')} "
            f"({', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''}) have no embedding, because their sessions "
            "cannot be used or partition dropped them (tables/sessions.csv); set partition.min_rate_hz to 0 and, where that "
            "is not it, benchmark.missing to mean"
        )
    return found.fillna(found.mean()).to_numpy(), len(lacking)


def _scopes(probabilities: np.ndarray, units: pd.DataFrame) -> dict[str, np.ndarray]:
    """The probabilities (N, C) that are submitted, by scope, float32."""
    near = pooled(probabilities, units["depth_um"].to_numpy(float), units["probe"].to_numpy(str))
    return {name: values.astype(np.float32) for name, values in zip(SCOPES, (probabilities, near), strict=True)}


def pooled(probabilities: np.ndarray, depths_um: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """The mean probabilities (N, C) of the nearest five units of a probe within 60 um of each unit, which is one of them."""
    found = np.empty_like(probabilities)
    for probe in np.unique(probes):
        rows = np.flatnonzero(probes == probe)
        distance_um = np.abs(depths_um[rows, None] - depths_um[rows])
        # A unit whose depth is not known is near itself alone.
        np.fill_diagonal(distance_um, 0.0)
        nearest = np.argsort(distance_um, axis=1, kind="stable")[:, :_MOST_NEIGHBOURS]
        is_near = np.take_along_axis(distance_um, nearest, axis=1) <= _RADIUS_UM
        sums = (probabilities[rows][nearest] * is_near[..., None]).sum(axis=1)
        found[rows] = sums / is_near.sum(axis=1, keepdims=True)
    return found


def _macro_f1(targets: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean over all classes of F1, 0 for one that neither occurs nor is told."""
    told = probabilities.argmax(axis=1)
    return float(f1_score(targets, told, labels=range(len(REGIONS)), average="macro", zero_division=0))
