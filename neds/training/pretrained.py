"""Whether a session may fine-tune a pretrained network, which may be somebody else's; what of it means the same there, and
what has been seen after it.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from neds.errors import UserError
from neds.files.aligned import AlignedSession
from neds.modalities import Modality
from neds.model.checkpoint import Checkpoint
from neds.model.known import bins_fault, session_digest
from neds.model.network import Design
from neds.partition.same_trials import refuse_seen, seen_in_training

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
    seen = dict(source.record.get("seen", {}))
    if digests := _trained_on(source).get(session.eid):
        log.warning(
            "session %s is among those that %s was trained on: its scores say nothing of sessions that are new to the model",
            *(session.eid, by),
        )
        # Cut and split as then, its test trials were held out; overlapping windows have marks in common all the same.
        if set(digests) == {session_digest(session)}:
            seen.pop(session.eid, None)
    refuse_seen(session, seen, by=by)


def record_of_seen(source: Checkpoint | None, sessions: Sequence[AlignedSession]) -> dict[str, Any]:
    """What a checkpoint's record says of the trials that the network has seen, in this training and in earlier ones.

    Args:
        source: what the network was fine-tuned from, if anything.
        sessions: those of this training.

    Returns:
        seen: marks of trials (`seen_in_training`) by EID. trained_before: of each session of the earlier trainings, by EID,
        the digests (`session_digest`) of what was trained on.
    """
    seen = dict(source.record.get("seen", {})) if source else {}
    for session in sessions:
        own, before = seen_in_training(session), seen.get(session.eid, "")
        seen[session.eid] = own if own == before else before + own
    return {"seen": seen, "trained_before": _trained_on(source) if source else {}}


def unlike_behaviours(
    pretrained: Design, own: Mapping[str, Modality], sessions: Sequence[AlignedSession]
) -> dict[str, str]:
    """Behaviours whose values mean something else than those that a network was pretrained on, and why.

    Args:
        own: the modalities of `sessions`, by name.
    """
    found = {}
    for name, modality in own.items():
        before = pretrained.modalities[name]
        if modality.group != "behaviour":
            continue
        if (modality.kind, modality.n_columns, modality.classes) != (before.kind, before.n_columns, before.classes):
            found[name] = "of another kind, width or classes than in pretraining"
        elif any(name in session.components for session in sessions):
            found[name] = "of which every session has its own principal components"
    return found


def _trained_on(checkpoint: Checkpoint) -> dict[str, list[str]]:
    """Digests of all that a network was trained on, in its own training and in earlier ones, by EID."""
    digests: dict[str, list[str]] = dict(checkpoint.record.get("trained_before", {}))
    for known in checkpoint.known:
        digests[known.eid] = list(dict.fromkeys([*digests.get(known.eid, []), known.sha256]))
    return digests
