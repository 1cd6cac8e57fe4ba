"""Which view of a configuration has the windows of which of the benchmark's tasks."""

from neds.benchmark.protocol import TASKS, TEST_DOMAIN, UNIT_TEST_DOMAIN, UNIT_WINDOWS, WINDOW_S, Task
from neds.config.schema import Config
from neds.partition.settings import PartitionSettings


def views_of_tasks(config: Config) -> dict[str, str]:
    """The view of each task of the first suite that has one; "" where there are no views."""
    return {name: view for name, task in TASKS.items() if (view := _view_of(config, task)) is not None}


def unit_view(config: Config) -> str | None:
    """The view that is cut into the windows of the second suite; None where there is none."""
    return next((view for view, cut in config.cuttings().items() if has_unit_windows(cut)), None)


def has_unit_windows(cut: PartitionSettings) -> bool:
    """Whether recordings are cut into windows like those of the second suite, to be tested in its domain."""
    return (
        cut.cuts_windows
        and abs(cut.window_end_s - WINDOW_S) < 1e-6
        and cut.window_intervals[:1] == [UNIT_WINDOWS]
        and tests_on(cut, UNIT_TEST_DOMAIN)
    )


def tests_on(cut: PartitionSettings, domain: str) -> bool:
    """Whether the test trials are those of a domain of the file."""
    return cut.split == "file" and cut.split_intervals.get("test", [])[:1] == [domain]


def _view_of(config: Config, task: Task) -> str | None:
    for view, cut in config.cuttings().items():
        window = (cut.align, round(cut.window_start_s, 6), round(cut.window_end_s, 6))
        is_cut_so = window == (task.align, task.start_s, task.end_s) and tests_on(cut, TEST_DOMAIN)
        if is_cut_so and task.target in config.modalities_of(view):
            return view
    return None
