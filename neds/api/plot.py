"""Sessions and predictions on a matplotlib Axes. Shapes: K trials, T bins, N units."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from neds.errors import UserError
from neds.figures.comparison import Comparison
from neds.figures.psths import plot_psth
from neds.figures.raster import deviations, plot_raster
from neds.figures.traces import plot_traces
from neds.files.aligned import AlignedSession


def traces(
    ax: Axes,
    session: AlignedSession,
    modality: str,
    *,
    trials: Sequence[int] = range(5),
    predicted: Mapping[str, np.ndarray] | None = None,
    column: int = 0,
) -> pd.DataFrame:
    """Draw a continuous modality in a few trials, one after the other.

    Args:
        trials: indices in the session.
        predicted: arrays (K, T, width) of all K trials of the session by what to call them, e.g.
            {"model": model.decode(session)["wheel_speed"]}.
        column: of a modality of several values per bin.

    Returns:
        What was drawn: trial, time_s, series, value.

    Raises:
        UserError: the session has no continuous modality of that name.
    """
    kind = session.modalities[modality].kind if modality in session.modalities else "none of the session's"
    if kind != "continuous":
        raise UserError(f"{modality}: is {kind}; traces are of continuous modalities")
    chosen = np.asarray(trials)
    drawn = plot_traces(
        ax,
        time_s=_all_trials(session).time_s,
        truth=session.values[modality][chosen][..., column],
        predicted={name: values[chosen][..., column] for name, values in (predicted or {}).items()},
        trial_names=[str(trial) for trial in chosen],
    )
    ax.set_xlabel("trial")
    ax.set_ylabel(f"{session.modalities[modality].title} ({session.modalities[modality].unit or 'a.u.'})")
    return drawn


def psth(
    ax: Axes,
    session: AlignedSession,
    unit: int,
    *,
    by: str | None = None,
    predicted: Mapping[str, np.ndarray] | None = None,
    modality: str = "spikes",
) -> pd.DataFrame:
    """Draw the firing rate of a unit averaged over trials, in spikes per second.

    Args:
        unit: its column in `session.values[modality]`.
        by: a categorical modality or column of `session.trials` whose values are averaged apart.
        predicted: arrays (K, T, N) of expected spikes per bin of all K trials of the session by what to call them, e.g.
            {"model": model.encode(session)["spikes"]}.

    Returns:
        What was drawn: group, n_trials, series, time_s, rate_hz, sem_hz.
    """
    shown = _all_trials(session)
    drawn = plot_psth(
        ax,
        time_s=shown.time_s,
        truth_hz=session.values[modality][..., unit] / session.bin_s,
        predicted_hz={name: rates[..., unit] / session.bin_s for name, rates in (predicted or {}).items()},
        groups=shown.groups(by) if by else None,
    )
    _label_time(ax, shown)
    ax.set_ylabel("rate (spikes/s)")
    return drawn


def raster(ax: Axes, session: AlignedSession, rates: np.ndarray, unit: int) -> None:
    """Draw what each trial of a unit differs by from the average of its condition, in spikes per second.

    Args:
        rates: (K, T, N) spikes, or expected spikes, per bin of all K trials of the session.
        unit: the column to draw.

    Raises:
        UserError: the session has no conditions.
    """
    if not session.has_conditions:
        raise UserError(f"session {session.eid} has no conditions to average over")
    shown = _all_trials(session)
    differing = deviations(rates[..., [unit]] / session.bin_s, shown.condition)[..., 0]
    largest_hz = float(np.percentile(np.abs(differing), 99)) or 1.0
    image = plot_raster(ax, differing, time_s=shown.time_s, largest_hz=largest_hz)
    if ax.figure is not None:
        ax.figure.colorbar(image, ax=ax, label="difference (spikes/s)")
    _label_time(ax, shown)
    ax.set_ylabel("trial")


def _all_trials(session: AlignedSession) -> Comparison:
    return Comparison(session, np.arange(session.n_trials), {})


def _label_time(ax: Axes, shown: Comparison) -> None:
    ax.set_xlabel(f"time from {shown.event} (s)")
