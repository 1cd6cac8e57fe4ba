"""Trials, wheel, licks and motion energy of one session, as the IBL's SessionLoader reads them."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from one.alf.io import load_object
from one.alf.path import ALFPath

from neds.download.frames import frame_times
from neds.download.session_files import SessionFiles, Unavailable
from neds.files.raw import Trace
from neds.signals.clock import ClockFault, trace_in_order
from neds.signals.stretches import merged, sampled
from neds.signals.wheel import NoVelocity, wheel_traces
from neds.words import counted

LICK_VIEWS = ("left", "right")
UNUSED = "itiDuration"
"""Attribute of the trials whose length is often another, and which nothing needs."""


def find_trials(files: SessionFiles) -> list[ALFPath]:
    """The datasets of the trials.

    Raises:
        Unavailable: there are none.
    """
    return files.find("trials", collection=files.collection_of("_ibl_trials.table.pqt", default="alf"))


def load_trials(files: SessionFiles) -> tuple[pd.DataFrame, str]:
    """The trials table, one row per trial, and a remark, often empty.

    Numbers are float64, yes/no columns bool, other columns left out. There are as many trials as the table has rows,
    or, where there is no table, as most of the datasets have; datasets of another length are left out, with the
    remark.

    Raises:
        Unavailable: no trials, or no length that most datasets have.
    """
    found = find_trials(files)
    files.use(found)
    # By name, as attributes may be there twice, on two clocks (intervals, intervals_bpod).
    datasets = {file.stem.split(".", 1)[1]: file for file in found}
    lengths = {name: _n_rows(file) for name, file in datasets.items() if name != UNUSED}
    n_trials = lengths.get("table")
    if n_trials is None:
        common = Counter(lengths.values()).most_common(2)
        if len(common) == 2 and common[0][1] == common[1][1]:
            described = ", ".join(f"{name} {n}" for name, n in sorted(lengths.items()))
            raise Unavailable(f"the trials datasets do not fit together (rows: {described})")
        n_trials = common[0][0] if common else 0
    left_out = {name: n for name, n in sorted(lengths.items()) if n != n_trials}
    loaded = load_object([file for name, file in datasets.items() if lengths.get(name) == n_trials])
    trials = loaded.to_df()
    if trials.empty:
        raise Unavailable("the trials table is empty")
    # A single text or yes/no column makes ALF's table reader return every column as objects.
    trials = trials.infer_objects().select_dtypes(["number", "bool"])
    described = ", ".join(f"{name} ({counted(n, 'row')})" for name, n in left_out.items())
    remark = (
        f"{described} left out, as there {'is' if n_trials == 1 else 'are'} {counted(n_trials, 'trial')}"
        if left_out
        else ""
    )
    return trials.astype(dict.fromkeys(trials.select_dtypes("number"), np.float64)), remark


def _n_rows(file: Path) -> int:
    if file.suffix == ".npy":
        return len(np.load(file, mmap_mode="r", allow_pickle=False))
    return pq.read_metadata(file).num_rows if file.suffix == ".pqt" else len(pd.read_csv(file))


def find_wheel(files: SessionFiles) -> list[ALFPath]:
    """The datasets of the wheel.

    Raises:
        Unavailable: one is missing.
    """
    collection = files.collection_of("_ibl_wheel.position.npy", default="alf")
    return files.find("wheel", needed=("position", "timestamps"), collection=collection)


def load_wheel(files: SessionFiles) -> tuple[dict[str, Trace], str]:
    """`wheel_position` (rad) and `wheel_velocity` (rad/s, low-pass filtered at 20 Hz), both at 1 kHz, and a remark.

    Raises:
        Unavailable: no wheel datasets, ones that do not fit together, times that go back, or too few positions.
    """
    datasets = files.use(find_wheel(files))
    loaded = load_object([datasets[name] for name in ("position", "timestamps")])
    position, times = np.asarray(loaded["position"]), np.asarray(loaded["timestamps"])
    if len(position) != len(times):
        raise Unavailable(
            f"the wheel datasets cannot be used ({counted(len(position), 'position')} at {counted(len(times), 'time')})"
        )
    try:
        trace, remarks = trace_in_order(times, position)
        traces, unknown = wheel_traces(trace)
    except (ClockFault, NoVelocity) as fault:
        raise Unavailable(f"the wheel datasets cannot be used ({fault})") from None
    return traces, "; ".join([*remarks, *unknown])


def find_licks(files: SessionFiles) -> list[ALFPath]:
    """The dataset of the licks.

    Raises:
        Unavailable: there is none.
    """
    return files.find("licks", needed=("times",), collection="alf")


def load_licks(files: SessionFiles) -> tuple[Trace, str]:
    """The times of the licks, each with the value 1, and a remark.

    Licks are found in the videos of the two side cameras: they would have been seen while either had frames.

    Raises:
        Unavailable: no lick times, or times that go back.
    """
    datasets = files.use(find_licks(files))
    times = np.load(datasets["times"], allow_pickle=False)
    try:
        trace, remarks = trace_in_order(times, np.ones(len(times), np.float32))
    except ClockFault as fault:
        raise Unavailable(f"the licks cannot be used ({fault})") from None
    watched = []
    for view in LICK_VIEWS:
        with suppress(Unavailable):
            times = np.load(files.use(find_frame_times(files, view))["times"], allow_pickle=False)
            watched.append(sampled(times.astype(np.float64)))
    if not watched:
        return trace, "; ".join([*remarks, "without camera times it is not known when there was no video"])
    return replace(trace, observed_s=merged(np.concatenate(watched))), "; ".join(remarks)


def find_frame_times(files: SessionFiles, view: str) -> list[ALFPath]:
    """The dataset of the times of a camera's frames.

    Raises:
        Unavailable: there is none.
    """
    return files.find(f"{view}Camera", needed=("times",), attribute=["times"])


def find_whisker_motion_energy(files: SessionFiles, view: str) -> list[ALFPath]:
    """The datasets of the whisker pad's motion energy in the `view` ("left" or "right") camera.

    Raises:
        Unavailable: one is missing.
    """
    needed = ("times", "ROIMotionEnergy")
    return files.find(f"{view}Camera", needed=needed, attribute=list(needed))


def load_whisker_motion_energy(files: SessionFiles, view: str, *, most_surplus_s: float) -> tuple[Trace, str]:
    """Motion energy (a.u.) of the whisker pad in the `view` ("left" or "right") camera, and a remark, often empty.

    NaN values are kept. Camera times in excess of the frames are treated as `frame_times` says.

    Raises:
        Unavailable: datasets missing, or camera times that cannot be used.
    """
    datasets = files.use(find_whisker_motion_energy(files, view))
    energy = np.load(datasets["ROIMotionEnergy"], allow_pickle=False)
    times, remarks = frame_times(datasets["times"], len(energy), most_surplus_s=most_surplus_s)
    try:
        trace, lost = trace_in_order(times, energy)
    except ClockFault as fault:
        raise Unavailable(f"the camera cannot be used ({fault})") from None
    if not len(trace.times):
        raise Unavailable("the camera cannot be used (no frame has a time)")
    return trace, "; ".join([*remarks, *lost])
