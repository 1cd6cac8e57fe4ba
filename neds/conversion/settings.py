"""Mappings from files of other formats to the names of a raw session file. Light: importing this imports no reader."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from neds.modalities import Modality
from neds.settings import Settings, key
from neds.values import Meanings

RAW_TRACES = ("wheel_position", "wheel_velocity", "left_whisker_motion_energy", "right_whisker_motion_energy")
"""Traces of a raw file from which modalities are computed."""
RAW_UNITS = {"wheel_position": "rad", "wheel_velocity": "rad/s"}
COMPUTED_FROM = {
    "wheel_speed": ("wheel_velocity", "wheel_position"),
    "wheel_velocity": ("wheel_position",),
    "whisker_motion_energy": ("left_whisker_motion_energy", "right_whisker_motion_energy"),
}
"""Modality -> traces of a raw file, of which one is enough to compute it."""
UnitColumn = Literal["uuid", "probe", "acronym", "beryl", "cosmos", "depth_um", "channel", "label"]


class FileMapping(Settings):
    """Where the file of one session has what."""

    series: dict[str, str] | None = key(
        None, when="always for source nwb; for brainsets, for files of another layout than BrainWideBench's"
    )
    """Modality -> path of the series in the file."""
    series_units: dict[str, str] | None = key(None, when="when the file says no unit of a series, or a wrong one")
    """Modality -> unit of its series, in the place of what the file says. Values are converted to the modality's unit where
    both are known, e.g. cm/s to m/s."""
    trials_table: str = key("trials", when="when the file calls it otherwise")
    """Name of the table of trials in the file."""
    trials: dict[str, str] | None = key(None, when="when columns have other names than the modalities and events")
    """Column of trials in the raw file -> column in the file. A categorical or scalar modality has a column of its own name;
    all other columns of one value per trial keep their names, and `partition.align` names one of them."""
    units: dict[UnitColumn, str] | None = key(None, when="when columns have other names")
    """Column of units in the raw file -> column in the file: acronym is the brain region, label the quality from 0 to 1."""
    values: Meanings | None = key(None, when="when the file's values are not the names of the classes")
    """Column in the raw file -> {value in the file: what it stands for}: a class name, or a number; "" for unknown. A
    categorical column without an entry is read by what its values are declared to mean (docs/files.md)."""
    event_rates: list[str] | None = key(None, when="for events that a file holds as a rate in each sample")
    """Modalities of kind counts whose series is a rate, in events per second, of each sample."""
    known_where: dict[str, str] | None = key(None, when="when the file marks bad samples")
    """Modality -> path of a series of truth values on the same clock; where it is false the modality is unknown."""
    example: ClassVar[str]
    # Whether the format's reader takes a file that stays on a server (`neds.conversion.session_file`).
    reads_addresses: ClassVar[bool] = False
    missing_series: Literal["error", "skip"]
    """When a file lacks a series: error stops the workflow; skip makes the session unusable where a modality needs it."""

    def filled(self) -> Self:
        """With this format's usual names in the place of None."""
        return self


class NwbMapping(FileMapping):
    """NWB: series by the names of the objects they lie in."""

    example = "processing/behavior/Position/paw"
    reads_addresses = True
    missing_series: Literal["error", "skip"] = key(
        "error", when="skip when some sessions were recorded without a series"
    )


class BrainsetsMapping(FileMapping):
    """Files of brainsets and torch_brain: series by object and attribute.

    What is None stands for the layout of BrainWideBench's sessions of the IBL, `values` for that of its `trials`.
    """

    example = "wheel/wheel_speed"
    reads_addresses = True
    missing_series: Literal["error", "skip"] = key("skip", when="error when every session must have every series")

    def filled(self) -> Self:
        usual = _BRAIN_WIDE_BENCH if self.trials is None else _BRAIN_WIDE_BENCH | {"values": None}
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        return type(self).model_validate(usual | given)


_BRAIN_WIDE_BENCH = {
    "series": {
        "wheel_speed": "wheel/wheel_speed",
        "whisker_motion_energy": "whisker/whisker_motion_energy",
        "wheel_velocity": "wheel/wheel_vel",
        "left_paw_speed": "paws/left_paw_speed",
        "right_paw_speed": "paws/right_paw_speed",
        "licking_rate": "licks/licking_rate",
        "licks": "licks/licking_rate",
    },
    "event_rates": ["licks"],
    "known_where": {
        "left_paw_speed": "paws/is_left_paw_confident",
        "right_paw_speed": "paws/is_right_paw_confident",
    },
    "trials": {
        "intervals_0": "start",
        "intervals_1": "end",
        "stimOn_times": "stim_on_time",
        "stimOff_times": "stim_off_time",
        "goCue_times": "go_cue_time",
        "firstMovement_times": "movement_onset_time",
        "response_times": "response_time",
        "feedback_times": "feedback_time",
        "feedbackType": "feedback_type",
        "rewardVolume": "reward_volume",
        "contrastLeft": "contrast_left",
        "contrastRight": "contrast_right",
        "probabilityLeft": "probability_left",
        "choice": "choice",
        "block": "probability_left",
    },
    "units": {
        "uuid": "id",
        "probe": "probe_id",
        "acronym": "region_allen",
        "beryl": "region_beryl",
        "cosmos": "region_cosmos",
        "depth_um": "depths",
        "channel": "channels",
        "label": "label",
    },
    "values": {
        "choice": {"0": "right", "1": "left", "2": ""},
        "reward": {"0": "no", "1": "yes"},
        "stimulus_contrast": {"0": "0", "1": "0.0625", "2": "0.125", "3": "0.25", "4": "1"},
    },
}
"""As brainbench-org/ibl-bwb, ibl_brain_wide_bench_2026/pipeline.py writes it."""


class FileMappings(Settings):
    """The mapping of each format: a block of the configuration, called as the source is."""

    nwb: NwbMapping = Field(default_factory=NwbMapping)
    brainsets: BrainsetsMapping = Field(default_factory=BrainsetsMapping)


MAPPINGS: dict[str, type[FileMapping]] = {name: type(mapping) for name, mapping in FileMappings()}


if TYPE_CHECKING:
    FormatName = str
else:
    FormatName = Literal[*MAPPINGS]


class ConvertRun(Settings):
    """Everything but the file that determines a conversion."""

    modalities: list[Modality]
    """Registry entries of one value per trial, of which the columns of the categorical ones are written as class names; and
    of continuous series, whose units count."""
    mapping: dict[str, Any] = {}
    """Values of the mapping of the file's format."""

    def units(self) -> dict[str, str]:
        """The unit of each trace of a raw file that has one of its own."""
        return RAW_UNITS | {
            modality.name: modality.unit for modality in self.modalities if modality.kind == "continuous"
        }

    def per_trial(self) -> list[Modality]:
        return [modality for modality in self.modalities if modality.per_trial]
