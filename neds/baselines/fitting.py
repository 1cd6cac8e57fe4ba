"""What a baseline is given beside the session."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neds.baselines.networks.settings import RivalSettings
from neds.evaluation.settings import UnitTasks
from neds.evaluation.tasks import Task
from neds.evaluation.unit_tasks import unit_tasks_of
from neds.files.aligned import AlignedSession, read_aligned
from neds.partition.same_trials import refuse_seen, seen_in_training

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Given:
    """Files that a baseline may need.

    Attributes:
        truth: true rates of a synthetic session.
        others: aligned files of the sessions to fit with.
        unit_tasks: co-smoothing and forecasting, where they are asked for.
        raw: raw files of the sessions, called by their EIDs.
        pretrained: weights to start from.
        settings: of the networks.
    """

    truth: Path | None = None
    others: Sequence[Path] = ()
    unit_tasks: UnitTasks = field(default_factory=UnitTasks)
    raw: Sequence[Path] = ()
    pretrained: Path | None = None
    settings: RivalSettings = field(default_factory=RivalSettings)

    def tasks_of_units(self, session: AlignedSession) -> list[Task]:
        """Co-smoothing and forecasting of a session, as a model of all its modalities has them."""
        names = tuple(session.modalities)
        return unit_tasks_of(session, self.unit_tasks, inputs=names, outputs=names)

    def usable_others(self) -> list[AlignedSession]:
        """The other sessions that can be used."""
        found = [other for path in self.others if is_usable(other := read_aligned(path))]
        if not found:
            log.warning("no usable session to fit with")
        return found

    def refuse_seen(self, session: AlignedSession, *, by: str) -> list[AlignedSession]:
        """The other sessions that can be used, none of which holds a test trial of this one.

        Args:
            by: what is fitted with them, for messages.

        Raises:
            UserError: one of them holds such a trial.
        """
        usable = self.usable_others()
        refuse_seen(session, {other.eid: seen_in_training(other) for other in usable}, by=by)
        return usable


def is_usable(session: AlignedSession) -> bool:
    """Whether a session can be used, with a word in the log where it cannot."""
    if not session.usable:
        log.warning("session %s is left out: %s", session.eid, session.reason)
    return session.usable
