"""Pupil and paws of one session, from what was tracked in the video of the left camera.

Shapes: n frames.
"""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from brainbox.io.one import SessionLoader
from one.alf.path import ALFPath

from neds.download.frames import frame_times
from neds.download.session_files import SessionFiles, Unavailable
from neds.files.raw import Trace
from neds.signals.clock import ClockFault, trace_in_order

LEAST_LIKELIHOOD = 0.9
LONGEST_GAP_S = 0.25
"""Where a paw is lost for longer, its speed is unknown."""
PAWS = {"left_paw_speed": "paw_l", "right_paw_speed": "paw_r"}


def find_tracking(files: SessionFiles, tracked: str) -> list[ALFPath]:
    """The datasets of what was tracked in the left video: features (pupil), dlc or lightningPose (paws).

    Raises:
        Unavailable: one is missing.
    """
    return files.find("leftCamera", needed=("times", tracked), attribute=["times", tracked])


def load_pupil(files: SessionFiles, *, most_surplus_s: float) -> tuple[Trace, str]:
    """The smoothed diameter of the pupil in pixels, and a remark.

    Raises:
        Unavailable: datasets missing or misfitting, or a pupil that was tracked too badly: a variance of the smoothed
            trace below 5 times that of what smoothing removed, which is the limit of the IBL's loader.
    """
    datasets = files.use(find_tracking(files, "features"))
    features = pd.read_parquet(datasets["features"])
    times, remarks = frame_times(datasets["times"], len(features), most_surplus_s=most_surplus_s)
    loader = SessionLoader(one=files.one, eid=files.eid, revision=files.revision or "")
    try:
        loader.load_pupil()
        trace, lost = trace_in_order(times, loader.pupil["pupilDiameter_smooth"].to_numpy())
    except (ValueError, KeyError, ClockFault) as error:
        raise Unavailable(f"the pupil cannot be used ({error})") from None
    return trace, "; ".join([*remarks, *lost])


def load_paw_speeds(files: SessionFiles, tracker: str, *, most_surplus_s: float) -> tuple[dict[str, Trace], str]:
    """Speeds in pixels per second of both paws, as the `tracker` ("dlc" or "lightningPose") names them in the left video.

    Raises:
        Unavailable: datasets missing, or ones that do not fit together.
    """
    datasets = files.use(find_tracking(files, tracker))
    n_frames = pq.read_metadata(datasets[tracker]).num_rows
    _, remarks = frame_times(datasets["times"], n_frames, most_surplus_s=most_surplus_s)
    loader = SessionLoader(one=files.one, eid=files.eid, revision=files.revision or "")
    try:
        loader.load_pose(views=["left"], tracker=tracker, likelihood_thr=LEAST_LIKELIHOOD)
        speeds = {name: _speed(loader.pose["leftCamera"], point) for name, point in PAWS.items()}
    except (ValueError, KeyError, ClockFault) as error:
        raise Unavailable(f"the tracked paws cannot be used ({error})") from None
    return speeds, "; ".join(remarks)


def _speed(pose: pd.DataFrame, point: str) -> Trace:
    """Distance over time between neighbouring frames in which the point is known, at the middle between them."""
    known = pose[["times", f"{point}_x", f"{point}_y"]].dropna().to_numpy(np.float64)
    if len(known) < 2:
        raise ValueError(f"{point} is known in {len(known)} frames")
    trace, _ = trace_in_order(known[:, 0], known[:, 1:])
    first = np.concatenate([[True], np.diff(trace.times) > 0])
    times, positions = trace.times[first], trace.values[first]
    step_s = np.diff(times)
    speed = np.hypot(*np.diff(positions, axis=0).T) / step_s
    return Trace(times[:-1] + step_s / 2, np.where(step_s > LONGEST_GAP_S, np.nan, speed))
