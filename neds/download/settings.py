"""Settings of the download stage. Light: importing this imports neither ONE nor ibllib."""

from datetime import date
from typing import Literal

from pydantic import Field, field_validator

from neds.settings import Settings

Extra = Literal["pupil", "paws", "licks", "lfp"]
EXTRAS: dict[str, Extra] = {
    "pupil_diameter": "pupil",
    "left_paw_speed": "paws",
    "right_paw_speed": "paws",
    "licks": "licks",
    "lfp": "lfp",
}
"""What has to be loaded for a modality beside trials, spikes, wheel and motion energy."""


class DownloadSettings(Settings):
    """Where recordings come from and which version of them is taken."""

    alf_root: str | None = None
    """Source alf: the folder that holds lab/Subjects/subject/date/number. It is only read."""
    cache_dir: str | None = None
    """Source one: the folder in which ONE keeps downloaded files; null: one beside the results."""
    base_url: str = "https://openalyx.internationalbrainlab.org"
    """Source one: the Alyx database to ask; the default is the IBL's public one."""
    revision_before: str | None = None
    """Take the newest dataset revision of this day (YYYY-MM-DD) or earlier, so that later releases change nothing; null:
    the database's default revisions (of a local folder, the newest)."""
    spike_sorter: str = "pykilosort"
    """The preferred spike sorting; where a probe lacks it, ibllib's order of preference decides. The raw file records the
    one that was loaded."""
    probes: list[str] = []
    """Probes to load, e.g. [probe00]; empty: all of the session."""
    extras: list[Extra] | None = None
    """What to load beside trials, spikes, wheel and motion energy; null: what `modalities` need, and by hand nothing."""
    pose_tracker: Literal["dlc", "lightningPose"] = "dlc"
    """Which tracking of the left video the paws are taken from."""
    pause_s: float = Field(0.1, ge=0)
    """Source one: the least time, in seconds, between the starts of two downloads of files. It changes no result."""

    @field_validator("revision_before")
    @classmethod
    def _is_a_day(cls, value: str | None) -> str | None:
        if value is not None and date.fromisoformat(value).isoformat() != value:
            raise ValueError("must be a day written YYYY-MM-DD, in quotes")
        return value
