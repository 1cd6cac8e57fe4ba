"""The first suite of a submission: what models decode, as the benchmark wants it, and the true values to score it with.

Shapes: K scored trials, C classes.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neds.benchmark.archive import Entry, prediction, truth, write_archive
from neds.benchmark.ending import finish
from neds.benchmark.leak import refuse_leak
from neds.benchmark.protocol import BIN_S, TASKS, Task
from neds.benchmark.recording import Scored, opened
from neds.benchmark.settings import DecodingRun
from neds.benchmark.tables import COVERAGE
from neds.conversion.session_file import SessionFile, session_file
from neds.errors import UserError
from neds.evaluation.results import read_predictions
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.partition.views import in_view
from neds.words import counted

log = logging.getLogger(__name__)

_CLOCK_S = 1e-6
_SMALLEST = 1e-9
"""Of a probability or a rate, before its logarithm is taken."""


@dataclass(frozen=True)
class _Truth:
    """What is scored of one recording and task, and what its file says of itself."""

    scored: Scored
    header: dict[str, str]


def submit_decoding(
    *,
    aligned: InputFiles,
    predictions: InputFiles,
    checkpoints: InputFiles,
    settings: DecodingRun,
    submission: OutputFile,
    ground_truth: OutputFile,
    coverage: OutputFile,
    recording: InputFile | None = None,
    address: str = "",
    etag: str = "",
) -> None:
    """Write what models decode of a recording for the first suite of BrainWideBench, and the truth to score it by.

    Every trial that the benchmark scores must be there, with the window that the benchmark gives it; its own scorer drops
    what is missing without a word.

    Args:
        aligned: views of the recording, cut into trials, in any order.
        predictions: predictions of each model.
        checkpoints: the models.
        settings: label, EID, view of each task, which models the predictions are of, and `missing`.
        submission: zip of the predictions to write.
        ground_truth: zip of the true values to write, as the scorer reads them.
        coverage: CSV to write, a row for each file of the submission.
        recording: the recording's file, as the benchmark publishes it.
        address: of that file on a server, in the place of `recording`.
        etag: the mark that the server must give it; empty for any.

    Raises:
        UserError: a model that was pretrained on a session that is evaluated, a trial that is missing, predictions that are
            not finite, or files that do not fit together.
    """
    for checkpoint in checkpoints:
        refuse_leak(checkpoint, settings.eid, settings.views.values())
    with session_file(recording, address=address, etag=etag) as file:
        truths = _truths(file, settings)
    write_archive(ground_truth, (_truth_entry(TASKS[task], own) for task, own in truths.items()))
    sessions = {session.eid: session for session in (read_aligned(path, with_values=False) for path in aligned)}
    rows: list[dict[str, object]] = []
    write_archive(submission, _entries(settings, predictions, sessions, truths, rows))
    finish([submission], ground_truth, coverage=coverage, rows=rows)


def _truths(path: SessionFile, settings: DecodingRun) -> dict[str, _Truth]:
    """By task."""
    with opened(path) as recording:
        recording.refuse_other(settings.eid)
        header = {"recording_id": settings.eid} | recording.header()
        return {name: _Truth(recording.scored(TASKS[name]), header) for name in settings.views}


def _truth_entry(task: Task, own: _Truth) -> Entry:
    scored = own.scored
    tensors = {"values": scored.values, "trial_id": scored.trial_id}
    tensors |= {} if scored.timestamps is None else {"timestamps": scored.timestamps}
    tensors |= {} if scored.known is None else {"mask": scored.known}
    return truth(task=task.id, eid=own.header["recording_id"], tensors=tensors, header=own.header)


def _entries(
    settings: DecodingRun,
    predictions: Sequence[Path],
    sessions: dict[str, AlignedSession],
    truths: dict[str, _Truth],
    rows: list[dict[str, object]],
) -> Iterator[Entry]:
    """The files of the submission; a row for each is added to `rows`."""
    for run, path in zip(settings.runs, predictions, strict=True):
        eid = in_view(settings.eid, run.view)
        session = sessions[eid]
        if not session.usable:
            raise UserError(f"session {eid} cannot be used, so nothing is predicted of it: {session.reason}")
        tested, arrays = read_predictions(path)
        for task in (TASKS[name] for name, view in settings.views.items() if view == run.view):
            own = truths[task.name]
            if ("decoding", task.target) not in arrays:
                raise UserError(f"{path}: no {task.target} was decoded; was the training skipped?")
            of_trials, present = _rows(session, tested, own.scored, task, missing=settings.missing)
            values = _submitted(arrays["decoding", task.target], task, own.scored)
            filled = np.where(present.reshape(-1, 1, 1), values[of_trials], values.mean(axis=0, dtype=np.float64))
            tensors = {"predictions": filled.astype(np.float32), "trial_id": own.scored.trial_id}
            tensors |= {} if own.scored.timestamps is None else {"timestamps": own.scored.timestamps}
            numbers = (len(present), int(present.sum()), int((~present).sum()))
            rows.append(
                dict(zip(COVERAGE, ("ts1", task.name, settings.eid, run.seed, "trials", *numbers, ""), strict=True))
            )
            yield prediction(label=settings.label, task=task.id, seed=run.seed, tensors=tensors, header=own.header)


def _rows(
    session: AlignedSession, tested: np.ndarray, scored: Scored, task: Task, *, missing: str
) -> tuple[np.ndarray, np.ndarray]:
    """Row (K,) of each scored trial among the test trials `tested`, and whether it is one (K,).

    Raises:
        UserError: one is missing, where that is refused; or its window is another.
    """
    trials = session.trials.iloc[tested]
    place = {original: row for row, original in enumerate(trials["original_index"])}
    rows = np.array([place.get(trial, -1) for trial in scored.trial_id], int)
    present = rows >= 0
    if not present.all() and (missing == "error" or not present.any()):
        lacking = scored.trial_id[~present]
        named = ", ".join(map(str, lacking[:5])) + (", ..." if len(lacking) > 5 else "")
        why = "; ".join(f"{reason}: {number}" for reason, number in session.dropped.items()) or "none was dropped"
        raise UserError(
            f"session {session.eid}: the benchmark scores {counted(len(present), 'trial')} of {task.name}, of which "
            f"{counted(len(lacking), 'trial')} ({named}) are not among its test trials ({why}); set partition.trial_rule to "
            "valid, partition.holes to keep, and, where spikes were not recorded, benchmark.missing to mean"
        )
    starts_s = trials["align_time_s"].to_numpy(float)[rows[present]] + session.window_start_s
    if abs(session.bin_s - BIN_S) > _CLOCK_S:
        raise UserError(f"session {session.eid}: has bins of {session.bin_s:g} s, the benchmark's are of {BIN_S:g} s")
    if np.abs(starts_s - scored.start_s[present]).max(initial=0) > _CLOCK_S:
        raise UserError(
            f"session {session.eid}: its windows begin at other times than the file's for {task.name}; give the view the "
            f"window {task.align} {task.start_s:g} to {task.end_s:g} s"
        )
    return rows, present


def _submitted(predicted: np.ndarray, task: Task, scored: Scored) -> np.ndarray:
    """Predictions (k, C), (k, 50, 1) as the benchmark scores them: logits (k, 1, C), z-scored values, log counts."""
    if task.kind == "classes":
        return np.log(np.maximum(predicted, _SMALLEST))[:, None]
    if task.kind == "log_counts":
        return np.log(np.maximum(predicted, _SMALLEST))
    return (predicted - scored.mean) / scored.std
