"""What a baseline is given beside the session."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neds.baselines.networks.settings import RivalSettings
from neds.files.aligned import AlignedSession, read_aligned

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Given:
    """Files that a baseline may need.

    Attributes:
        truth: true rates of a synthetic session.
        others: aligned files of the sessions to fit with.
        raw: raw files of the sessions, called by their EIDs.
        pretrained: weights to start from.
        settings: of the networks.
    """

    truth: Path | None = None
    others: Sequence[Path] = ()
    raw: Sequence[Path] = ()
    pretrained: Path | None = None
    settings: RivalSettings = field(default_factory=RivalSettings)

    def usable_others(self) -> list[AlignedSession]:
        """The other sessions that can be used."""
        found = [other for path in self.others if is_usable(other := read_aligned(path))]
        if not found:
            log.warning("no usable session to fit with")
        return found


def is_usable(session: AlignedSession) -> bool:
    """Whether a session can be used, with a word in the log where it cannot."""
    if not session.usable:
        log.warning("session %s is left out: %s", session.eid, session.reason)
    return session.usable
