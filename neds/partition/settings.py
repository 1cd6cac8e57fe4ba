"""Settings of the partition stage, and of the import of a user's own arrays."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from neds.modalities import Modality
from neds.model.settings import MOST_BINS
from neds.settings import Seed, Settings, key
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
LONGEST_BIN_S = 10.0
LONGEST_WINDOW_S = 600.0
"""More would be milliseconds."""
SplitName = Literal["train", "val", "test"]
Axes = Literal["trials,units,bins", "trials,bins,units"]


class PartitionSettings(Settings):
    """How a recording is cut into trials and bins, and which trials and units are kept."""

    align: str = key(
        "stimOn_times",
        when="for another event of the task; none for recordings without trials",
        paper="stimOn_times",
        public_code="stimOn_times",
    )
    """Column of the trials table that is time zero of a trial; none: no trials, but windows over the recording."""
    window_start_s: float = key(-0.5, when="with the event; 0 for align none", paper="-0.5", public_code="-0.5")
    """Start of the window, relative to the alignment event."""
    window_end_s: float = key(
        1.5, when="with the event; the windows' length for align none", paper="1.5", public_code="1.5"
    )
    """End of the window, relative to the alignment event."""
    context_s: float = key(
        0.0,
        ge=0,
        le=LONGEST_WINDOW_S,
        when="when what happened before the window tells something; each second costs tokens",
        paper="0",
        public_code="0",
    )
    """Time before the window that models read too, and are never scored on, in whole bins. What is hidden in all of the
    window is hidden there as well."""
    window_step_s: float | None = key(None, gt=0, le=LONGEST_WINDOW_S, when="half the length for overlapping windows")
    """Align none: time from one window to the next; below the window's length they overlap; null: its length."""
    window_intervals: list[str] = key(
        [], when="with align none, for source brainsets, e.g. [task_aligned_intervals/domain]"
    )
    """Align none: how the source's file calls the stretches of time in which windows lie, one after the other from the start
    of each stretch; of several names the first that it has counts. Empty: windows lie anywhere between first and last
    spike."""
    bin_s: float = key(
        0.05,
        gt=0,
        le=LONGEST_BIN_S,
        when="0.02 as in the paper; wider bins mean fewer tokens and faster training",
        paper="0.02",
        public_code="0.02",
    )
    """Bin width. It must divide the window."""
    min_rate_hz: float = key(
        2.0,
        ge=0,
        when="lower to keep sparse units, higher to save memory",
        paper="2",
        public_code="5 in its present version",
    )
    """A unit is kept when its mean rate in the window over the training trials is above this."""
    min_label: float = key(0.0, ge=0, le=1, when="1 to keep well isolated units alone", paper="0", public_code="0")
    """Lowest IBL quality label (share of criteria passed) of a unit that is kept; 0 keeps all, also unlabelled ones."""
    trial_rule: Literal["neds", "bwm", "valid", "all"] = key(
        "neds",
        when="all for other tasks, bwm to compare with the Brain-Wide Map",
        paper="bwm by its text",
        public_code="neds",
    )
    """neds: first movement 0 to 10 s after the stimulus and feedback within 10 s of the go cue, as in the public code;
    bwm: first movement 0.08 to 2 s after the stimulus, as in the Brain-Wide Map; valid: those that the trials' own column
    `is_valid` says; all: every trial whose event is known, of whatever task."""
    whisker_camera: Literal["left", "right", "auto"] = key(
        "auto", when="to take the same side everywhere", public_code="right"
    )
    """Camera of the whisker motion energy; auto takes the left one, or the right one where there is no left one."""
    longest_silence_s: float | None = key(5.0, gt=0, le=3600, when="longer for few or quiet units")
    """A silence of all units of a probe that is longer, and longer than 20 times the mean interval of the spikes around it,
    was not recorded; null: silence says nothing. Trials and windows outside of what was recorded are dropped."""
    longest_gap_s: dict[str, Annotated[float, Field(gt=0, le=LONGEST_WINDOW_S)] | None] = key(
        {"others": 0.25}, when="longer for what is sampled seldom"
    )
    """Modality -> longest time between two known samples of its trace that is bridged by interpolation, and `others` for
    those not named; in a longer one, and longer than three usual intervals, values are unknown. null: all are bridged."""
    holes: Literal["drop", "mask", "keep"] = key(
        "drop", when="mask when many trials have holes; keep when no trial may be dropped"
    )
    """Trials in whose window a trace is unknown in part: drop them, or mask those bins (NaN). With mask a trial is dropped
    in which all of a trace is unknown, with keep none."""
    trace_values: Literal["interpolated", "samples"] = key(
        "interpolated",
        when="samples for traces of one sample per bin, as in BrainWideBench",
        paper="interpolated",
        public_code="interpolated",
    )
    """Value of a trace in a bin: interpolated linearly at the right edge of the bin; or the sample that lies in the bin,
    the first of the window in the first bin, unknown where a bin has none."""
    component_variance: float = key(0.99, gt=0, le=1, when="lower to spare tokens' width", public_code="0.99")
    """Share of the variance that the principal components of a modality with many values per bin (LFP) hold together."""
    max_components: int = key(50, ge=1, when="with component_variance")
    """Most principal components of such a modality."""
    min_trials: int = key(50, ge=3, when="lower for short sessions")
    """A session with fewer kept trials is unusable."""
    min_units: int = key(10, ge=1, when="lower for sparse recordings")
    """A session with fewer kept units is unusable."""
    split: Literal["random", "blocks", "file"] = key(
        "random",
        when="blocks when signals drift slowly, and for align none; file for source brainsets with splits of its own",
        paper="random",
        public_code="random",
    )
    """random: trial by trial, as in the paper; blocks: contiguous trials, so that what drifts slowly tells a model nothing
    of the trials that it is tested on; file: by the stretches of time that the source's file has for each split."""
    split_intervals: dict[SplitName, list[str]] = key(
        {"train": ["train_domain"], "val": ["valid_domain"], "test": ["test_domain"]},
        when="with split file, e.g. {train: [ts1_train_domain], val: [ts1_val_domain], test: [ts1_test_domain]}",
    )
    """Split file: how the file calls the stretches of each split; of several names the first that it has counts. A trial
    belongs to the split whose stretches its window meets, and is dropped where that is none, or two."""
    split_blocks: int = key(3, ge=1, when="more for long sessions")
    """Split blocks: how many blocks of each split lie spread over the session."""
    overlap: Literal["drop", "refuse", "allow"] = key("drop", when="refuse or allow, when no trial may be lost")
    """Windows of different splits that share time: drop those of training before those of validation before those of test;
    refuse the session; or allow them. allow also lets the same recording be a session of role train and one of role test."""
    split_gap_s: float = key(5.0, ge=0, le=3600, when="as long as what is recorded remembers itself")
    """Split blocks: least time between the windows of trials of different splits; the trials in between are dropped."""
    split_fractions: list[Annotated[float, Field(gt=0, lt=1)]] = key(
        [0.7, 0.1, 0.2],
        min_length=3,
        max_length=3,
        when="more to test for short sessions",
        paper="[0.7, 0.1, 0.2]",
        public_code="[0.7, 0.1, 0.2]",
    )
    """Shares of the kept trials for training, validation and test."""
    split_seed: Seed = key(0, when="to see how much the split matters", paper="not published")
    """Another seed draws another split of every session."""
    unusable: Literal["skip", "error"] = key("skip", when="error when every session is needed")
    """skip: an unusable session is recorded with its reason and left out; error: it stops the workflow."""

    @property
    def n_bins(self) -> int:
        return round((self.window_end_s - self.window_start_s) / self.bin_s)

    @property
    def n_context(self) -> int:
        """Bins before the window."""
        return round(self.context_s / self.bin_s)

    @property
    def cuts_windows(self) -> bool:
        """Whether there are windows over the recording in the place of trials."""
        return self.align == NO_EVENT

    def fault_of(self, modalities: dict[str, Modality]) -> str:
        """What keeps these modalities from being cut so, in one line; empty where nothing does."""
        static = [name for name, modality in modalities.items() if modality.per_trial]
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
        if window_s > LONGEST_WINDOW_S:
            raise ValueError(
                f"the window of {window_s:g} s is longer than {LONGEST_WINDOW_S:g} s; give seconds, not milliseconds"
            )
        if self.n_bins < 1 or abs(self.n_bins * self.bin_s - window_s) > 1e-6 * window_s:
            raise ValueError(f"bin_s {self.bin_s:g} does not divide the window of {window_s:g} s into whole bins")
        if abs(self.n_context * self.bin_s - self.context_s) > 1e-6 * max(self.context_s, 1):
            raise ValueError(f"bin_s {self.bin_s:g} does not divide context_s {self.context_s:g} into whole bins")
        n_bins = self.n_context + self.n_bins
        if n_bins > MOST_BINS:
            raise ValueError(
                f"window and context_s have {n_bins} bins of {self.bin_s:g} s, and a network reads {MOST_BINS} at most; "
                "shorten them or raise bin_s"
            )
        if abs(sum(self.split_fractions) - 1) > 1e-6:
            raise ValueError(f"split_fractions must sum to 1, not {sum(self.split_fractions):g}")
        if self.cuts_windows and self.window_start_s != 0:
            raise ValueError(
                "align none cuts windows that start at 0; set window_start_s to 0 and window_end_s to their length"
            )
        if self.cuts_windows and self.split == "random":
            raise ValueError("align none needs split: blocks or file, so that no moment is in windows of two splits")
        if self.window_step_s is not None and not self.cuts_windows:
            raise ValueError("window_step_s is for windows; set align to none, or leave it null")
        if self.window_intervals and not self.cuts_windows:
            raise ValueError("window_intervals is for windows; set align to none, or leave it empty")
        return self


class ArraySettings(Settings):
    """How a user's own file of trial-aligned arrays is read (docs/files.md, "Your own arrays")."""

    rename: dict[str, str] = key({}, when="when the file calls things otherwise")
    """Key in the file -> name of the modality or column it holds."""
    values: Meanings | None = key(None, when="where numbers may be read in two ways")
    """Categorical modality -> {value in the file: class name, or "" for unknown}, where numbers may be read in two ways."""
    bins: list[Annotated[int, Field(ge=0)]] | None = key(
        None, min_length=2, max_length=2, when="to drop bins at the edges"
    )
    """First bin to use and the one after the last: [1, 49] drops bins 0 and 49 of 50. Empty: all bins."""
    bin_s: float | None = key(None, gt=0, le=LONGEST_BIN_S, when="when the file does not say")
    """Bin width. Empty: key `bin_s` of the file."""
    window_start_s: float | None = key(None, when="when the file does not say")
    """Start of bin 0 relative to the alignment event. Empty: key `t0_s` of the file."""
    axes: Axes | Literal["auto"] = key("auto", when="when the shapes do not decide")
    """Order of the axes of the spike counts; auto: key `axes` of the file, or told from the shapes of the behaviours."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.bins and self.bins[0] >= self.bins[1]:
            raise ValueError(f"bins {self.bins} holds no bin; write [first, last + 1]")
        return self


class PartitionRun(Settings):
    """Everything but the recording that determines an aligned file."""

    modalities: list[Modality]
    """Registry entries, in the order of the aligned file."""
    partition: PartitionSettings = Field(default_factory=PartitionSettings)


class ArrayRun(PartitionRun):
    """Everything but a user's own arrays that determines an aligned file."""

    arrays: ArraySettings = Field(default_factory=ArraySettings)
