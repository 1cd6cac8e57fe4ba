"""The baseline stage: an aligned file -> scores and predictions of one baseline model, in the form of any other model."""

import logging
from pathlib import Path

from neds.baselines.linear import predict_linear
from neds.baselines.names import BaselineName
from neds.baselines.oracle import predict_oracle
from neds.baselines.psth import predict_psth
from neds.errors import UserError
from neds.evaluation.results import EvaluationFiles, Identity, write_evaluation
from neds.files.aligned import read_aligned

log = logging.getLogger(__name__)


def run_baseline(*, name: BaselineName, aligned: Path, files: EvaluationFiles, truth: Path | None = None) -> None:
    """Fit one baseline on the training trials and score it on the test trials; nothing for an unusable session.

    Args:
        truth: the true rates of a synthetic session, for the oracle.

    Raises:
        UserError: the oracle without true rates, or damaged inputs.
    """
    session = read_aligned(aligned)
    identity = Identity(model=name, training="", seed=0)
    if not session.usable:
        log.warning("session %s is left out: %s", session.eid, session.reason)
        write_evaluation(session, identity, [], files)
        return
    if name == "oracle":
        if truth is None:
            raise UserError(
                "baseline oracle: true rates are known of source synthetic only; remove it from `baselines`"
            )
        predicted = predict_oracle(session, truth)
    else:
        predicted = {"psth": predict_psth, "linear": predict_linear}[name](session)
    write_evaluation(session, identity, predicted, files)
