"""Trials, wheel, licks and motion energy of one session, through ibllib's SessionLoader."""

import numpy as np
import pandas as pd
from brainbox.io.one import SessionLoader

from neds.download.session_files import SessionFiles, Unavailable
from neds.files.raw import Trace

WHEEL_RATE_HZ = 1000


def load_trials(files: SessionFiles) -> pd.DataFrame:
    """The trials table, one row per trial; numbers as float64, yes/no columns as bool, other columns left out.

    Raises:
        Unavailable: no trials, or trials datasets that do not fit together.
    """
    collection = files.collection_of("_ibl_trials.table.pqt", default="alf")
    files.fetch("trials", collection=collection)
    loader = _loader(files)
    try:
        loader.load_trials(collection=collection)
    except ValueError as error:
        raise Unavailable(f"the trials datasets do not fit together ({error})") from None
    if loader.trials.empty:
        raise Unavailable("the trials table is empty")
    # A single text or yes/no column makes ALF's table reader return every column as objects.
    trials = loader.trials.infer_objects().select_dtypes(["number", "bool"])
    return trials.astype(dict.fromkeys(trials.select_dtypes("number"), np.float64))


def load_wheel(files: SessionFiles) -> dict[str, Trace]:
    """`wheel_position` (rad) and `wheel_velocity` (rad/s, low-pass filtered at 20 Hz), both at 1 kHz.

    Raises:
        Unavailable: no wheel datasets, or ones that SessionLoader refuses.
    """
    collection = files.collection_of("_ibl_wheel.position.npy", default="alf")
    files.fetch("wheel", needed=("position", "timestamps"), collection=collection)
    loader = _loader(files)
    try:
        loader.load_wheel(fs=WHEEL_RATE_HZ, collection=collection)
    except ValueError as error:
        raise Unavailable(f"the wheel datasets cannot be used ({error})") from None
    wheel = loader.wheel
    # SessionLoader's float32 clock is off by up to half a sample late in a session; the samples are evenly spaced.
    times = float(wheel["times"].iloc[0]) + np.arange(len(wheel)) / WHEEL_RATE_HZ
    return {
        "wheel_position": Trace(times=times, values=wheel["position"].to_numpy()),
        "wheel_velocity": Trace(times=times, values=wheel["velocity"].to_numpy()),
    }


def load_licks(files: SessionFiles) -> Trace:
    """The times of the licks, each with the value 1.

    Raises:
        Unavailable: no lick times, or times that do not ascend.
    """
    datasets = files.fetch("licks", needed=("times",), collection="alf")
    times = np.load(datasets["times"], allow_pickle=False).astype(np.float64)
    if not (np.diff(times) >= 0).all():
        raise Unavailable("the lick times do not ascend")
    return Trace(times=times, values=np.ones(len(times), np.float32))


def load_whisker_motion_energy(files: SessionFiles, view: str) -> tuple[Trace, str]:
    """Motion energy (a.u.) of the whisker pad in the `view` ("left" or "right") camera, and a remark, often empty.

    NaN values are kept. Camera times in excess of the frames are dropped from the start, as the IBL does.

    Raises:
        Unavailable: datasets missing, fewer times than frames, or times that do not ascend.
    """
    needed = ("times", "ROIMotionEnergy")
    datasets = files.fetch(f"{view}Camera", needed=needed, attribute=list(needed))
    n_times, n_frames = (len(np.load(datasets[name], mmap_mode="r", allow_pickle=False)) for name in needed)
    loader = _loader(files)
    try:
        loader.load_motion_energy(views=[view])
    except ValueError as error:
        raise Unavailable(f"the camera datasets do not fit together ({error})") from None
    frames = loader.motion_energy[f"{view}Camera"]
    times = frames["times"].to_numpy()
    if len(times) == 0:
        raise Unavailable("the camera has no frames")
    if not (np.diff(times) >= 0).all():
        raise Unavailable("the camera times do not ascend")
    surplus = n_times - n_frames
    remark = f"{surplus} camera times in excess of the frames were dropped from the start" if surplus else ""
    return Trace(times=times, values=frames["whiskerMotionEnergy"].to_numpy()), remark


def _loader(files: SessionFiles) -> SessionLoader:
    return SessionLoader(one=files.one, eid=files.eid, revision=files.revision or "")
