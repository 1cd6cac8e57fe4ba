"""Pupil and paws of one session, from what was tracked in the video of the left camera.

Shapes: n frames.
"""

import numpy as np
import pandas as pd
from brainbox.io.one import SessionLoader

from neds.download.session_files import SessionFiles, Unavailable
from neds.files.raw import Trace

LEAST_LIKELIHOOD = 0.9
LONGEST_GAP_S = 0.25
"""Where a paw is lost for longer, its speed is unknown."""
PAWS = {"left_paw_speed": "paw_l", "right_paw_speed": "paw_r"}


def load_pupil(files: SessionFiles) -> Trace:
    """The smoothed diameter of the pupil in pixels.

    Raises:
        Unavailable: datasets missing or misfitting, or a pupil that was tracked too badly: a variance of the smoothed
            trace below 5 times that of what smoothing removed, which is the limit of the IBL's loader.
    """
    files.fetch("leftCamera", needed=("times", "features"), attribute=["times", "features"])
    loader = SessionLoader(one=files.one, eid=files.eid, revision=files.revision or "")
    try:
        loader.load_pupil()
    except ValueError as error:
        raise Unavailable(f"the pupil cannot be used ({error})") from None
    return Trace(loader.pupil["times"].to_numpy(), loader.pupil["pupilDiameter_smooth"].to_numpy())


def load_paw_speeds(files: SessionFiles, tracker: str) -> dict[str, Trace]:
    """Speeds in pixels per second of both paws, as the `tracker` ("dlc" or "lightningPose") names them in the left video.

    Raises:
        Unavailable: datasets missing, or ones that do not fit together.
    """
    files.fetch("leftCamera", needed=("times", tracker), attribute=["times", tracker])
    loader = SessionLoader(one=files.one, eid=files.eid, revision=files.revision or "")
    try:
        loader.load_pose(views=["left"], tracker=tracker, likelihood_thr=LEAST_LIKELIHOOD)
        return {name: _speed(loader.pose["leftCamera"], point) for name, point in PAWS.items()}
    except (ValueError, KeyError) as error:
        raise Unavailable(f"the tracked paws cannot be used ({error})") from None


def _speed(pose: pd.DataFrame, point: str) -> Trace:
    """Distance over time between neighbouring frames in which the point is known, at the middle between them."""
    known = pose[["times", f"{point}_x", f"{point}_y"]].dropna().to_numpy(np.float64)
    if len(known) < 2:
        raise ValueError(f"{point} is known in {len(known)} frames")
    times, positions = known[:, 0], known[:, 1:]
    step_s = np.diff(times)
    if not (step_s > 0).all():
        raise ValueError("the camera times do not ascend")
    speed = np.hypot(*np.diff(positions, axis=0).T) / step_s
    return Trace(times[:-1] + step_s / 2, np.where(step_s > LONGEST_GAP_S, np.nan, speed))
