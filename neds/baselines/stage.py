"""The baseline stage: an aligned file -> scores and predictions of one baseline model, in the form of any other model."""

import logging
from collections.abc import Sequence
from pathlib import Path

from neds.baselines.linear import predict_linear
from neds.baselines.names import BaselineName
from neds.baselines.oracle import predict_oracle
from neds.baselines.psth import predict_psth
from neds.baselines.rrr import predict_rrr, predict_rrr_multi
from neds.errors import UserError
from neds.evaluation.results import EvaluationFiles, Identity, Predicted, write_evaluation
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.roles import InputFile, InputFiles, OutputFile

log = logging.getLogger(__name__)


def run_baseline(
    *,
    name: BaselineName,
    aligned: InputFile,
    metrics: OutputFile,
    units: OutputFile,
    predictions: OutputFile,
    truth: InputFile | None = None,
    others: InputFiles = (),
) -> None:
    """Fit one baseline on the training trials and score it on the test trials; nothing for an unusable session.

    Args:
        name: the baseline.
        aligned: aligned session file.
        metrics: CSV to write, one row per score.
        units: Parquet to write, one row per unit and task.
        predictions: HDF5 to write.
        truth: the true rates of a synthetic session, for the oracle.
        others: aligned files of the sessions to fit with, for rrr-multi; unusable ones are left out.

    Raises:
        UserError: the oracle without true rates, rrr-multi without other sessions, or damaged inputs.
    """
    files = EvaluationFiles(metrics, units, predictions)
    session = read_aligned(aligned)
    predicted = _predict(name, session, truth, others) if _is_usable(session) else []
    write_evaluation(session, Identity(model=name, training="", seed=0), predicted, files)


def _predict(
    name: BaselineName, session: AlignedSession, truth: Path | None, others: Sequence[Path]
) -> list[Predicted]:
    if name == "oracle":
        if truth is None:
            raise UserError(
                "baseline oracle: true rates are known of source synthetic only; remove it from `baselines`"
            )
        return predict_oracle(session, truth)
    if name == "rrr-multi":
        if not others:
            raise UserError("baseline rrr-multi: needs aligned files of other sessions to fit with (--others)")
        usable = [other for path in others if _is_usable(other := read_aligned(path))]
        if not usable:
            log.warning("session %s: rrr-multi is skipped, no usable session to fit with", session.eid)
            return []
        return predict_rrr_multi(session, usable)
    return {"psth": predict_psth, "linear": predict_linear, "rrr": predict_rrr}[name](session)


def _is_usable(session: AlignedSession) -> bool:
    if not session.usable:
        log.warning("session %s is left out: %s", session.eid, session.reason)
    return session.usable
