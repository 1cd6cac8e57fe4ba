"""Settings of the partition stage, and of the import of a user's own arrays."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from neds.modalities import BUILT_IN, Modality
from neds.settings import Settings
from neds.values import Meanings

IBL_EVENTS = (
    "stimOn_times",
    "goCue_times",
    "firstMovement_times",
    "response_times",
    "feedback_times",
    "stimOff_times",
    "intervals_0",
)
NO_EVENT = "none"
Axes = Literal["trials,units,bins", "trials,bins,units"]


class PartitionSettings(Settings):
    """How a recording is cut into trials and bins, and which trials and units are kept."""

    align: str = "stimOn_times"
    """Column of the trials table that is time zero of a trial; none: no trials, but windows over the whole recording."""
    window_start_s: float = -0.5
    """Start of the window, relative to the alignment event."""
    window_end_s: float = 1.5
    """End of the window, relative to the alignment event."""
    window_step_s: float | None = Field(None, gt=0)
    """Align none: time from one window to the next; below the window's length they overlap; null: its length."""
    bin_s: float = Field(0.02, gt=0)
    """Bin width. It must divide the window."""
    min_rate_hz: float = Field(2.0, ge=0)
    """A unit is kept when its mean rate in the window over the training trials is above this."""
    min_label: float = Field(0.0, ge=0, le=1)
    """Lowest IBL quality label (share of criteria passed) of a unit that is kept; 0 keeps all, also unlabelled ones."""
    trial_rule: Literal["neds", "bwm", "all"] = "neds"
    """neds: first movement 0 to 10 s after the stimulus and feedback within 10 s of the go cue, as in the public code;
    bwm: first movement 0.08 to 2 s after the stimulus, as in the Brain-Wide Map; all: every trial whose event is known, of
    whatever task."""
    whisker_camera: Literal["left", "right", "auto"] = "auto"
    """Camera of the whisker motion energy; auto takes the left one, or the right one where there is no left one."""
    longest_silence_s: float | None = Field(5.0, gt=0)
    """A silence of all units of a probe that is longer, and longer than 20 times the mean interval of the spikes
    around it, was not recorded; null: silence says nothing. Trials and windows outside of what was recorded are
    dropped."""
    longest_gap_s: dict[str, Annotated[float, Field(gt=0)] | None] = {"others": 0.25}
    """Modality -> longest time between two known samples of its trace that is bridged by interpolation, and `others`
    for those not named; in a longer one, and longer than three usual intervals, values are unknown. null: all are
    bridged."""
    holes: Literal["drop", "mask"] = "drop"
    """Trials in whose window a trace is unknown in part: drop them, or mask those bins (NaN)."""
    component_variance: float = Field(0.99, gt=0, le=1)
    """Share of the variance that the principal components of a modality with many values per bin (LFP) hold together."""
    max_components: int = Field(50, ge=1)
    """Most principal components of such a modality."""
    min_trials: int = Field(50, ge=3)
    """A session with fewer kept trials is unusable."""
    min_units: int = Field(10, ge=1)
    """A session with fewer kept units is unusable."""
    split: Literal["random", "blocks"] = "random"
    """random: trial by trial, as in the paper; blocks: contiguous trials, so that what drifts slowly tells a model nothing
    of the trials that it is tested on."""
    split_blocks: int = Field(3, ge=1)
    """Split blocks: how many blocks of each split lie spread over the session."""
    overlap: Literal["drop", "refuse", "allow"] = "drop"
    """Windows of different splits that share time: drop those of training before those of validation before those of test;
    refuse the session; or allow them. allow also lets the same recording be a session of role train and one of role test."""
    split_gap_s: float = Field(5.0, ge=0)
    """Split blocks: least time between the windows of trials of different splits; the trials in between are dropped."""
    split_fractions: list[Annotated[float, Field(gt=0, lt=1)]] = Field([0.7, 0.1, 0.2], min_length=3, max_length=3)
    """Shares of the kept trials for training, validation and test."""
    split_seed: int = 0
    """Another seed draws another split of every session."""
    unusable: Literal["skip", "error"] = "skip"
    """skip: an unusable session is recorded with its reason and left out; error: it stops the workflow."""

    @property
    def n_bins(self) -> int:
        return round((self.window_end_s - self.window_start_s) / self.bin_s)

    @property
    def cuts_windows(self) -> bool:
        """Whether there are windows over the recording in the place of trials."""
        return self.align == NO_EVENT

    def fault_of(self, modalities: dict[str, Modality]) -> str:
        """What keeps these modalities from being cut so, in one line; empty where nothing does."""
        strange = [name for name in self.longest_gap_s if name not in (*modalities, *BUILT_IN, "others")]
        if strange:
            return (
                f"partition.longest_gap_s.{strange[0]}: no modality in use is called so; there are {', '.join(modalities)}, "
                "and others"
            )
        static = [name for name, modality in modalities.items() if modality.kind == "categorical"]
        if not static or not self.cuts_windows:
            return ""
        return (
            f"modalities: with `align: none` there are windows and no trials, but there is one value per trial of "
            f"{', '.join(static)}; remove that, or align to an event"
        )

    @model_validator(mode="after")
    def _check(self) -> Self:
        window_s = self.window_end_s - self.window_start_s
        if window_s <= 0:
            raise ValueError(
                f"window_end_s {self.window_end_s:g} must be later than window_start_s {self.window_start_s:g}"
            )
        if self.n_bins < 1 or abs(self.n_bins * self.bin_s - window_s) > 1e-6 * window_s:
            raise ValueError(f"bin_s {self.bin_s:g} does not divide the window of {window_s:g} s into whole bins")
        if abs(sum(self.split_fractions) - 1) > 1e-6:
            raise ValueError(f"split_fractions must sum to 1, not {sum(self.split_fractions):g}")
        if self.cuts_windows and self.window_start_s != 0:
            raise ValueError(
                "align none cuts windows that start at 0; set window_start_s to 0 and window_end_s to their length"
            )
        if self.cuts_windows and self.split != "blocks":
            raise ValueError("align none needs split: blocks, so that no moment is in windows of two splits")
        if self.window_step_s is not None and not self.cuts_windows:
            raise ValueError("window_step_s is for windows; set align to none, or leave it null")
        return self


class ArraySettings(Settings):
    """How a user's own file of trial-aligned arrays is read (docs/files.md, "Your own arrays")."""

    rename: dict[str, str] = Field(default_factory=dict)
    """Key in the file -> name of the modality or column it holds."""
    values: Meanings | None = None
    """Categorical modality -> {value in the file: class name, or "" for unknown}, where numbers may be read in two ways."""
    bins: list[Annotated[int, Field(ge=0)]] | None = Field(None, min_length=2, max_length=2)
    """First bin to use and the one after the last: [1, 49] drops bins 0 and 49 of 50. Empty: all bins."""
    bin_s: float | None = Field(None, gt=0)
    """Bin width. Empty: key `bin_s` of the file."""
    window_start_s: float | None = None
    """Start of bin 0 relative to the alignment event. Empty: key `t0_s` of the file."""
    axes: Axes | Literal["auto"] = "auto"
    """Order of the axes of the spike counts; auto: key `axes` of the file, or told from the shapes of the behaviours."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.bins and self.bins[0] >= self.bins[1]:
            raise ValueError(f"bins {self.bins} holds no bin; write [first, last + 1]")
        return self
