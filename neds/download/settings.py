"""Settings of the download stage. Light: importing this imports neither ONE nor ibllib."""

import math
import re
from datetime import date
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from neds.settings import PathText, Settings, key

Extra = Literal["pupil", "paws", "licks", "lfp"]
EXTRAS: dict[str, Extra] = {
    "pupil_diameter": "pupil",
    "left_paw_speed": "paws",
    "right_paw_speed": "paws",
    "licks": "licks",
    "lfp": "lfp",
}
"""What has to be loaded for a modality beside trials, spikes, wheel and motion energy."""

PUBLIC_DATABASE = "https://openalyx.internationalbrainlab.org"
"""The IBL's public database."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Narrower than the standard: programs disagree on which host an address names that has more in it (user@host, a backslash).
_URL = re.compile(r"https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?")

BANDS_HZ = {
    "delta": [0.0, 4.0],
    "theta": [4.0, 10.0],
    "alpha": [8.0, 12.0],
    "beta": [15.0, 30.0],
    "gamma": [30.0, 90.0],
    "all": [0.0, 90.0],
}


def url_fault(url: str) -> str:
    """Why a database is not asked at this address, to which passwords would go; empty where it is."""
    if not _URL.fullmatch(url):
        return f"{url!r} is no plain address; write https://HOST, or https://HOST:PORT/PATH"
    address = urlsplit(url)
    if address.scheme != "https" and address.hostname not in _LOOPBACK:
        return f"{url}: accounts and data would go over the network in clear; write https://"
    return ""


class LfpSettings(Settings):
    """What is kept of local field potentials: their power in frequency bands around the trials."""

    window_s: float = key(0.3, gt=0, le=10, when="longer for finer frequencies", public_code="0.3")
    """Length of the window of a spectrum, whose frequencies lie 1 / window_s apart."""
    bands_hz: dict[str, Annotated[list[float], Field(min_length=2, max_length=2)]] = key(
        BANDS_HZ, min_length=1, when="for other bands; the mapping replaces all of these", public_code="the same"
    )
    """Name -> lowest frequency and the one above the highest."""
    channels_per_group: int = key(8, ge=1, when="1 when depth matters")
    """Neighbouring channels whose power is averaged; 1 for each channel on its own, at 8 times the memory."""
    step_s: float | None = key(None, gt=0, le=10, when="wider to save time", public_code="0.02")
    """From one window to the next; null: the width of a bin."""
    event: str | None = key(None, when="for a window apart from that of the models")
    """Column of the trials table around which power is computed, or none for all of the recording; null: that of
    `partition`."""
    start_s: float | None = key(None, when="with event")
    """From there on, relative to the event; null: the window of `partition`."""
    end_s: float | None = key(None, when="with event")
    """Until there."""

    @field_validator("bands_hz")
    @classmethod
    def _in_order(cls, bands_hz: dict[str, list[float]]) -> dict[str, list[float]]:
        """By their upper end, the widest last: columns must not depend on the order of the user's mapping."""
        return dict(sorted(bands_hz.items(), key=lambda band: (band[1][1], -band[1][0])))

    @model_validator(mode="after")
    def _check_bands(self) -> Self:
        for name, (low, high) in self.bands_hz.items():
            if not 0 <= low < high:
                raise ValueError(f"band {name}: {low:g} to {high:g} Hz is no band")
            if max(1, math.ceil(low * self.window_s - 1e-3)) >= high * self.window_s - 1e-3:
                raise ValueError(f"band {name}: a window of {self.window_s:g} s has no frequency in it")
        return self


class DownloadSettings(Settings):
    """Where recordings come from and which version of them is taken."""

    alf_root: PathText | None = key(None, when="always, for source alf")
    """Source alf: the folder that holds lab/Subjects/subject/date/number. It is only read."""
    cache_dir: PathText | None = key(None, when="when another disk has more room")
    """Source one: the folder in which ONE keeps downloaded files; null: one beside the results."""
    base_url: str = key(PUBLIC_DATABASE, when="for an Alyx database of one's own")
    """Source one: the Alyx database to ask, at an https address (http on this computer alone); the default is the IBL's
    public one. The account in ONE_USERNAME and ONE_PASSWORD, or ONE_TOKEN, goes to another one only if the environment
    variable ONE_HOST names its host."""
    revision_before: str | None = key(None, when="to have the same data next year")
    """Take the newest dataset revision of this day (YYYY-MM-DD) or earlier, so that later releases change nothing; null:
    the database's default revisions (of a local folder, the newest)."""
    spike_sorter: str = key("pykilosort", when="to compare spike sortings")
    """The preferred spike sorting; where a probe lacks it, ibllib's order of preference decides. The raw file records the
    one that was loaded."""
    probes: list[str] = key([], when="for one probe of each session")
    """Probes to load, e.g. [probe00]; empty: all of the session."""
    extras: list[Extra] | None = key(None, when="to have more in the raw files than the models need")
    """What to load beside trials, spikes, wheel and motion energy; null: what `modalities` need, and by hand nothing."""
    pose_tracker: Literal["dlc", "lightningPose"] = key("dlc", when="lightningPose where the sessions have it")
    """Which tracking of the left video the paws are taken from."""
    most_surplus_s: float = key(0.5, ge=0, when="higher where cameras are known to have started late")
    """Of more camera times than frames, up to this time the first are dropped, as the IBL does; of more the camera is
    not used."""
    lfp: LfpSettings = Field(default_factory=LfpSettings)
    pause_s: float = key(0.1, ge=0, when="longer if the people of the database ask for it")
    """Source one: the least time, in seconds, between the starts of two downloads of files. It changes no result."""

    @field_validator("base_url")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        if fault := url_fault(value):
            raise ValueError(fault)
        return value

    @field_validator("revision_before")
    @classmethod
    def _is_a_day(cls, value: str | None) -> str | None:
        if value is not None and date.fromisoformat(value).isoformat() != value:
            raise ValueError("must be a day written YYYY-MM-DD, in quotes")
        return value
