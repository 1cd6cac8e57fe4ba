"""Reduced-rank regression of several sessions that share their temporal factors (`neds.baselines.rrr`)."""

from neds.baselines.fitting import Given
from neds.baselines.registry import Baseline
from neds.baselines.rrr import predict_rrr_multi
from neds.errors import UserError
from neds.evaluation.results import Predicted
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="rrr-multi",
    rank=4,
    title="RRR multi-session",
    color="#882255",
    summary="the same, fitted together with the sessions of role train; left out where there is none",
    needs="others",
    candidates=12,
)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Encoding and decoding of the test trials by a fit to this session and the others.

    Raises:
        UserError: no other sessions, or sessions that do not fit.
    """
    if not given.others:
        raise UserError("baseline rrr-multi: needs aligned files of other sessions to fit with (--others)")
    usable = given.refuse_seen(session, by="baseline rrr-multi")
    return predict_rrr_multi(session, usable) if usable else []
