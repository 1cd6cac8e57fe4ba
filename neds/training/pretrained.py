"""Whether a session may be used to fine-tune a pretrained network, which may be somebody else's."""

import logging

from neds.errors import UserError
from neds.files.aligned import AlignedSession
from neds.model.checkpoint import Checkpoint
from neds.model.known import bins_fault, session_digest
from neds.partition.same_trials import refuse_seen

log = logging.getLogger(__name__)


def refuse_unfit(source: Checkpoint, session: AlignedSession, *, by: object) -> None:
    """Refuse a session of other bins, or whose test trials the network has seen; warn of one that it was trained on.

    Args:
        by: what has seen them, for messages.

    Raises:
        UserError: the session cannot be used with this network.
    """
    assert source.design is not None
    if fault := bins_fault(source.known, source.design.n_bins, session):
        raise UserError(f"{by}: {fault}; cut the session as that, or pretrain again with its bins")
    own = next((known for known in source.known if known.eid == session.eid), None)
    seen = dict(source.record.get("seen", {}))
    if own:
        log.warning(
            "session %s is among those that %s was trained on: its scores say nothing of sessions that are new to the model",
            *(session.eid, by),
        )
        # Cut and split as then, its test trials were held out; overlapping windows have marks in common all the same.
        if own.sha256 == session_digest(session):
            seen.pop(session.eid, None)
    refuse_seen(session, seen, by=by)
