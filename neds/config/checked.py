"""What the checks of a configuration look at."""

from dataclasses import dataclass
from pathlib import Path

from neds.config.schema import Config
from neds.roster import Session


@dataclass(frozen=True)
class Checked:
    """A configuration whose values are each of the right type.

    Attributes:
        sessions: the roster, as far as it could be read.
        base: folder to which relative paths belong.
        given: dotted keys that somebody wrote; what is a default is nobody's fault.
    """

    config: Config
    sessions: list[Session]
    base: Path
    given: frozenset[str]
