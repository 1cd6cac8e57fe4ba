"""The second suite of a submission: co-smoothing and forecasting, and the spikes to score them by.

Shapes: W windows, T bins that are predicted, N units of the file, n of them that are predicted.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from neds.benchmark.archive import Entry, encoded, prediction, truth, write_archive
from neds.benchmark.ending import finish
from neds.benchmark.leak import refuse_leak
from neds.benchmark.protocol import BIN_S, HELD_OUT, N_BINS, N_FORECAST, UNIT_METRICS, UNIT_TASKS, WINDOW_S
from neds.benchmark.recording import opened
from neds.benchmark.settings import UnitTasksSubmission
from neds.benchmark.tables import COVERAGE, OWN_SCORES
from neds.benchmark.windows import Windows, scored_windows
from neds.conversion.session_file import SessionFile, session_file
from neds.data.store import TrialStore
from neds.errors import UserError
from neds.evaluation import metrics
from neds.evaluation.predict import predict
from neds.evaluation.settings import UnitTaskName
from neds.evaluation.tasks import Task
from neds.files.aligned import SPLITS, AlignedSession, read_aligned
from neds.files.atomic import write_csv
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.model.checkpoint import load_network
from neds.model.network import NEDS
from neds.partition.binning import spikes_in_windows
from neds.partition.views import in_view

log = logging.getLogger(__name__)

_TARGET = "spikes"
_SMALLEST_RATE = 1e-9
_WINDOWS_AT_ONCE = 1024


@dataclass(frozen=True)
class _Scored:
    """What is scored of a recording.

    Attributes:
        windows: with all units of the file.
        uuids: (N,) of the units.
        held_out: (n,) rows of those that co-smoothing predicts, ascending.
        header: what its file says of itself.
        log_means: (N,) logarithm of the spikes per bin in the training windows, as of units that no model knows.
    """

    windows: Windows
    uuids: np.ndarray
    held_out: np.ndarray
    header: dict[str, str]
    log_means: np.ndarray

    def units(self, task: UnitTaskName) -> np.ndarray:
        """Rows (n,) of the units that a task predicts."""
        return self.held_out if task == "co_smoothing" else np.arange(len(self.uuids))

    def counts(self, task: UnitTaskName) -> np.ndarray:
        """Spikes (W, T, n) that a task predicts."""
        n_bins = N_BINS if task == "co_smoothing" else N_FORECAST
        return self.windows.of(slice(None), units=self.units(task), last_bins=n_bins)


def submit_unit_tasks(
    *,
    aligned: InputFile,
    checkpoints: InputFiles,
    settings: UnitTasksSubmission,
    submission: OutputFile,
    ground_truth: OutputFile,
    coverage: OutputFile,
    scores: OutputFile,
    recording: InputFile | None = None,
    address: str = "",
    etag: str = "",
) -> None:
    """Write what models predict of spikes for the second suite of BrainWideBench, and the truth to score it by.

    Every window that the benchmark scores is predicted, and every unit of the file: one that a model does not know has the
    mean of its spikes in the training windows.

    Args:
        aligned: the view of the recording with the windows of the suite.
        checkpoints: the models.
        settings: label, EID, view, tasks, and seeds of the models.
        submission: zip of the predictions to write.
        ground_truth: zip of the true spikes to write, as the scorer reads them.
        coverage: CSV to write, a row for each file of the submission.
        scores: CSV to write of our own scores of what is submitted.
        recording: the recording's file, as the benchmark publishes it.
        address: of that file on a server, in the place of `recording`.
        etag: the mark that the server must give it; empty for any.

    Raises:
        UserError: a model that was pretrained on a session that is evaluated or trained on another one, a file of another
            build of the benchmark, or predictions that are not finite.
    """
    for checkpoint in checkpoints:
        refuse_leak(checkpoint, settings.eid, [settings.view])
    session = read_aligned(aligned, with_values=False)
    if not session.usable:
        raise UserError(f"session {session.eid} cannot be used, so nothing is predicted of it: {session.reason}")
    with session_file(recording, address=address, etag=etag) as file:
        scored = _scored(file, session, settings.eid)
    write_archive(ground_truth, (_truth(task, scored) for task in settings.tasks))
    rows: list[dict[str, object]] = []
    own: list[dict[str, object]] = []
    write_archive(submission, _entries(settings, checkpoints, session, scored, rows, own))
    write_csv(scores, pd.DataFrame(own, columns=OWN_SCORES))
    log.info("windows that are scored: %d", len(scored.windows.start_s))
    finish([submission], ground_truth, coverage=coverage, rows=rows)


def _scored(path: SessionFile, session: AlignedSession, eid: str) -> _Scored:
    with opened(path) as recording:
        recording.require_selected()
        recording.refuse_other(eid)
        windows = scored_windows(recording)
        training_s = session.trials["align_time_s"].to_numpy(float)[session.trials_of("train")]
        seen = spikes_in_windows(*recording.spikes(), training_s[:, None] + np.array([0.0, WINDOW_S]))
        n_spikes = np.bincount(seen.units, minlength=recording.n_units)
        return _Scored(
            windows,
            recording.texts_of_units("id"),
            recording.marked_units(HELD_OUT),
            {"recording_id": eid} | recording.header(),
            # The mean of a rate's posterior under Jeffreys' prior for a Poisson, which is above 0 without a spike too.
            np.log((n_spikes + 0.5) / (len(training_s) * N_BINS)),
        )


def _truth(task: UnitTaskName, scored: _Scored) -> Entry:
    tensors = {
        "targets": scored.counts(task),
        "window_timestamps": scored.windows.start_s,
        "unit_ids": encoded(scored.uuids[scored.units(task)]),
    }
    return truth(task=UNIT_TASKS[task], eid=scored.header["recording_id"], tensors=tensors, header=scored.header)


def _entries(
    settings: UnitTasksSubmission,
    checkpoints: Sequence[Path],
    session: AlignedSession,
    scored: _Scored,
    rows: list[dict[str, object]],
    own: list[dict[str, object]],
) -> Iterator[Entry]:
    """The files of the submission; a row for each is added to `rows`, and its scores to `own`."""
    header = scored.header | {"context_window": str(WINDOW_S), "bin_size": str(BIN_S)}
    for seed, path in zip(settings.seeds, checkpoints, strict=True):
        network, description = load_network(path)
        trained_on = [shape.eid for shape in description.sessions]
        if trained_on != [in_view(settings.eid, settings.view)] or network.design.n_bins != N_BINS:
            raise UserError(f"{path}: is no model of {session.eid} with {N_BINS} bins")
        for task in settings.tasks:
            predicted, is_known = _log_rates(network, session, scored, task)
            numbers = (len(is_known), int(is_known.sum()), int((~is_known).sum()))
            rows.append(dict(zip(COVERAGE, ("ts2", task, settings.eid, seed, "units", *numbers, ""), strict=True)))
            for metric, value in _own_scores(predicted, scored.counts(task)).items():
                identity = (settings.label, UNIT_TASKS[task], settings.eid, seed, metric, value)
                own.append(dict(zip(OWN_SCORES, identity, strict=True)))
            tensors = {
                "predictions": predicted,
                "window_timestamps": scored.windows.start_s,
                "unit_ids": encoded(scored.uuids[scored.units(task)]),
            }
            yield prediction(label=settings.label, task=UNIT_TASKS[task], seed=seed, tensors=tensors, header=header)


def _log_rates(
    network: NEDS, session: AlignedSession, scored: _Scored, task: UnitTaskName
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the expected spikes per bin (W, T, n), float16, and which of the units (n,) the model knows."""
    row_of = {uuid: row for row, uuid in enumerate(scored.uuids)}
    if absent := [uuid for uuid in session.units["uuid"] if uuid not in row_of]:
        eid = scored.header["recording_id"]
        raise UserError(
            f"the recording of session {eid} has no unit {absent[0]}, of which its models know: it was replaced; delete "
            f"the file {eid}.h5 in results/raw, and run again"
        )
    read = np.array([row_of[uuid] for uuid in session.units["uuid"]])
    asked = scored.units(task)
    place = {row: column for column, row in enumerate(read)}
    is_known = np.isin(asked, read)
    columns = [place[row] for row in asked[is_known]]
    if task == "co_smoothing":
        what = Task(task, (_TARGET,), (_TARGET,), held_out=tuple(columns))
    else:
        what = Task(task, (_TARGET,), (_TARGET,), last_bins=N_FORECAST)
    n_windows, n_bins = len(scored.windows.start_s), what.last_bins or N_BINS
    found = np.empty((n_windows, n_bins, len(asked)), np.float16)
    found[...] = scored.log_means[asked]
    for first in range(0, n_windows if columns else 0, _WINDOWS_AT_ONCE):
        some = slice(first, first + _WINDOWS_AT_ONCE)
        counted = _of_counts_alone(session, scored.windows.of(some, units=read))
        store = TrialStore([counted], names=list(network.design.modalities), device=torch.device("cpu"))
        rates = predict(network, store, 0, "test", what)[_TARGET]
        rates = rates if what.held_out else rates[..., columns]
        found[some][..., is_known] = np.log(np.maximum(rates, _SMALLEST_RATE))
    return found, is_known


def _of_counts_alone(session: AlignedSession, counts: np.ndarray) -> AlignedSession:
    """Windows (k, T, units) of a session, of which nothing else is known."""
    n_windows, n_bins = counts.shape[:2]
    values: dict[str, np.ndarray] = {}
    for name, modality in session.modalities.items():
        if modality.kind == "counts":
            width = len(session.statistics[name]["mean"])
            values[name] = counts if name == _TARGET else np.zeros((n_windows, n_bins, width), np.uint8)
        else:
            values[name] = np.full((n_windows, n_bins, len(session.statistics[name]["mean"])), np.nan, np.float32)
    return replace(session, values=values, split=np.full(n_windows, SPLITS.index("test"), np.uint8))


def _own_scores(predicted: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    """Our scores by the benchmark's names, unit by unit, because all of them as 64-bit floats take much memory."""
    d2, bits, n_spikes = [], [], []
    for unit in range(counts.shape[-1]):
        own = counts[..., unit, None]
        rates = np.exp(predicted[..., unit, None].astype(np.float64))
        d2.append(metrics.poisson_d2(rates, own)[0])
        bits.append(metrics.bits_per_spike(rates, own)[0])
        n_spikes.append(own.sum(dtype=np.int64))
    pooled = metrics.pooled_bits_per_spike(np.array(bits), np.array(n_spikes))
    found = {"poisson_d2": metrics.mean_of_known(d2), "bits_per_spike_pooled": pooled}
    return {name: found[own_name] for name, own_name in UNIT_METRICS.items()}
