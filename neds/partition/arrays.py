"""Import of a user's own trial-aligned arrays: they become an aligned session file.

Shapes: K trials, T bins, N units.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from neds.errors import UserError
from neds.files.aligned import SPLITS, AlignedSession
from neds.files.roles import InputFile, Operational, OutputFile
from neds.modalities import by_name
from neds.partition.array_file import read_arrays
from neds.partition.array_keys import FACTORS, REGION_KEYS, SPIKE_KEYS, key_remarks, near
from neds.partition.array_source import ArraySource
from neds.partition.array_trials import once, with_spikes
from neds.partition.array_values import categorical, continuous, scalar, spike_counts
from neds.partition.components import reduced
from neds.partition.conditions import condition_index
from neds.partition.known import masked, require_known
from neds.partition.same_trials import of_both, of_spikes, of_times, of_values
from neds.partition.seconds import SLOWEST_HZ, bins_fault, intervals_fault, rate_fault
from neds.partition.settings import ArrayRun, ArraySettings, PartitionSettings
from neds.partition.split import split_trials, without_overlap
from neds.partition.statistics import constant_columns, training_statistics
from neds.partition.units import keep_units
from neds.partition.unusable import Unusable, outcome, require_splits, require_trials, require_units, write_outcome
from neds.words import counted

_log = logging.getLogger(__name__)
DOUBTFUL_BIN_S = 0.5
"""Bins as wide may be of as many milliseconds."""


def import_arrays(
    *,
    arrays: InputFile,
    eid: str,
    settings: ArrayRun,
    output: OutputFile,
    unusable: Operational[Literal["skip", "error"]] | None = None,
) -> None:
    """Turn a .npz or HDF5 file of arrays (docs/files.md, "Your own arrays") into the aligned file `output`.

    Unit rule, split, `min_trials`, `min_units` and `unusable` come from `settings.partition`; its windows, trial rule and
    camera do not apply, because the arrays are cut already. A session that cannot be used is written with the reason.

    Args:
        arrays: file with the arrays.
        eid: session id.
        settings: keys `modalities` (list of registry entries), `partition` and `arrays` (config blocks).
        output: aligned session file to write.
        unusable: what to do with an unusable session, in place of what `partition` says of it.

    Raises:
        UserError: a missing, damaged or malformed file; or an unusable session where `settings.partition.unusable` is
            "error".
    """
    path = Path(arrays)
    header, complete = _read(path, eid, settings)
    stop = (unusable or settings.partition.unusable) == "error"

    def logged() -> AlignedSession:
        session = complete()
        for reading in session.readings:
            _log.info("%s: read %s", path, reading)
        return session

    write_outcome(logged, header=header, source=path, stop=stop, output=output)


def imported(path: Path, *, eid: str, settings: ArrayRun) -> AlignedSession:
    """What `import_arrays` would write.

    Raises:
        UserError: a missing, damaged or malformed file.
    """
    header, complete = _read(path, eid, settings)
    return outcome(complete, header)


def _read(path: Path, eid: str, settings: ArrayRun) -> tuple[AlignedSession, Callable[[], AlignedSession]]:
    """What is known of a session before its arrays are judged, and the function that judges them."""
    cutting, reading = settings.partition, settings.arrays
    found, groups = read_arrays(path)
    source = ArraySource(path, _renamed(found, reading.rename, path))
    bin_s = source.number("bin_s", reading.bin_s, "bin_s")
    if bin_s <= 0:
        raise UserError(f"{source.where('bin_s')}: {bin_s:g} is no bin width; give seconds above 0")
    first_bin = reading.bins[0] if reading.bins else 0
    spikes_key = next((key for key in SPIKE_KEYS if key in source.arrays), None)
    header = AlignedSession(
        eid=eid,
        subject=source.text("subject"),
        lab=source.text("lab"),
        bin_s=bin_s,
        window_start_s=source.number("t0_s", reading.window_start_s, "window_start_s") + first_bin * bin_s,
        modalities=by_name(settings.modalities),
        n_trials_before=len(source.arrays[spikes_key]) if spikes_key and source.arrays[spikes_key].ndim else 0,
        settings=cutting.model_dump() | {"arrays": reading.model_dump()},
        remarks=[
            *key_remarks(source.arrays, [modality.name for modality in settings.modalities], reading),
            *([f"groups, of which nothing is read: {', '.join(groups)}"] if groups else []),
            *_overruled(source, reading),
        ],
    )
    return header, lambda: _aligned(header, source, spikes_key, cutting, reading)


def _renamed(arrays: dict[str, np.ndarray], rename: dict[str, str], path: Path) -> dict[str, np.ndarray]:
    names = [rename.get(key, key) for key in arrays]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UserError(
            f"{path}: with `rename`, two keys are called {', '.join(doubled)}; correct `rename` under `arrays`"
        )
    return dict(zip(names, arrays.values(), strict=True))


def _overruled(source: ArraySource, reading: ArraySettings) -> list[str]:
    """A line for each number of the file in whose place the configuration has another."""
    given = {"bin_s": ("bin_s", reading.bin_s), "t0_s": ("window_start_s", reading.window_start_s)}
    return [
        f"{key} is {_told(source.arrays[key])} in the file and {setting:g} by arrays.{name}, which counts"
        for key, (name, setting) in given.items()
        if setting is not None and key in source.arrays and not _is_number(source.arrays[key], setting)
    ]


def _told(array: np.ndarray) -> str:
    if array.size != 1:
        return f"of shape {array.shape}"
    return f"{array.item():g}" if array.dtype.kind in "iuf" else str(array.item())


def _is_number(array: np.ndarray, number: float) -> bool:
    return array.dtype.kind in "iuf" and array.size > 0 and bool(np.allclose(array, number))


def _aligned(
    header: AlignedSession,
    source: ArraySource,
    spikes_key: str | None,
    settings: PartitionSettings,
    arrays: ArraySettings,
) -> AlignedSession:
    absent = [name for name in header.modalities if name != "spikes" and name not in source.arrays]
    if spikes_key is None:
        absent.insert(0, "spikes")
    if spikes_key is None or absent:
        unread = [key for key in source.arrays if key not in header.modalities]
        named = ", ".join(f"{name}{near(SPIKE_KEYS if name == 'spikes' else name, unread)}" for name in absent)
        raise Unusable(f"{source.path.name} has no array {named}; its keys are {', '.join(source.arrays)}")
    values, counts, readings = _values(header, source, spikes_key, arrays)
    n_trials, n_bins, n_units = counts.shape
    _require_seconds(header, source, counts)
    spans_s, remarks = _spans_s(source, header, n_trials, n_bins, settings)
    split, kept_trials, dropped = _split(source, header, spans_s, settings)
    kept_trials, dropped = once(counts, split, kept_trials, dropped, settings)
    kept_trials, dropped = with_spikes(counts, kept_trials, dropped, settings)
    require_trials(kept_trials.sum(), n_trials, settings, dropped)
    require_splits(split[kept_trials], dropped)
    split, counts = split[kept_trials], counts[kept_trials]
    values = {name: array[kept_trials] for name, array in values.items()}
    require_known(values, header.modalities, split, dropped)
    training = split == SPLITS.index("train")
    spikes = np.einsum("ktn->n", counts[training], dtype=np.int64)
    rates_hz = spikes / (training.sum() * n_bins * header.bin_s)
    units = _units(source, n_units).assign(rate_hz=rates_hz)
    kept, units_dropped = keep_units(units, rates_hz, settings)
    dropped |= units_dropped
    require_units(kept.sum(), n_units, settings, dropped)
    times_s = (
        np.full(n_trials, np.nan)
        if "align_time_s" not in source.arrays
        else source.arrays["align_time_s"].astype(float)
    )
    intervals = of_times(times_s, np.flatnonzero(kept_trials))
    marks = [of_spikes(counts.sum(axis=2, dtype=np.int64))]
    marks += [
        of_both(of_values(name, list(values[name])), intervals)
        for name, modality in header.modalities.items()
        if modality.kind == "continuous" and modality.group == "behaviour"
    ]
    values = {name: counts[:, :, kept] if name == "spikes" else values[name] for name in header.modalities}
    values, modalities, components = reduced(values, header.modalities, training, settings)
    return replace(
        header,
        modalities=modalities,
        values=values,
        statistics=training_statistics(values, modalities, training),
        components=components,
        units=units.loc[kept].reset_index(drop=True),
        trials=_trials(source, n_trials).loc[kept_trials].reset_index(drop=True),
        split=split,
        dropped=dropped,
        readings=readings,
        remarks=[*header.remarks, *remarks, *masked(values), *constant_columns(values, modalities, training)],
        fingerprints=np.column_stack(marks),
    )


def _require_seconds(header: AlignedSession, source: ArraySource, counts: np.ndarray) -> None:
    """Refuse bins (K, T, N) and times that are in milliseconds and the like."""
    n_trials, n_bins, _ = counts.shape
    if fault := bins_fault(header.bin_s, n_bins, header.window_start_s):
        raise UserError(f"{source.path}: {fault}")
    duration_s = n_trials * n_bins * header.bin_s
    if header.bin_s >= DOUBTFUL_BIN_S and rate_fault(np.einsum("ktn->n", counts, dtype=np.int64), duration_s):
        raise UserError(
            f"{source.where('bin_s')}: with bins of {header.bin_s:g} s no unit would fire once in {1 / SLOWEST_HZ:g} s; "
            f"give seconds, {header.bin_s / 1000:g} for {header.bin_s:g} ms"
        )
    times = source.arrays.get("align_time_s")
    if times is not None and times.dtype.kind in "iuf" and (fault := intervals_fault(times.astype(float))):
        raise UserError(f"{source.where('align_time_s')}: {fault}")


def _values(
    header: AlignedSession, source: ArraySource, spikes_key: str, arrays: ArraySettings
) -> tuple[dict[str, np.ndarray], np.ndarray, list[str]]:
    """Behaviour values by name, the counts (K, T, N) of all units, over the bins used, and how classes were read."""
    behaviours = {name: modality for name, modality in header.modalities.items() if name != "spikes"}
    if extra := [name for name, modality in behaviours.items() if modality.kind == "counts"]:
        raise UserError(
            f"modalities: {', '.join(extra)} is of kind counts, which only spikes can be; declare it continuous"
        )
    if strange := [name for name in arrays.values or {} if name not in (*behaviours, *source.arrays)]:
        raise UserError(
            f"{source.path}: config key arrays.values.{strange[0]}: no modality in use and no key of the file is called so"
        )
    axes = source.text("axes").replace(" ", "") if arrays.axes == "auto" else arrays.axes
    binned = [source.arrays[name] for name, modality in behaviours.items() if modality.kind == "continuous"]
    counts = spike_counts(
        source.arrays[spikes_key],
        axes=axes or "auto",
        n_bins={array.shape[1] for array in binned if array.ndim > 1},
        where=source.where(spikes_key),
    )
    n_trials, n_bins, _ = counts.shape
    values, readings = {}, []
    for name, modality in behaviours.items():
        array, where = source.arrays[name], source.where(name)
        if array.shape[:1] != (n_trials,):
            raise UserError(
                f"{where}: expected {counted(n_trials, 'trial')} as in {spikes_key}, found shape {array.shape}"
            )
        if modality.kind == "continuous":
            values[name] = continuous(array, modality, n_bins=n_bins, where=where)
        elif modality.kind == "scalar":
            values[name] = scalar(array, modality, where=where)
        else:
            meaning = (arrays.values or {}).get(name)
            reading = categorical(array, modality, where=where, meaning=meaning, key=f"arrays.values.{name}")
            values[name] = reading.index
            readings.append(f"{name}: {reading.told}")
    first, end = arrays.bins or (0, n_bins)
    if end > n_bins:
        raise UserError(
            f"{source.path}: `bins` [{first}, {end}] under `arrays` goes beyond the {counted(n_bins, 'bin')} of the file"
        )
    used = slice(first, end)
    return {name: v if v.ndim == 1 else v[:, used] for name, v in values.items()}, counts[:, used], readings


def _split(
    source: ArraySource, header: AlignedSession, spans_s: np.ndarray, settings: PartitionSettings
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Index (K,) into SPLITS, mask (K,) of the trials kept, and the number dropped by reason."""
    given = source.column(("split",), len(spans_s), "trial")
    if given is None:
        return split_trials(spans_s, eid=header.eid, settings=settings)
    names = np.array(SPLITS) if given.dtype.kind == "U" else np.arange(len(SPLITS))
    matches = given[:, None] == names
    if not matches.any(axis=1).all() or not matches.any(axis=0).all():
        raise UserError(
            f"{source.where('split')}: every trial must be one of {', '.join(SPLITS)} (or 0, 1, 2), and each must occur"
        )
    split = matches.argmax(axis=1).astype(np.uint8)
    return split, *without_overlap(spans_s, split, settings)


def _spans_s(
    source: ArraySource, header: AlignedSession, n_trials: int, n_bins: int, settings: PartitionSettings
) -> tuple[np.ndarray, list[str]]:
    """First and last moment (K, 2) of each trial's window, NaN where unknown, and what that keeps from being checked."""
    times_s = source.column(("align_time_s",), n_trials, "trial")
    if times_s is not None and times_s.dtype.kind not in "iuf":
        raise UserError(f"{source.where('align_time_s')}: must be numbers of seconds, found type {times_s.dtype}")
    times_s = np.full(n_trials, np.nan) if times_s is None else times_s.astype(np.float64)
    n_unknown = int(np.count_nonzero(~np.isfinite(times_s)))
    if n_unknown and settings.split == "blocks" and "split" not in source.arrays:
        found = "does not hold a number for every trial" if "align_time_s" in source.arrays else "is absent"
        raise UserError(
            f"{source.where('align_time_s')}: {found}, so that trials cannot be split into blocks of time; "
            "add the times in seconds, or set `split: random` under `partition`"
        )
    known_s = times_s[np.isfinite(times_s)]
    remarks = ["align_time_s is not in order: trials are taken by their times"] if (np.diff(known_s) < 0).any() else []
    if n_unknown and settings.overlap != "allow":
        remarks += [f"no align_time_s of {counted(n_unknown, 'trial')}, so windows of different splits may overlap"]
    return times_s[:, None] + header.window_start_s + np.array([0.0, n_bins * header.bin_s]), remarks


def _units(source: ArraySource, n_units: int) -> pd.DataFrame:
    def column(*keys: str, default: object) -> np.ndarray:
        found = source.column(keys, n_units, "unit")
        return np.full(n_units, default) if found is None else found

    def numbers(key: str, *, unknown: float) -> np.ndarray:
        found = column(key, default=unknown)
        if found.dtype.kind not in "biuf":
            texts = ", ".join(np.unique(found.astype(str))[:5])
            raise UserError(
                f"{source.where(key)}: holds text ({texts}); give a number for each unit, or leave {key} out"
            )
        return found

    acronym = column(*REGION_KEYS, default="").astype(str).astype(object)
    held_out = {"held_out": numbers("held_out", unknown=np.nan)} if "held_out" in source.arrays else {}
    return pd.DataFrame(
        {
            "uuid": column("uuid", default="").astype(str).astype(object),
            "probe": column("probe", default="").astype(str).astype(object),
            "acronym": acronym,
            "beryl": acronym,
            "cosmos": np.full(n_units, "", object),
            "depth_um": numbers("depth_um", unknown=np.nan),
            "channel": numbers("channel", unknown=-1),
            "label": numbers("label", unknown=np.nan),
        }
        | held_out
    )


def _trials(source: ArraySource, n_trials: int) -> pd.DataFrame:
    factors = {name: source.column((name,), n_trials, "trial") for name in FACTORS}
    columns = {name: values for name, values in factors.items() if values is not None}
    given = source.column(("condition",), n_trials, "trial")
    grouping = pd.DataFrame(columns if given is None else {"condition": given}, index=np.arange(n_trials))
    align_time_s = source.column(("align_time_s",), n_trials, "trial")
    return pd.DataFrame(
        {
            "original_index": np.arange(n_trials),
            "align_time_s": np.full(n_trials, np.nan) if align_time_s is None else align_time_s,
            "condition": condition_index(grouping),
        }
        | columns
    )
