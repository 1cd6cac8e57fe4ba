"""Behaviours of a raw recording as modality values: one recipe each, and their alignment to the bins of trials.

Shapes: K0 trials in the recording, K of them aligned, T bins.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neds.errors import UserError
from neds.files.raw import RawSession, Trace
from neds.modalities import BUILT_IN, CLASSES, Modality
from neds.partition.array_values import categorical
from neds.partition.binning import smallest_counts
from neds.partition.settings import PartitionSettings
from neds.partition.unusable import Unusable


@dataclass(frozen=True)
class Events:
    """What is counted: `times` (n,) in seconds, ascending."""

    times: np.ndarray


@dataclass(frozen=True)
class Measured:
    """What a recipe found: a trace on its own clock, events, or a class index (K0,) per trial, -1 where unknown.

    `source` names the trace or column it was made from.
    """

    source: str
    data: Trace | Events | np.ndarray


def download_problems(raw: RawSession) -> str:
    """What the download stage noted about absent data, as the end of a sentence; empty where it noted nothing."""
    problems = raw.provenance.get("problems")
    return f" ({'; '.join(f'{what}: {why}' for what, why in problems.items())})" if problems else ""


def _trace(raw: RawSession, name: str) -> Trace:
    trace = raw.traces.get(name)
    if trace is None or not len(trace.times):
        raise Unusable(f"no trace {name}{download_problems(raw)}")
    return trace


def _column(raw: RawSession, name: str) -> np.ndarray:
    if name not in raw.trials:
        raise Unusable(f"trials table without column {name}")
    return raw.trials[name].to_numpy()


def _wheel_speed(raw: RawSession, settings: PartitionSettings) -> Measured:
    velocity = _trace(raw, "wheel_velocity")
    return Measured("wheel_velocity", Trace(velocity.times, np.abs(velocity.values)))


def _whisker_motion_energy(raw: RawSession, settings: PartitionSettings) -> Measured:
    names = {camera: f"{camera}_whisker_motion_energy" for camera in ("left", "right")}
    camera = settings.whisker_camera
    if camera == "auto":
        camera = "left" if names["left"] in raw.traces or names["right"] not in raw.traces else "right"
    return Measured(names[camera], _trace(raw, names[camera]))


def _choice(raw: RawSession, settings: PartitionSettings) -> Measured:
    return Measured("trials.choice", _class_index(_column(raw, "choice"), [-1, 1]))


def _block(raw: RawSession, settings: PartitionSettings) -> Measured:
    probability = _column(raw, "probabilityLeft")
    return Measured("trials.probabilityLeft", _class_index(probability, _classes_as_numbers("block")))


def _reward(raw: RawSession, settings: PartitionSettings) -> Measured:
    return Measured("trials.feedbackType", _class_index(_column(raw, "feedbackType"), [-1, 1]))


def _contrast(raw: RawSession, settings: PartitionSettings) -> Measured:
    """Right less left contrast; that of the side where nothing was shown is NaN."""
    right, left = _column(raw, "contrastRight"), _column(raw, "contrastLeft")
    signed = np.where(np.isnan(right) & np.isnan(left), np.nan, np.nan_to_num(right) - np.nan_to_num(left))
    return Measured("trials.contrastRight, contrastLeft", _class_index(signed, _classes_as_numbers("contrast")))


def _classes_as_numbers(name: str) -> list[float]:
    return [float(label) for label in CLASSES[name]]


def _class_index(values: np.ndarray, classes: list[float]) -> np.ndarray:
    is_class = np.isclose(values[:, None], classes, rtol=0, atol=1e-6)
    return np.where(is_class.any(axis=1), is_class.argmax(axis=1), -1).astype(np.int8)


RECIPES: dict[str, Callable[[RawSession, PartitionSettings], Measured]] = {
    "wheel_speed": _wheel_speed,
    "whisker_motion_energy": _whisker_motion_energy,
    "choice": _choice,
    "block": _block,
    "reward": _reward,
    "contrast": _contrast,
}


def require_measured(modalities: dict[str, Modality], raw: RawSession) -> None:
    """Raise UserError for a modality that no raw file of this source holds, nor anything to compute it from."""
    known = {*BUILT_IN, *raw.traces, *raw.trials.columns, *raw.provenance.get("mapped", [])}
    unknown = [name for name in modalities if name not in known]
    if unknown:
        raise UserError(
            f"modalities: {', '.join(unknown)} cannot be computed from a recording; known are {', '.join(BUILT_IN)} "
            "(others need a trace or a column of trials so named in the raw file, or a recipe in "
            "neds/partition/behaviour.py, or source: aligned)"
        )


def measure(modality: Modality, raw: RawSession, settings: PartitionSettings) -> Measured:
    """A behaviour of the recording: the trace, or trials column of class names, that is named after it; else its recipe's.

    The sample times of the trace of a counts modality are what is counted.

    Raises:
        Unusable: the recording does not have it.
        UserError: it has another width, or a text that is no class.
    """
    name = modality.name
    if modality.kind == "continuous" and (name in raw.traces or name not in RECIPES):
        trace = _trace(raw, name)
        width = trace.values.shape[1] if trace.values.ndim > 1 else 1
        if modality.width not in (None, width):
            raise UserError(f"modalities: {name} has {width} values per sample; set `width` of the modality to {width}")
        return Measured(name, trace)
    if modality.kind == "counts":
        return Measured(name, Events(_trace(raw, name).times))
    column = raw.trials.get(name)
    if column is not None and column.dtype == object:
        where = f"session {raw.eid}, trials column {name}"
        return Measured(f"trials.{name}", categorical(column.to_numpy().astype(str), modality, where=where))
    if name not in RECIPES:
        raise Unusable(f"no trials column {name} with class names{download_problems(raw)}")
    return RECIPES[name](raw, settings)


def align_behaviour(
    measured: Measured, kept: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Values of one behaviour in K trials, and which of these trials it cannot serve.

    Args:
        kept: (K,) rows of the trials table.
        edges: (K, T + 1) bin edges in seconds.

    Returns:
        Continuous (K, T, width) float32, a trace interpolated linearly at the right edge of each bin; counts (K, T, 1) of
        events in [left edge, right edge); or categorical (K,) class indices. And masks (K,) of the trials to be dropped, by
        reason.
    """
    if isinstance(measured.data, Events):
        counts = np.diff(np.searchsorted(measured.data.times, edges), axis=1)
        return smallest_counts(counts[:, :, None]), {}
    if not isinstance(measured.data, Trace):
        return measured.data[kept], {}
    trace = measured.data
    bin_s = edges[0, 1] - edges[0, 0] if len(edges) else 0.0
    far = _nearest_sample_s(trace.times, edges[:, [0, -1]]).max(axis=1, initial=0) > bin_s * (1 + 1e-6)
    columns = trace.values.reshape(len(trace.times), -1).T
    values = np.stack([np.interp(edges[:, 1:], trace.times, v).astype(np.float32) for v in columns], axis=-1)
    unknown = ~np.isfinite(values).all(axis=(1, 2))
    return values, {
        f"{measured.source} does not cover the window": far,
        f"{measured.source} is NaN": unknown,
    }


def _nearest_sample_s(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    after = np.searchsorted(times, at).clip(1, max(len(times) - 1, 1))
    before = after - 1
    return np.minimum(np.abs(at - times[before]), np.abs(at - times[after.clip(max=len(times) - 1)]))
