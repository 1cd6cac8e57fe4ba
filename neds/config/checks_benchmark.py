"""Checks of a submission to BrainWideBench."""

from collections.abc import Iterator

from neds.benchmark.protocol import (
    BIN_S,
    LONGEST_CONTEXT_S,
    TASKS,
    TEST_DOMAIN,
    UNIT_TASKS,
    UNIT_TEST_DOMAIN,
    UNIT_WINDOWS,
    WINDOW_S,
    evaluation_sessions,
)
from neds.benchmark.settings import FEWEST_SEEDS
from neds.config.benchmark_views import has_unit_windows, tests_on, unit_view, views_of_tasks
from neds.config.checked import Checked
from neds.config.possible import of_task
from neds.config.schema import Config
from neds.run import Run

_WINDOWS = {(task.align, task.start_s, task.end_s) for task in TASKS.values()}


def benchmark_faults(checked: Checked) -> list[str]:
    config = checked.config
    if config.benchmark.label is None:
        return _unused_faults(config)
    if config.benchmark.label == "ground_truth":
        return ["config key benchmark.label: ground_truth is the name of another file of a submission; choose another"]
    return [*_seed_faults(config), *_model_faults(config), *_leaks(checked), *_protocol_faults(config)]


def _unused_faults(config: Config) -> list[str]:
    default = type(config.benchmark)()
    unused = [key for key, value in config.benchmark if value != getattr(default, key)]
    return [
        f"config key benchmark.{key}: is of a submission, and there is none; name it under benchmark.label, or remove {key}"
        for key in unused
    ]


def _seed_faults(config: Config) -> Iterator[str]:
    seeds = sorted(config.seeds)
    if len(seeds) < FEWEST_SEEDS or seeds != list(range(seeds[0], seeds[0] + len(seeds))):
        yield (
            f"config key seeds: BrainWideBench takes {FEWEST_SEEDS} seeds or more that follow one another, e.g. [43, 44, 45]"
        )
    if "all" not in config.train_trials:
        yield "config key train_trials: models of all trials are submitted to BrainWideBench; add all"


def _model_faults(config: Config) -> Iterator[str]:
    if (label := config.benchmark.model) is None:
        if set(config.modes) == {"encoding"}:
            yield "config key modes: an encoding model decodes nothing for BrainWideBench; add mm or decoding"
        return
    run = Run.parse(label)
    there = run is not None and run.mode in config.modes and run.regime in config.regimes
    known = (
        there
        and run is not None
        and run.label == label
        and run.mode != "encoding"
        and not (run.trials or run.is_ensemble)
    )
    if not known or (run is not None and run.regime == "finetuned" and run.pretraining_set not in config.sets_in_use):
        yield (
            f"config key benchmark.model: {label} is no model of this configuration that decodes; take e.g. "
            f"neds-{config.modes[0]}-{config.regimes[0]}{'-all' if config.regimes[0] == 'finetuned' else ''}"
        )


def _leaks(checked: Checked) -> Iterator[str]:
    """Sessions that models would be pretrained on and are evaluated. Those of role test never are."""
    if "finetuned" not in checked.config.regimes:
        return
    train = {session.recording for session in checked.sessions if session.role == "train"}
    if leaked := sorted(eid for eid in train if eid.lower() in evaluation_sessions()):
        yield (
            f"sessions: {', '.join(leaked[:3])}{', ...' if len(leaked) > 3 else ''} of role train: BrainWideBench evaluates "
            "them, so that no model may be pretrained on them; give them role test, or take them off the sheet"
        )


def _protocol_faults(config: Config) -> Iterator[str]:
    if config.source != "brainsets":
        yield f"config key benchmark: files of BrainWideBench are of source brainsets, this is {config.source}"
        return
    if abs(config.partition.bin_s - BIN_S) > 1e-9:
        yield f"config key partition.bin_s: bins of the benchmark are of {BIN_S:g} s"
    cuttings = config.cuttings()
    if max(cut.context_s for cut in cuttings.values()) > LONGEST_CONTEXT_S:
        yield f"config key partition.context_s: the benchmark allows {LONGEST_CONTEXT_S:g} s of context at most"
    windows_view = unit_view(config)
    if windows_view is not None and cuttings[windows_view].n_context:
        key = f"views.{windows_view}" if windows_view else "partition"
        yield f"config key {key}.context_s: windows of the benchmark's second suite have no context; set it to 0 there"
    for view, cut in cuttings.items():
        key = f"views.{view}" if view else "partition"
        if (cut.align, round(cut.window_start_s, 6), round(cut.window_end_s, 6)) in _WINDOWS:
            if not tests_on(cut, TEST_DOMAIN):
                yield (
                    f"config key {key}.split_intervals: the benchmark tests on {TEST_DOMAIN}; with split file, set test to "
                    "it"
                )
            if cut.trace_values != "samples":
                yield (
                    "config key partition.trace_values: the benchmark scores samples as they stand in the file; set it to "
                    "samples"
                )
        elif cut.cuts_windows and not has_unit_windows(cut):
            yield (
                f"config key {key}: the benchmark's windows are of {WINDOW_S:g} s in {UNIT_WINDOWS}, tested on "
                f"{UNIT_TEST_DOMAIN}; set window_end_s, window_intervals and split_intervals to that, with split file"
            )
    if views_of_tasks(config):
        return
    if unit_view(config) is None:
        yield "config key views: none has the window of a task of the benchmark (docs/benchmark.md lists them)"
    elif not _does_unit_tasks(config):
        yield (
            "config key masking.weights: views have the windows of the second suite alone, and the model that is submitted "
            "does none of its tasks; submit one of mode mm with weights of units or future, and name the tasks in "
            "evaluation.tasks or leave that out"
        )


def _does_unit_tasks(config: Config) -> bool:
    run = Run.parse(config.benchmark.model) if config.benchmark.model else None
    is_multimodal = run.mode == "mm" if run else "mm" in config.modes
    return is_multimodal and any(of_task(name)(config) for name in UNIT_TASKS)
