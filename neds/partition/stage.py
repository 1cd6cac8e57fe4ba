"""The partition stage: a raw session file becomes an aligned one.

Shapes: K kept trials, T bins, N kept units.
"""

import logging
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from neds.errors import UserError
from neds.files.aligned import SPLITS, AlignedSession
from neds.files.raw import RawSession, read_raw
from neds.files.roles import InputFile, Operational, OutputFile
from neds.modalities import by_name
from neds.partition.behaviour import align_behaviour, concerns, download_problems, measure, require_measured
from neds.partition.binning import bin_edges, spikes_in_windows
from neds.partition.components import reduced
from neds.partition.conditions import NO_CONDITION, condition_index, task_factors
from neds.partition.known import masked, require_known
from neds.partition.recorded import choose, coverage, recorded_s
from neds.partition.same_trials import of_both, of_clock, of_spikes, of_times, of_window
from neds.partition.seconds import clock_fault, rate_fault
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.split import split_trials
from neds.partition.statistics import constant_columns, training_statistics
from neds.partition.trials import drop_by_first_reason, keep_trials
from neds.partition.units import has_label, keep_units
from neds.partition.unusable import Unusable, require_splits, require_trials, require_units, write_outcome
from neds.partition.views import in_view
from neds.partition.windows import fixed_windows, window_stretches
from neds.signals.clock import ClockFault, require_in_order

_log = logging.getLogger(__name__)
UNIT_COLUMNS = ["uuid", "probe", "acronym", "beryl", "cosmos", "depth_um", "channel", "label"]


def partition(
    *,
    raw: InputFile,
    settings: PartitionRun,
    output: OutputFile,
    view: str = "",
    unusable: Operational[Literal["skip", "error"]] | None = None,
) -> None:
    """Cut the recording in the file `raw` into trials and bins, and write the aligned file `output`.

    A session that cannot be used is written with the reason.

    Args:
        raw: raw session file.
        settings: keys `modalities` (list of registry entries) and `partition` (config block).
        output: aligned session file to write.
        view: which of several windows of the recording this is; its EID becomes <eid>_<view>.
        unusable: what to do with an unusable session, in place of what `partition` says of it.

    Raises:
        UserError: a missing or damaged file, a modality without a recipe, one value per trial wanted of windows, or an
            unusable session where `settings.partition.unusable` is "error".
    """
    modalities, cutting = by_name(settings.modalities), settings.partition
    if fault := cutting.fault_of(modalities):
        raise UserError(fault)
    session = read_raw(raw)
    told = {
        kind: {
            what: text for what, text in session.provenance.get(kind, {}).items() if concerns(what, session, modalities)
        }
        for kind in ("problems", "remarks", "readings")
    }
    remarks = [f"{what} is absent: {why}" for what, why in told["problems"].items()]
    remarks += [f"{what}: {why}" for what, why in told["remarks"].items()]
    readings = [f"{what}: {how}" for what, how in told["readings"].items()]
    require_measured(modalities, session)
    header = AlignedSession(
        eid=in_view(session.eid, view),
        subject=session.subject,
        lab=session.lab,
        bin_s=cutting.bin_s,
        window_start_s=cutting.window_start_s,
        modalities=modalities,
        n_trials_before=len(session.trials),
        settings=cutting.model_dump(),
        readings=readings,
        remarks=remarks,
    )
    write_outcome(
        lambda: _aligned(header, session, cutting),
        header=header,
        source=raw,
        stop=(unusable or cutting.unusable) == "error",
        output=output,
    )


@dataclass(frozen=True)
class _Cut:
    """Trials, or windows, on their way into the aligned file.

    `table` has the columns to keep of them (K0 rows); `rows` (K,) are those kept, with the bin `edges` (K, T + 1), the
    `values` of behaviours, and the `sources` of these. `units` (N,) are those recorded in all of the rows.
    """

    table: pd.DataFrame
    rows: np.ndarray
    edges: np.ndarray
    values: dict[str, np.ndarray]
    sources: dict[str, str]
    dropped: dict[str, int]
    units: np.ndarray
    readings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def only(self, kept: np.ndarray, dropped: dict[str, int]) -> "_Cut":
        """Those in the mask `kept` (K,); the others were dropped by the reasons `dropped`."""
        return replace(
            self,
            rows=self.rows[kept],
            edges=self.edges[kept],
            values={name: v[kept] for name, v in self.values.items()},
            dropped=self.dropped | dropped,
        )


def _aligned(header: AlignedSession, raw: RawSession, settings: PartitionSettings) -> AlignedSession:
    if not settings.cuts_windows and not len(raw.trials):
        raise Unusable(f"no trials{download_problems(raw)}")
    if not len(raw.spike_times):
        raise Unusable(f"no spikes{download_problems(raw)}")
    _require_seconds(raw, header, settings)
    cut = _recorded(_with_behaviour(_cut(raw, settings), header, raw, settings), raw, settings)
    split, kept, between = split_trials(cut.edges[:, [0, -1]], eid=raw.eid, settings=settings, intervals=raw.intervals)
    cut, split = cut.only(kept, between), split[kept]
    require_trials(len(cut.rows), len(cut.table), settings, cut.dropped)
    require_splits(split, cut.dropped, of_file=settings.split == "file")
    training = split == SPLITS.index("train")

    windowed = spikes_in_windows(raw.spike_times, raw.spike_units, cut.edges)
    rates_hz = windowed.mean_rates_hz(training, len(raw.units), settings.bin_s)
    kept_units, units_dropped = keep_units(raw.units, rates_hz, settings, recorded=cut.units)
    dropped = cut.dropped | units_dropped
    require_units(kept_units.sum(), len(raw.units), settings, dropped)
    values = cut.values | {"spikes": windowed.counts(kept_units)}
    values = {name: values[name] for name in header.modalities}
    require_known(values, header.modalities, split, dropped)
    values, modalities, components = reduced(values, header.modalities, training, settings)
    statistics, constant = (
        training_statistics(values, modalities, training),
        constant_columns(values, modalities, training),
    )

    # Of a source's own columns those that are true or false, which may name units to hold out.
    own = [name for name, column in raw.units.items() if column.dtype == bool and name not in UNIT_COLUMNS]
    units = raw.units.loc[kept_units, UNIT_COLUMNS + own].assign(rate_hz=rates_hz[kept_units]).reset_index(drop=True)
    return replace(
        header,
        n_trials_before=len(cut.table),
        modalities=modalities,
        values=values,
        statistics=statistics,
        components=components,
        units=units,
        trials=_trials(cut, header, settings),
        split=split,
        dropped=dropped,
        settings=header.settings | {"sources": cut.sources},
        readings=[*header.readings, *cut.readings],
        remarks=[*header.remarks, *cut.remarks, *constant],
        fingerprints=_fingerprints(windowed.of_all_units(), cut, header, raw),
    )


def _require_seconds(raw: RawSession, header: AlignedSession, settings: PartitionSettings) -> None:
    """Refuse times in milliseconds and the like, of all or of some of what is on one clock."""
    n_spikes = np.bincount(raw.spike_units, minlength=len(raw.units))
    faults = [rate_fault(n_spikes, recorded_s(raw, settings))]
    if not settings.cuts_windows and settings.align in raw.trials and raw.trials[settings.align].dtype.kind in "iuf":
        times_s = raw.trials[settings.align].to_numpy(float)
        faults.append(clock_fault(f"{settings.align} of the trials", times_s, raw.spike_times))
    faults += [
        clock_fault(f"samples of {name}", trace.times, raw.spike_times)
        for name, trace in raw.traces.items()
        if concerns(name, raw, header.modalities)
    ]
    if fault := next(filter(None, faults), ""):
        raise Unusable(fault)


def _cut(raw: RawSession, settings: PartitionSettings) -> _Cut:
    """All trials that the trial rule keeps, or all windows."""
    if settings.cuts_windows:
        table = fixed_windows(window_stretches(raw.spike_times, raw.intervals, settings), settings)
        mask, times_s = np.ones(len(table), bool), table["align_time_s"]
        dropped: dict[str, int] = {}
    else:
        table = raw.trials
        mask, dropped = keep_trials(table, settings)
        times_s = table[settings.align]
        _require_in_order(times_s.to_numpy(float), settings)
    rows = np.flatnonzero(mask)
    edges = bin_edges(times_s.to_numpy()[rows], settings)
    return _Cut(table, rows, edges, {}, {}, dropped, np.ones(len(raw.units), bool))


def _require_in_order(times_s: np.ndarray, settings: PartitionSettings) -> None:
    try:
        require_in_order(times_s)
    except ClockFault as fault:
        raise Unusable(f"the trials cannot be used by {settings.align}: {fault}, or sort the trials by time") from None


def _recorded(cut: _Cut, raw: RawSession, settings: PartitionSettings) -> _Cut:
    """Only the trials in which spikes were recorded, and the units that were recorded in all of them."""
    covered = coverage(raw, cut.edges[:, [0, -1]], settings)
    of_any, of_all, units = choose(covered, has_label(raw.units, settings), settings)
    tests = {"spikes were not recorded throughout the window": ~of_any, "some of the units were not recorded": ~of_all}
    kept, dropped = drop_by_first_reason(tests, len(cut.rows), prefix="trials")
    cut = replace(cut.only(kept, dropped), units=units, remarks=(*cut.remarks, *covered.remarks))
    require_trials(len(cut.rows), len(cut.table), settings, cut.dropped)
    return cut


def _with_behaviour(cut: _Cut, header: AlignedSession, raw: RawSession, settings: PartitionSettings) -> _Cut:
    """With the behaviours, and only what all of them cover."""
    values, sources = {}, {}
    readings: list[str] = []
    remarks: list[str] = []
    tests: dict[str, np.ndarray] = {}
    for name, modality in header.modalities.items():
        if name == "spikes":
            continue
        measured = measure(modality, raw, settings)
        sources[name] = measured.source
        remarks += measured.remarks
        if measured.reading:
            _log.info("%s read as %s", measured.source, measured.reading)
            readings.append(measured.reading)
        gap_s = settings.longest_gap_s.get(name, settings.longest_gap_s.get("others"))
        values[name], failures = align_behaviour(
            measured,
            cut.rows,
            cut.edges,
            longest_gap_s=gap_s,
            holes=settings.holes,
            trace_values=settings.trace_values,
        )
        tests |= failures
    served, unserved = drop_by_first_reason(tests, len(cut.rows), prefix="trials")
    cut = replace(
        cut,
        values=values,
        sources=sources,
        readings=tuple(dict.fromkeys(readings)),
        remarks=tuple(dict.fromkeys(remarks)),
    )
    cut = cut.only(served, unserved)
    cut = replace(cut, remarks=(*cut.remarks, *masked(cut.values)))
    require_trials(len(cut.rows), len(cut.table), settings, cut.dropped)
    return cut


def _fingerprints(counts: np.ndarray, cut: _Cut, header: AlignedSession, raw: RawSession) -> np.ndarray:
    """What tells each trial (K, M) from others, and not from itself in another file."""
    times_s = cut.table["align_time_s" if "align_time_s" in cut.table else header.settings["align"]].to_numpy(float)
    marks, intervals, spans_s = [of_spikes(counts)], of_times(times_s, cut.rows), cut.edges[:, [0, -1]]
    behaviours = [name for name, m in header.modalities.items() if m.kind == "continuous" and m.group == "behaviour"]
    for source in dict.fromkeys(cut.sources[name] for name in behaviours):
        trace = raw.traces[source]
        marks += [of_clock(source, trace, spans_s), of_both(of_window(source, trace, spans_s), intervals)]
    return np.column_stack(marks)


def _trials(cut: _Cut, header: AlignedSession, settings: PartitionSettings) -> pd.DataFrame:
    kept = cut.table.iloc[cut.rows].reset_index(drop=True)
    if settings.cuts_windows:
        condition, times_s = np.full(len(kept), NO_CONDITION), kept["align_time_s"]
    else:
        categorical = [name for name, modality in header.modalities.items() if modality.kind == "categorical"]
        condition, times_s = condition_index(task_factors(kept, categorical)), kept[settings.align]
    own = {"original_index": cut.rows, "align_time_s": times_s, "condition": condition}
    return pd.DataFrame(own | {name: kept[name] for name in kept.columns if name not in own})
