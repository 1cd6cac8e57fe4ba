"""The times of a camera's frames."""

from pathlib import Path

import numpy as np

from neds.download.session_files import Unavailable
from neds.words import counted


def frame_times(file: Path, n_frames: int, *, most_surplus_s: float) -> tuple[np.ndarray, list[str]]:
    """Times (n_frames,) in seconds of the frames of a video, and remarks.

    Of a few more times than frames the first are dropped, as the IBL does: the first frames of a video are sometimes
    not saved.
    Of many nobody knows which end is too much.

    Args:
        file: the times, of as many frames or more.
        most_surplus_s: longest time that the surplus may last.

    Raises:
        Unavailable: no frames, fewer times than frames, or a longer surplus.
    """
    times = np.load(file, allow_pickle=False).astype(np.float64)
    if n_frames == 0 or len(times) == 0:
        raise Unavailable("the camera has no frames")
    surplus = len(times) - n_frames
    if surplus < 0:
        raise Unavailable(
            f"the camera times are shorter than video data ({counted(len(times), 'time')}, {counted(n_frames, 'frame')})"
        )
    if surplus == 0:
        return times, []
    lasts_s = surplus * float(np.nanmedian(np.diff(times)))
    if lasts_s > most_surplus_s:
        raise Unavailable(
            f"{counted(surplus, 'camera time')} ({lasts_s:.1f} s) in excess of the frames, more than "
            "download.most_surplus_s; whether the "
            "video begins late or ends early is not known"
        )
    return times[surplus:], [f"{counted(surplus, 'camera time')} in excess of the frames dropped from the start"]
