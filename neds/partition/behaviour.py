"""Behaviours of a raw recording as modality values: one recipe each, and their alignment to the bins of trials.

Shapes: K0 trials in the recording, K of them aligned, T bins.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from neds.errors import UserError
from neds.files.raw import RawSession, Trace
from neds.modalities import BUILT_IN, CLASSES, Modality
from neds.partition.array_values import SIGNED, categorical, scalar, told, value_names
from neds.partition.binning import smallest_counts
from neds.partition.settings import PartitionSettings
from neds.partition.unusable import Unusable
from neds.signals.stretches import inside, merged, unbounded
from neds.signals.wheel import NoVelocity, wheel_traces
from neds.words import counted

_CLOCK_S = 1e-6
"""Times that a clock of equal steps gives are equal to rounding."""


@dataclass(frozen=True)
class Events:
    """What is counted: `times` (n,) in seconds, ascending; and where it is known, the stretches `observed_s` (m, 2) in which
    it would have been seen.
    """

    times: np.ndarray
    observed_s: np.ndarray | None = None


@dataclass(frozen=True)
class Measured:
    """What a recipe found: a trace on its own clock, events, or of each trial (K0,) a class index, -1 where unknown, or a
    number, NaN where unknown.

    `source` names the trace or column it was made from; `reading` says how it was read, `remarks` what was guessed or is
    unknown, a line each.
    """

    source: str
    data: Trace | Events | np.ndarray
    reading: str = ""
    remarks: tuple[str, ...] = ()


def download_problems(raw: RawSession) -> str:
    """What the download stage noted about absent data, as the end of a sentence; empty where it noted nothing."""
    problems = raw.provenance.get("problems")
    return f" ({'; '.join(f'{what}: {why}' for what, why in problems.items())})" if problems else ""


_SERVES = {
    "wheel": ("wheel_speed", "wheel_velocity"),
    "wheel_position": ("wheel_speed", "wheel_velocity"),
    "wheel_velocity": ("wheel_speed", "wheel_velocity"),
    "left_whisker_motion_energy": ("whisker_motion_energy",),
    "right_whisker_motion_energy": ("whisker_motion_energy",),
    "pupil": ("pupil_diameter",),
    "paws": ("left_paw_speed", "right_paw_speed"),
}
"""Modalities that are made of what loaders and traces are called by."""


def concerns(what: str, raw: RawSession, modalities: dict[str, Modality]) -> bool:
    """Whether a problem or remark on `what` is of anything in use: of spikes, trials or a probe, or of a behaviour that is
    among the modalities.
    """
    if what in modalities:
        return True
    if what in _SERVES:
        return not modalities.keys().isdisjoint(_SERVES[what])
    served = {name for names in _SERVES.values() for name in names}
    # Named here, because what else the registry says of modalities must not make sessions stale.
    behaviours = {*RECIPES, *served, "licks", "lfp", *raw.traces, *raw.provenance.get("mapped", [])}
    return what not in behaviours


def _trace(raw: RawSession, name: str) -> Trace:
    trace = raw.traces.get(name)
    if trace is None or not len(trace.times):
        raise Unusable(f"no trace {name}{download_problems(raw)}")
    return trace


def _column(raw: RawSession, name: str) -> np.ndarray:
    if name not in raw.trials:
        raise Unusable(f"trials table without column {name}")
    return raw.trials[name].to_numpy()


def _wheel_velocity(raw: RawSession, settings: PartitionSettings) -> Measured:
    if "wheel_velocity" in raw.traces or "wheel_position" not in raw.traces:
        return Measured("wheel_velocity", _trace(raw, "wheel_velocity"))
    try:
        traces, remarks = wheel_traces(_trace(raw, "wheel_position"))
    except NoVelocity as few:
        raise Unusable(f"wheel_position: {few}") from None
    return Measured(
        "wheel_position", traces["wheel_velocity"], "wheel velocity: computed from wheel_position", tuple(remarks)
    )


def _wheel_speed(raw: RawSession, settings: PartitionSettings) -> Measured:
    velocity = _wheel_velocity(raw, settings)
    assert isinstance(velocity.data, Trace)
    return replace(velocity, data=Trace(velocity.data.times, np.abs(velocity.data.values)))


def _whisker_motion_energy(raw: RawSession, settings: PartitionSettings) -> Measured:
    names = {camera: f"{camera}_whisker_motion_energy" for camera in ("left", "right")}
    camera = settings.whisker_camera
    if camera == "auto":
        camera = "left" if names["left"] in raw.traces or names["right"] not in raw.traces else "right"
    remarks: tuple[str, ...] = ()
    if camera == "right" and settings.whisker_camera == "auto":
        why = raw.provenance.get("problems", {}).get(names["left"], "it is absent")
        remarks = (f"whisker_motion_energy: of the right camera, as the left one cannot be used ({why})",)
    return Measured(names[camera], _trace(raw, names[camera]), remarks=remarks)


def _choice(raw: RawSession, settings: PartitionSettings) -> Measured:
    return _read("choice", "trials.choice", _column(raw, "choice"), [-1, 1])


def _block(raw: RawSession, settings: PartitionSettings) -> Measured:
    probability = _column(raw, "probabilityLeft")
    return _read("block", "trials.probabilityLeft", probability, _classes_as_numbers("block"))


def _reward(raw: RawSession, settings: PartitionSettings) -> Measured:
    return _read("reward", "trials.feedbackType", _column(raw, "feedbackType"), [-1, 1])


def _contrast(raw: RawSession, settings: PartitionSettings) -> Measured:
    """Right less left contrast; that of the side where nothing was shown is NaN."""
    right, left = _column(raw, "contrastRight"), _column(raw, "contrastLeft")
    signed = np.where(np.isnan(right) & np.isnan(left), np.nan, np.nan_to_num(right) - np.nan_to_num(left))
    return _read("contrast", "trials.contrastRight, contrastLeft", signed, _classes_as_numbers("contrast"))


def _stimulus_contrast(raw: RawSession, settings: PartitionSettings) -> Measured:
    """Contrast whatever the side."""
    right, left = _column(raw, "contrastRight"), _column(raw, "contrastLeft")
    unsigned = np.where(np.isnan(right) & np.isnan(left), np.nan, np.nan_to_num(right) + np.nan_to_num(left))
    source = "trials.contrastRight, contrastLeft"
    return _read("stimulus_contrast", source, unsigned, _classes_as_numbers("stimulus_contrast"))


def _classes_as_numbers(name: str) -> list[float]:
    return [float(label) for label in CLASSES[name]]


def _read(name: str, source: str, values: np.ndarray, numbers: list[float]) -> Measured:
    """Class indices of a built-in modality by the IBL's `numbers` of its classes; others are unknown."""
    is_class = np.isclose(values[:, None], numbers, rtol=0, atol=1e-6)
    index = np.where(is_class.any(axis=1), is_class.argmax(axis=1), -1).astype(np.int8)
    strange = (index < 0) & np.isfinite(values) & ~((values == 0) & (name in SIGNED))
    named = ", ".join(dict.fromkeys(value_names(values[strange])[:100]))
    remarks = (
        f"{name}: unknown in {counted(int(strange.sum()), 'trial')} of values that are no class ({named[:100]})",
    )
    return Measured(
        source, index, f"{name}: {told(value_names(values), index, CLASSES[name])}", remarks if strange.any() else ()
    )


def _numbers(raw: RawSession, modality: Modality) -> Measured:
    """A column of one number per trial."""
    name, column = modality.name, _column(raw, modality.name)
    remarks: tuple[str, ...] = ()
    if column.dtype.kind == "f" and (infinite := np.isinf(column)).any():
        column = np.where(infinite, np.nan, column)
        remarks = (f"{name}: {counted(infinite.sum(), 'infinite value')} taken as unknown",)
    values = scalar(column, modality, where=f"session {raw.eid}, trials column {name}")
    return Measured(f"trials.{name}", values, remarks=remarks)


RECIPES: dict[str, Callable[[RawSession, PartitionSettings], Measured]] = {
    "wheel_speed": _wheel_speed,
    "wheel_velocity": _wheel_velocity,
    "whisker_motion_energy": _whisker_motion_energy,
    "choice": _choice,
    "block": _block,
    "reward": _reward,
    "contrast": _contrast,
    "stimulus_contrast": _stimulus_contrast,
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
    """A behaviour of the recording: the trace, or trials column of class names or numbers, that is named after it; else its
    recipe's.

    The sample times of the trace of a counts modality are what is counted, where it was observed.

    Raises:
        Unusable: the recording does not have it, or its numbers are too large for 32 bits.
        UserError: it has another width, a text that is no class, or text in the place of numbers.
    """
    name = modality.name
    if modality.kind == "continuous" and (name in raw.traces or name not in RECIPES):
        trace = _trace(raw, name)
        width = trace.values.shape[1] if trace.values.ndim > 1 else 1
        if modality.width not in (None, width):
            raise UserError(
                f"modalities: {name} has {counted(width, 'value')} per sample; set `width` of the modality to {width}"
            )
        return Measured(name, trace)
    if modality.kind == "counts":
        trace = _trace(raw, name)
        return Measured(name, Events(trace.times, trace.observed_s))
    if modality.kind == "scalar":
        return _numbers(raw, modality)
    column = raw.trials.get(name)
    if column is not None and column.dtype == object:
        where = f"session {raw.eid}, trials column {name}"
        reading = categorical(column.to_numpy().astype(str), modality, where=where)
        # How the conversion read the file stands in its readings; here are but class names.
        return Measured(f"trials.{name}", reading.index)
    if name not in RECIPES:
        raise Unusable(f"no trials column {name} with class names{download_problems(raw)}")
    return RECIPES[name](raw, settings)


def align_behaviour(
    measured: Measured,
    kept: np.ndarray,
    edges: np.ndarray,
    *,
    longest_gap_s: float | None = None,
    holes: Literal["drop", "mask", "keep"] = "drop",
    trace_values: Literal["interpolated", "samples"] = "interpolated",
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Values of one behaviour in K trials, and which of these trials it cannot serve.

    Args:
        kept: (K,) rows of the trials table.
        edges: (K, T + 1) bin edges in seconds.
        longest_gap_s: longest time between two samples of a trace, or without observation of events, that is bridged; None:
            any.
        holes: drop trials in which a trace is unknown in part; mask: drop those in which all of it is; keep: drop none.
        trace_values: interpolated linearly at the right edge of each bin; or the sample in the bin, where there is one.

    Returns:
        Continuous (K, T, width) float32, NaN where it is unknown; counts (K, T, 1) of events in [left edge, right edge); or
        categorical (K,) class indices or scalar (K,) numbers. And masks (K,) of the trials to be dropped, by reason.
    """
    if isinstance(measured.data, Events):
        counts = np.diff(np.searchsorted(measured.data.times, edges), axis=1)
        return smallest_counts(counts[:, :, None]), _unobserved(measured, measured.data, edges, longest_gap_s)
    if not isinstance(measured.data, Trace):
        return measured.data[kept], {}
    trace = measured.data
    at_s = edges[:, 1:]
    bin_s = edges[0, 1] - edges[0, 0] if len(edges) else 0.0
    uncovered = np.maximum(trace.times[0] - at_s, at_s - trace.times[-1]) > bin_s * (1 + 1e-6)
    far = _nearest_sample_s(trace.times, edges[:, [0, -1]]).max(axis=1, initial=0) > bin_s * (1 + 1e-6)
    columns = trace.values.reshape(len(trace.times), -1).T
    if trace_values == "samples":
        values = _samples_in(trace.times, columns, edges)
    else:
        values = np.stack([np.interp(at_s, trace.times, v).astype(np.float32) for v in columns], axis=-1)
    nan = ~np.isfinite(values).all(axis=2)
    hole = _in_holes(trace.times, at_s, longest_gap_s)
    values[hole | uncovered] = np.nan
    source = measured.source
    if holes == "keep":
        return values, {}
    if holes == "mask":
        return values, {f"{source} is unknown in the whole window": (nan | hole | uncovered).all(axis=1)}
    in_hole = hole.any(axis=1)
    reasons = {f"{source} does not cover the window": far & ~in_hole, f"{source} is NaN": nan.any(axis=1)}
    return values, reasons | (
        {f"{source} has a hole of more than {longest_gap_s:g} s": in_hole} if in_hole.any() else {}
    )


def _samples_in(times: np.ndarray, columns: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The samples (K, T, width) from the beginning of each window on, one for each bin; NaN where it lies in another bin."""
    rows = np.searchsorted(times, edges[:, 0] - _CLOCK_S)[:, None] + np.arange(edges.shape[1] - 1)
    at = rows.clip(max=len(times) - 1)
    in_bin = (rows < len(times)) & (times[at] >= edges[:, :-1] - _CLOCK_S) & (times[at] < edges[:, 1:] + _CLOCK_S)
    values = np.moveaxis(columns[:, at], 0, -1).astype(np.float32)
    values[~in_bin] = np.nan
    return values


def _unobserved(
    measured: Measured, events: Events, edges: np.ndarray, longest_gap_s: float | None
) -> dict[str, np.ndarray]:
    """Mask (K,) of the trials in which events may have been missed, by reason. Counts have no unknown values."""
    if events.observed_s is None or not len(edges):
        return {}
    bin_s = edges[0, 1] - edges[0, 0]
    stretches = unbounded(events.observed_s, events.times[0], events.times[-1]) + np.array([-bin_s, bin_s])
    gap_s = np.inf if longest_gap_s is None else max(longest_gap_s - 2 * bin_s, 0)
    observed = inside(edges[:, [0, -1]], merged(stretches, bridged_s=gap_s))
    return {f"{measured.source} not observed throughout the window": ~observed}


def _in_holes(times: np.ndarray, at: np.ndarray, longest_s: float | None) -> np.ndarray:
    """Whether each moment lies between two samples that are further apart than `longest_s` and three usual intervals."""
    if longest_s is None or len(times) < 3:
        return np.zeros(at.shape, bool)
    longest_s = max(longest_s, 3 * float(np.median(np.diff(times))))
    after = np.searchsorted(times, at).clip(1, len(times) - 1)
    before_s, after_s = times[after - 1], times[after]
    return (after_s - before_s > longest_s) & (at > before_s) & (at < after_s)


def _nearest_sample_s(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    after = np.searchsorted(times, at).clip(1, max(len(times) - 1, 1))
    before = after - 1
    return np.minimum(np.abs(at - times[before]), np.abs(at - times[after.clip(max=len(times) - 1)]))
