"""What a user's file of arrays holds beyond what is used: most often a name that was written otherwise."""

from collections.abc import Collection, Sequence

from neds.modalities import BUILT_IN
from neds.partition.settings import ArraySettings
from neds.validation import did_you_mean

SPIKE_KEYS = ("spikes", "spike_counts")
FACTORS = ("choice", "block", "reward")
REGION_KEYS = ("acronym", "region")
_OTHERS = (
    "bin_s",
    "t0_s",
    "axes",
    "subject",
    "lab",
    "uuid",
    "probe",
    "label",
    "depth_um",
    "channel",
    "held_out",
    "condition",
    "split",
)
WITH_MEANING = (*SPIKE_KEYS, *FACTORS, *REGION_KEYS, *_OTHERS, "align_time_s")
"""Keys that are read without being named in a configuration."""


def key_remarks(keys: Collection[str], modalities: Collection[str], reading: ArraySettings) -> list[str]:
    """A line for the keys of a file, after renaming, that nothing reads, with the nearest that would be read; and for keys
    to be renamed that it lacks.

    Keys called as a built-in modality that is not in use are left out on purpose.
    """
    known = [*dict.fromkeys([*modalities, *WITH_MEANING])]
    used = {*known, *BUILT_IN}
    for alternatives in (SPIKE_KEYS, REGION_KEYS):
        used -= set([key for key in alternatives if key in keys][1:])
    unused = [f"{key}{near(key, [name for name in known if name not in keys])}" for key in keys if key not in used]
    lines = (
        [f"keys that are not used: {', '.join(unused[:10])}" + (" ..." if len(unused) > 10 else "")] if unused else []
    )
    lacking = [key for key, name in reading.rename.items() if name not in keys]
    return lines + ([f"keys to be renamed that the file lacks: {', '.join(lacking)}"] if lacking else [])


def near(keys: str | Sequence[str], known: Collection[str]) -> str:
    """In brackets the known key that may have been meant by one of the keys, whatever its capitals; else empty."""
    wanted = [keys] if isinstance(keys, str) else keys
    questions = [did_you_mean(key, known, otherwise="") for key in wanted]
    return next((f" ({question})" for question in questions if question), "")
