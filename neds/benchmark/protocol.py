"""What BrainWideBench asks for: the tasks of its suites, and what every file of a submission says of itself.

From ibl-bwb-eval 0.1.0 and brainbench-org/ibl-bwb at 3c8cee9 (arXiv 2609.22064). Light: importing this imports no stage.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neds.evaluation.settings import UnitTaskName

FORMAT_VERSION = "0.1.0"
"""The version of ibl-bwb-eval whose format is written."""
BIN_S, N_BINS = 0.02, 50
WINDOW_S = BIN_S * N_BINS
LONGEST_CONTEXT_S = 19.0
"""Before a window, so that with it 20 s are read."""
TEST_DOMAIN = "ts1_test_domain"
UNIT_FILTERING = ("all_units", "selected_units", "custom", "mixed")
SELECTED = "selected_units"
"""The build that the second and the third suite take."""
_ALIGNED = "task_aligned_intervals"

UNIT_TEST_DOMAIN = "ts2_test_domain"
UNIT_WINDOWS = f"{_ALIGNED}/domain"
"""Windows of the second suite lie in the test domain and in these."""
HELD_OUT = "ts2_co_smoothing_is_held_out_test"
N_FORECAST = 5
"""Bins at the end of a window."""
UNIT_TASKS: dict[UnitTaskName, str] = {"co_smoothing": "ts2-co_smoothing", "forecasting": "ts2-forecasting"}
"""Id of each task of the second suite. Its windows begin every bin."""
UNIT_METRICS = {"poisson_d2": "poisson_d2", "bps": "bits_per_spike_pooled"}
"""The metrics of these by the benchmark's name, and the same among ours; the first is the primary one."""

REGION_TASK = "ts3-unit_cosmos"
REGIONS = ("CB", "CNU", "CTXsp", "HB", "HPF", "HY", "Isocortex", "MB", "OLF", "TH")
"""Classes of the third suite, in the order of the columns."""
REGION_METRIC = "macro/f1-score"
SCOPES = ("single", "multi")
"""Probabilities of each unit by itself, and their mean over units nearby; each a submission of its own."""
N_REGION_UNITS = 3222
"""Units that are scored in all evaluation sessions together."""


@dataclass(frozen=True)
class Task:
    """A decoding task.

    Attributes:
        name: as the benchmark calls it.
        target: the modality that it is.
        align, start_s, end_s: its window, around an event of the trials.
        interval: where a file has the windows of its trials.
        values: where a file has the values.
        kind: logits of classes (K, 1, n_outputs), a trace (K, 50, 1), or the logarithm of counts per bin (K, 50, 1).
        n_outputs: values in a bin.
        metric: the primary one, by the benchmark's name.
        own_metric: the same among ours.
        known: where a file says which samples count; empty where all do.
        normalised: where a file has the mean and standard deviation by which the target is z-scored; empty where it is raw.
    """

    name: str
    target: str
    align: str
    start_s: float
    end_s: float
    interval: str
    values: str
    kind: Literal["classes", "trace", "log_counts"]
    n_outputs: int = 1
    metric: str = "r2"
    own_metric: str = "r2"
    known: str = ""
    normalised: str = ""

    @property
    def id(self) -> str:
        return f"ts1-{self.name}"

    @property
    def series(self) -> str:
        """The time series that the values are of; empty for a value per trial."""
        return "" if self.kind == "classes" else self.values.partition("/")[0]


def _classes(name: str, align: str, start_s: float, end_s: float, n_classes: int) -> Task:
    place = f"{_ALIGNED}/{name}"
    return Task(
        *(name, name, align, start_s, end_s, place, f"{place}/{name}", "classes", n_classes),
        metric="bacc",
        own_metric="balanced_accuracy",
    )


def _moving(name: str, group: str, *, known: str = "", is_normalised: bool = True) -> Task:
    return Task(
        *(name, name, "firstMovement_times", 0.0, 1.0, f"{_ALIGNED}/movement_window", f"{group}/{name}", "trace"),
        known=known,
        normalised=f"ts1_normalize/{group}/{name}" if is_normalised else "",
    )


TASKS = {
    task.name: task
    for task in (
        _classes("choice", "firstMovement_times", -1.0, 0.0, 2),
        _classes("reward", "feedback_times", 0.0, 1.0, 2),
        _classes("stimulus_contrast", "stimOn_times", -0.9, 0.1, 5),
        _moving("whisker_motion_energy", "whisker"),
        _moving("wheel_speed", "wheel", is_normalised=False),
        _moving("right_paw_speed", "paws", known="paws/is_right_paw_confident"),
        _moving("left_paw_speed", "paws", known="paws/is_left_paw_confident"),
        Task(
            *("licking_rate", "licks", "feedback_times", 0.0, 1.0, f"{_ALIGNED}/licking_window", "licks/licking_rate"),
            "log_counts",
            metric="poisson_d2",
            own_metric="poisson_d2",
        ),
    )
}
"""The tasks of the first suite by name."""


def evaluation_sessions() -> frozenset[str]:
    """EIDs of the sessions that the benchmark evaluates, on which no submitted model may have been pretrained."""
    table = Path(__file__).with_name("evaluation_sessions.tsv").read_text(encoding="utf-8")
    return frozenset(table.split()[1:])
