"""The checks of a finished submission, before anybody uploads it.

They are those of the benchmark's server (int-brain-lab/app-brain-wide-bench at 0fe50e0, `validate_submission.py`), written
afresh, and what its scorer would pass over: trials, windows and units that are missing.
"""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from neds.benchmark.archive import Entry, decoded, read_archive
from neds.benchmark.protocol import REGION_TASK, REGIONS, SELECTED, TASKS, UNIT_FILTERING, UNIT_TASKS
from neds.benchmark.settings import FEWEST_SEEDS
from neds.errors import UserError

_PATH = re.compile(r"(?P<label>[^/]+)/(?P<task>[^/]+)/(?:(?P<recording>[^/]+)/)?seed_(?P<seed>[0-9]+)\.safetensors")
_MOST_SHOWN = 5
_COMMON = ("label", "task", "seed", "unit_filtering", "dataset_version")


def require_sound(submission: Path, ground_truth: Path) -> None:
    """
    Raises:
        UserError: what is wrong with a submission, one line a fault, the first of them.
    """
    faults = submission_faults(submission, ground_truth)
    if faults:
        more = [f"and {len(faults) - _MOST_SHOWN} more faults"] if len(faults) > _MOST_SHOWN else []
        raise UserError("\n".join(f"{submission}: {line}" for line in [*faults[:_MOST_SHOWN], *more]))


def submission_faults(submission: Path, ground_truth: Path) -> list[str]:
    """Everything that the server, or a careful reader, would refuse."""
    truths = {entry.path.removesuffix("/ground_truth.safetensors"): entry for entry in read_archive(ground_truth)}
    faults: list[str] = []
    seeds: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    labels = set()
    for entry in read_archive(submission):
        found = _PATH.fullmatch(entry.path)
        if found is None:
            faults.append(f"{entry.path}: no file of a submission")
            continue
        labels.add(found["label"])
        seeds[found["task"]][found["recording"] or ""].add(int(found["seed"]))
        place = "/".join(part for part in (found["task"], found["recording"]) if part)
        faults += [f"{entry.path}: {fault}" for fault in _faults(entry, found, truths.get(place))]
    if len(labels) != 1:
        faults.append(f"{len(labels)} labels; a submission has one")
    for task, by_recording in seeds.items():
        faults += _seed_faults(task, by_recording)
        wanted = {place.partition("/")[2] for place in truths if place.partition("/")[0] == task}
        faults += [f"{task}: nothing of recording {eid}" for eid in sorted(wanted - by_recording.keys())]
    return faults


def _seed_faults(task: str, by_recording: dict[str, set[int]]) -> list[str]:
    first = next(iter(by_recording.values()))
    if any(own != first for own in by_recording.values()):
        return [f"{task}: other seeds in one recording than in another"]
    if len(first) < FEWEST_SEEDS:
        return [f"{task}: {len(first)} seeds, at least {FEWEST_SEEDS} are needed; name them under the config key seeds"]
    if max(first) - min(first) + 1 != len(first):
        return [f"{task}: seeds {sorted(first)} do not follow one another"]
    return []


def _faults(entry: Entry, found: re.Match[str], truth: Entry | None) -> list[str]:
    header = entry.header
    faults = [f"its header has no {name}" for name in _COMMON if not header.get(name)]
    if header.get("unit_filtering") not in UNIT_FILTERING:
        faults.append(f"unit_filtering is {header.get('unit_filtering')}")
    if not re.fullmatch(r"\d+\.\d+\.\d+", header.get("dataset_version", "")):
        faults.append(f"dataset_version {header.get('dataset_version')!r} is no x.y.z")
    told = {"label": found["label"], "task": found["task"], "seed": found["seed"]}
    told |= {"recording_id": found["recording"]} if found["recording"] else {}
    faults += [
        f"its header says {name} {header.get(name)!r}" for name, text in told.items() if header.get(name) != text
    ]
    if truth is None:
        return [*faults, "there is no truth to score it by"]
    if found["task"].startswith("ts1-"):
        return faults + _decoding_faults(entry, found["task"], truth)
    if header.get("unit_filtering") != SELECTED:
        faults.append(f"unit_filtering is {header.get('unit_filtering')}, of this suite it must be {SELECTED}")
    if found["task"] in UNIT_TASKS.values():
        return faults + _unit_task_faults(entry, truth)
    return faults + (_region_faults(entry, truth) if found["task"] == REGION_TASK else ["is of no task"])


def _decoding_faults(entry: Entry, task: str, truth: Entry) -> list[str]:
    if absent := _absent(entry, "predictions", "trial_id"):
        return absent
    spec = TASKS[task.removeprefix("ts1-")]
    values, trial_id = entry.tensors["predictions"], entry.tensors["trial_id"]
    n_steps = 1 if spec.kind == "classes" else truth.tensors["values"].shape[1]
    faults = []
    if values.shape != (len(trial_id), n_steps, spec.n_outputs) or values.dtype != np.float32:
        faults.append(f"predictions are {values.dtype} {values.shape}")
    if trial_id.dtype != np.int64 or len(np.unique(trial_id)) != len(trial_id):
        faults.append("trial_id holds numbers twice, or is not of 64 bits")
    faults += _not_finite(values)
    return faults + _unlike("trials", trial_id, truth.tensors["trial_id"])


def _unit_task_faults(entry: Entry, truth: Entry) -> list[str]:
    if absent := _absent(entry, "predictions", "window_timestamps", "unit_ids"):
        return absent
    values, starts_s = entry.tensors["predictions"], entry.tensors["window_timestamps"]
    faults = [f"its header has no {name}" for name in ("context_window", "bin_size") if not entry.header.get(name)]
    if values.shape != truth.tensors["targets"].shape or values.dtype != np.float16:
        faults.append(f"predictions are {values.dtype} {values.shape}, not float16 {truth.tensors['targets'].shape}")
    if starts_s.dtype != np.float64 or len(np.unique(starts_s)) != len(starts_s):
        faults.append("window_timestamps holds times twice, or is not of 64 bits")
    faults += _not_finite(values)
    # The scorer takes columns as they stand, so that their order counts.
    if decoded(entry.tensors["unit_ids"]) != decoded(truth.tensors["unit_ids"]):
        faults.append("unit_ids are others than those that are scored, or in another order")
    return faults + _unlike("windows", starts_s, truth.tensors["window_timestamps"])


def _region_faults(entry: Entry, truth: Entry) -> list[str]:
    if absent := _absent(entry, "pred_proba", "entity_ids"):
        return absent
    values, units = entry.tensors["pred_proba"], decoded(entry.tensors["entity_ids"])
    faults = _not_finite(values)
    if values.shape != (len(units), len(REGIONS)) or values.dtype != np.float32:
        faults.append(f"pred_proba is {values.dtype} {values.shape}")
    if entry.header.get("label_names") != ",".join(REGIONS):
        faults.append(f"label_names is {entry.header.get('label_names')}")
    if len(set(units)) != len(units):
        faults.append("entity_ids holds units twice")
    return faults + _unlike("units", np.array(units), np.array(decoded(truth.tensors["entity_ids"])))


def _absent(entry: Entry, *names: str) -> list[str]:
    absent = sorted(set(names) - entry.tensors.keys())
    return [f"has no {', '.join(absent)}"] if absent else []


def _not_finite(values: np.ndarray) -> list[str]:
    number = np.count_nonzero(~np.isfinite(values))
    return [f"{number} predictions are not finite"] if number else []


def _unlike(what: str, found: np.ndarray, scored: np.ndarray) -> list[str]:
    """A fault for trials, windows or units that are scored and missing, and for others; bit by bit."""
    sides = (("missing", np.setdiff1d(scored, found)), ("not scored", np.setdiff1d(found, scored)))
    return [
        f"{what} {', '.join(map(str, own[:_MOST_SHOWN]))} are {which} ({len(own)} of {len(scored)})"
        for which, own in sides
        if len(own)
    ]
