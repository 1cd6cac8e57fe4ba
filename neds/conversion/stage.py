"""The conversion stage: one session's file of another format becomes a raw file, with its names mapped.

Shapes: N units, K trials.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from neds.conversion.session_file import SessionFile, file_record, session_file
from neds.conversion.settings import MAPPINGS, RAW_UNITS, ConvertRun, FileMapping, FormatName, UnitColumn
from neds.conversion.source import NoSuchSeries, SourceSession, UnusableSeries, events_of_rate
from neds.conversion.units import conversion, is_known
from neds.errors import UserError
from neds.files.raw import RawSession, Trace, write_raw
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.modalities import Modality
from neds.partition.array_values import categorical, meanings, value_names
from neds.validation import validated
from neds.words import counted

Reader = Callable[..., AbstractContextManager[SourceSession]]
_log = logging.getLogger(__name__)
_NUMBERS: dict[UnitColumn, float] = {"depth_um": np.nan, "label": np.nan, "channel": -1}
_GROUPS = ("electrode_group", "electrodes.group_name")
_TEXTS = ("uuid", "probe", "acronym", "beryl", "cosmos")


def convert(
    *,
    format: FormatName,
    eid: str,
    settings: ConvertRun,
    output: OutputFile,
    file: InputFile | None = None,
    address: str = "",
    etag: str = "",
    linked: InputFiles = (),
) -> None:
    """Read one session from `file` or `address` and write it to the raw file `output`.

    Args:
        format: of the file.
        eid: session id.
        settings: `modalities` (list of registry entries, of which those of one value per trial count) and `mapping`
            (config block nwb or brainsets).
        output: raw session file to write.
        file: the session's file.
        address: of the session's file on a server, https:// or s3://, in the place of `file`; what is read of it is fetched.
        etag: the mark that the server must give the file; empty for any.
        linked: other files that links in an NWB file may lead to.

    Raises:
        UserError: a file that cannot be read, a mapping that does not fit it, or linked files of another format than NWB.
    """
    if linked and format != "nwb":
        raise UserError(f"{file or address}: only NWB files have linked files, not {format}; leave these out")
    if file is not None:
        _refuse_folder(Path(file))
    given = validated(MAPPINGS[format], settings.mapping, where="mapping")
    # A reader is imported only where it is used: pynwb takes long to.
    reader: Reader = import_module(f"neds.conversion.{format}").opened
    others = [Path(other) for other in linked]
    with (
        session_file(Path(file) if file else None, address=address, etag=etag) as path,
        reader(path, given.filled(), **({"linked": others} if others else {})) as source,
    ):
        mapping = _in_file(given, source)
        converted = _Conversion(path, format, mapping, source)
        traces, problems = converted.traces(
            RAW_UNITS | {m.name: m.unit for m in settings.modalities if m.kind == "continuous"}
        )
        trials, no_trials = converted.trials([m for m in settings.modalities if m.per_trial])
        units = converted.units(eid)
        datasets = [file_record(read) for read in (path, *others)]
    write_raw(
        output,
        RawSession(
            eid=eid,
            subject=source.subject,
            lab=source.lab,
            date=source.date,
            spike_times=source.spike_times,
            spike_units=source.spike_units,
            units=units,
            trials=trials,
            traces=traces,
            provenance={
                "datasets": datasets,
                "mapping": mapping.model_dump(),
                "mapped": [*(mapping.series or {}), *(mapping.trials or {})],
                "problems": problems | no_trials,
                "remarks": source.remarks | converted.remarks,
                "readings": converted.readings,
            },
            recorded=source.recorded,
            intervals=source.intervals,
        ),
    )


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        is_zarr = any((path / mark).exists() for mark in (".zgroup", ".zattrs", ".zmetadata", "zarr.json"))
        what = "a Zarr folder; of NWB, HDF5 files are read: export it to one" if is_zarr else "a folder, not a file"
        raise UserError(f"{path}: is {what}")


def _in_file(given: FileMapping, source: SourceSession) -> FileMapping:
    """The mapping, with those of the format's usual columns that the file has. Columns that the user names must be there."""
    mapping = given.filled()
    there = {"trials": source.trials or {}, "units": source.units}
    usual = {
        table: {name: column for name, column in getattr(mapping, table).items() if column in columns}
        for table, columns in there.items()
        if getattr(given, table) is None and getattr(mapping, table) is not None
    }
    return mapping.model_copy(update=usual)


class _Conversion:
    """A source session seen through a mapping."""

    def __init__(self, path: SessionFile, key: str, mapping: FileMapping, source: SourceSession) -> None:
        self._path, self._key, self._mapping, self._source = path, key, mapping, source
        self.remarks: dict[str, str] = {}
        self.readings: dict[str, str] = {}

    def traces(self, units: Mapping[str, str]) -> tuple[dict[str, Trace], dict[str, str]]:
        """The mapped series, and why others are absent.

        Args:
            units: to which values are converted, by modality or trace; empty where that does not matter.
        """
        traces, problems = {}, {}
        for name, place in (self._mapping.series or {}).items():
            try:
                trace, remarks = self._source.series(place)
                traces[name], changed = self._in_unit(name, trace, units.get(name, ""))
                remarks += changed
                remarks += self._mask(name, traces)
                if name in (self._mapping.event_rates or []):
                    traces[name] = events_of_rate(traces[name])
            except (NoSuchSeries, UnusableSeries) as problem:
                what = f"no series {place}" if isinstance(problem, NoSuchSeries) else f"series {place} cannot be used"
                if self._mapping.missing_series == "error":
                    how = f"correct it, or set {self._key}.missing_series: skip where some sessions lack it"
                    raise self._fault(f"series.{name}", f"{what}: {problem}; {how}") from None
                problems[name] = f"{what}: {problem}"
                continue
            if remarks:
                self.remarks[name] = "; ".join(remarks)
        return traces, problems

    def _mask(self, name: str, traces: dict[str, Trace]) -> list[str]:
        """Make those samples of a trace unknown of which another series of the same clock says so; a remark."""
        place = (self._mapping.known_where or {}).get(name)
        if place is None:
            return []
        trace = traces[name]
        try:
            known, _ = self._source.series(place)
        except NoSuchSeries:
            return [f"all samples taken as known, as there is no series {place}"]
        if len(known.times) != len(trace.times):
            raise UnusableSeries(f"{place} has {len(known.times)} samples, it has {len(trace.times)}")
        unknown = known.values.reshape(len(known.times)) == 0
        values = np.where(unknown.reshape(-1, *[1] * (trace.values.ndim - 1)), np.nan, trace.values)
        traces[name] = replace(trace, values=values.astype(np.float32))
        return [f"{counted(int(unknown.sum()), 'sample')} unknown by {place}"] if unknown.any() else []

    def _in_unit(self, name: str, trace: Trace, wanted: str) -> tuple[Trace, list[str]]:
        """A series in the unit of its modality, and what was done to it.

        Raises:
            UnusableSeries: its unit is that of something else.
        """
        said = (self._mapping.series_units or {}).get(name)
        given = self._source.unit_of((self._mapping.series or {})[name]) if said is None else said
        if not (is_known(given) and is_known(wanted)):
            return trace, []
        key = f"{self._key}.series_units.{name}"
        try:
            factor = conversion(given, wanted)
        except ValueError:
            # Of positions, files say the unit of the speed as often as their own.
            if name != "wheel_position":
                raise UnusableSeries(
                    f"it is in {given}, the modality in {wanted}; define one with such a unit under custom_modalities, or "
                    f"say under {key} which unit it is"
                ) from None
            factor = None
        if factor is None:
            return trace, [f"its unit is {given} in the file and taken for {wanted}; {key} may say which it is"]
        if factor == 1:
            return trace, []
        values = (trace.values * factor).astype(np.float32)
        return replace(trace, values=values), [f"converted from {given} to {wanted} (times {factor:.6g})"]

    def trials(self, modalities: list[Modality]) -> tuple[pd.DataFrame, dict[str, str]]:
        """Columns (K) of the trials; those of categorical modalities as class names, empty where unknown.

        Args:
            modalities: of one value per trial.
        """
        found = self._source.trials
        if found is None:
            there = ", ".join(self._source.tables) or "none"
            return pd.DataFrame(), {
                "trials": f"the file has no table {self._mapping.trials_table}, its tables are {there}"
            }
        renamed = {name: self._column("trials", name) for name in self._mapping.trials or {}}
        columns = dict(found | renamed)
        for modality in modalities:
            if modality.name not in columns:
                there = ", ".join(found)
                raise self._fault(f"trials.{modality.name}", f"name the column of {modality.title}; there are {there}")
        classes = {modality.name: modality for modality in modalities if modality.kind == "categorical"}
        for name in columns.keys() - classes.keys():
            columns[name] = self._with_values(name, columns[name])
        for modality in modalities:
            if modality.kind == "scalar":
                self._require_numbers("trials", modality.name, columns[modality.name])
        for name, modality in classes.items():
            meaning = (self._mapping.values or {}).get(name)
            block = "trials" if meaning is None else "values"
            where = f"{self._path}, config key {self._key}.{block}.{name}"
            reading = categorical(
                columns[name], modality, where=where, meaning=meaning, key=f"{self._key}.values.{name}"
            )
            columns[name] = np.array([*modality.classes, ""], dtype=object)[reading.index]
            self.readings[name] = reading.told
            _log.info("%s: read as %s", where, reading.told)
        return pd.DataFrame(columns), {}

    def units(self, eid: str) -> pd.DataFrame:
        """Columns (N) of the units, as a raw file has them."""
        source, mapped = self._source, self._mapping.units or {}
        columns: dict[str, np.ndarray] = {name: self._with_values(name, self._column("units", name)) for name in mapped}
        n = source.n_units
        defaults = {
            "uuid": np.array([f"{eid}-{row}" for row in range(n)], dtype=object),
            "beryl": columns.get("acronym", np.full(n, "", object)),
        }
        # Units of one group of electrodes were recorded together.
        groups = next((source.units[name] for name in _GROUPS if name in source.units), None)
        if groups is not None:
            defaults["probe"] = groups
        table = {}
        for name in _TEXTS:
            column = columns.get(name, defaults.get(name, np.full(n, "", object)))
            table[name] = column if column.dtype == object else np.array(value_names(column), object)
        for name, unknown in _NUMBERS.items():
            column = columns.get(name, np.full(n, unknown))
            self._require_numbers("units", name, column)
            table[name] = column
        duration_s = np.ptp(source.spike_times) if len(source.spike_times) else 1.0
        table["cluster_id"] = np.arange(n)
        table["firing_rate_hz"] = np.bincount(source.spike_units, minlength=n) / max(duration_s, 1e-9)
        return pd.DataFrame(table, index=np.arange(n))

    def _require_numbers(self, table: str, name: str, column: np.ndarray) -> None:
        if column.dtype == object:
            texts = ", ".join(sorted(set(map(str, column)))[:5])
            how = f"give each a number under {self._key}.values.{name}, or leave {name} out"
            mapped = (getattr(self._mapping, table) or {}).get(name, name)
            raise self._fault(f"{table}.{name}", f"column {mapped} holds text ({texts}); {how}")

    def _column(self, table: str, name: str) -> np.ndarray:
        """The column of the file's `trials` or `units` that the mapping names for `name`."""
        columns, mapped = getattr(self._source, table), getattr(self._mapping, table)[name]
        if mapped not in columns:
            there = ", ".join(columns) or "none"
            raise self._fault(f"{table}.{name}", f"no column {mapped} with one value each; there are {there}")
        return columns[mapped]

    def _with_values(self, name: str, column: np.ndarray) -> np.ndarray:
        """With what the mapping says that the values of the file stand for; NaN stays unknown."""
        meaning = (self._mapping.values or {}).get(name)
        if meaning is None:
            return column
        texts = value_names(column)
        known = [value for value in meaning.values() if value != ""]
        numeric = bool(known) and not any(isinstance(value, str) for value in known)
        found = meanings(texts, {"nan": np.nan if numeric else "", "": np.nan if numeric else ""} | dict(meaning))
        unknown = sorted({text for text, value in zip(texts, found, strict=True) if value is None})
        if unknown:
            raise self._fault(
                f"values.{name}", f"says nothing of {', '.join(unknown[:5])}; it names {', '.join(meaning)}"
            )
        if numeric:
            return np.array([np.nan if value == "" else value for value in found], dtype=float)
        return np.array(found, dtype=object)

    def _fault(self, key: str, what: str) -> UserError:
        return UserError(f"{self._path}, config key {self._key}.{key}: {what}")
