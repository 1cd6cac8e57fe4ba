"""The checks of a finished submission, before anybody uploads it.

They are those of the benchmark's server (int-brain-lab/app-brain-wide-bench at 0fe50e0, `validate_submission.py`), written
afresh, and what its scorer would pass over: trials, windows and units that are missing.
"""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from neds.benchmark.archive import Entry, read_archive
from neds.benchmark.protocol import TASKS, UNIT_FILTERING
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
    return faults + _decoding_faults(entry, found["task"], truth)


def _decoding_faults(entry: Entry, task: str, truth: Entry) -> list[str]:
    if absent := {"predictions", "trial_id"} - entry.tensors.keys():
        return [f"has no {', '.join(sorted(absent))}"]
    spec = TASKS[task.removeprefix("ts1-")]
    values, trial_id = entry.tensors["predictions"], entry.tensors["trial_id"]
    n_steps = 1 if spec.kind == "classes" else truth.tensors["values"].shape[1]
    faults = []
    if values.shape != (len(trial_id), n_steps, spec.n_outputs) or values.dtype != np.float32:
        faults.append(f"predictions are {values.dtype} {values.shape}")
    if trial_id.dtype != np.int64 or len(np.unique(trial_id)) != len(trial_id):
        faults.append("trial_id holds numbers twice, or is not of 64 bits")
    if not np.isfinite(values).all():
        faults.append(f"{np.count_nonzero(~np.isfinite(values))} predictions are not finite")
    missing = np.setdiff1d(truth.tensors["trial_id"], trial_id)
    strange = np.setdiff1d(trial_id, truth.tensors["trial_id"])
    for what, trials in (("missing", missing), ("not scored", strange)):
        if len(trials):
            faults.append(f"trials {', '.join(map(str, trials[:_MOST_SHOWN]))} are {what}")
    return faults
