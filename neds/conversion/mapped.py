"""A session of another format seen through the mapping of the configuration: what becomes of it in a raw file.

Shapes: N units, K trials.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from neds.conversion.session_file import SessionFile
from neds.conversion.settings import FileMapping, UnitColumn
from neds.conversion.source import NoSuchSeries, SourceSession, UnusableSeries, events_of_rate
from neds.conversion.units import conversion, is_known
from neds.errors import UserError
from neds.files.raw import Trace
from neds.modalities import Modality
from neds.partition.array_values import categorical, meanings, value_names
from neds.words import counted

_NUMBERS: dict[UnitColumn, float] = {"depth_um": np.nan, "label": np.nan, "channel": -1}
_GROUPS = ("electrode_group", "electrodes.group_name")
_TEXTS = ("uuid", "probe", "acronym", "beryl", "cosmos")


def in_file(given: FileMapping, source: SourceSession) -> FileMapping:
    """The mapping, with those of the format's usual columns that the file has. Columns that the user names must be there."""
    mapping = given.filled()
    there = {"trials": source.trials or {}, "units": source.units}
    usual = {
        table: {name: column for name, column in getattr(mapping, table).items() if column in columns}
        for table, columns in there.items()
        if getattr(given, table) is None and getattr(mapping, table) is not None
    }
    return mapping.model_copy(update=usual)


class Mapped:
    """A source session seen through a mapping."""

    def __init__(self, path: SessionFile, key: str, mapping: FileMapping, source: SourceSession) -> None:
        self.path, self.key, self.mapping, self.source = path, key, mapping, source
        self.remarks: dict[str, str] = {}
        self.readings: dict[str, str] = {}

    def traces(self, units: Mapping[str, str]) -> tuple[dict[str, Trace], dict[str, str]]:
        """The mapped series, and why others are absent.

        Args:
            units: to which values are converted, by modality or trace; empty where that does not matter.
        """
        traces, problems = {}, {}
        for name, place in (self.mapping.series or {}).items():
            try:
                trace, remarks = self.source.series(place)
                traces[name], changed = self._in_unit(name, trace, units.get(name, ""))
                remarks += changed
                remarks += self._mask(name, traces)
                if name in (self.mapping.event_rates or []):
                    traces[name] = events_of_rate(traces[name])
            except (NoSuchSeries, UnusableSeries) as problem:
                if self.mapping.missing_series == "error":
                    raise self._refused(name, problem) from None
                problems[name] = _told(place, problem)
                continue
            if remarks:
                self.remarks[name] = "; ".join(remarks)
        return traces, problems

    def require_series(self, name: str, modality: Modality | None, wanted: str) -> None:
        """Refuse a mapped series for what shows without reading it: its name, its unit, and its width.

        Args:
            modality: that is called so; None for a trace that others are computed from.
            wanted: unit to which values are converted.

        Raises:
            UserError: it is not there, or of another unit or width.
        """
        place = (self.mapping.series or {})[name]
        try:
            shape = self.source.shape_of(place) if self.source.shape_of else self.source.series(place)[0].values.shape
            self._in_unit(name, Trace(np.zeros(0), np.zeros(0, np.float32)), wanted)
        except (NoSuchSeries, UnusableSeries) as problem:
            raise self._refused(name, problem) from None
        width = shape[1] if len(shape) > 1 else 1
        if modality and modality.width not in (None, width):
            there = f"series {place} has {counted(width, 'value')} per sample"
            raise self._fault(f"series.{name}", f"{there}; set `width` of the modality to {width}")

    def _refused(self, name: str, problem: NoSuchSeries | UnusableSeries) -> UserError:
        how = f"correct it, or set {self.key}.missing_series: skip where some sessions lack it"
        return self._fault(f"series.{name}", f"{_told((self.mapping.series or {})[name], problem)}; {how}")

    def _mask(self, name: str, traces: dict[str, Trace]) -> list[str]:
        """Make those samples of a trace unknown of which another series of the same clock says so; a remark."""
        place = (self.mapping.known_where or {}).get(name)
        if place is None:
            return []
        trace = traces[name]
        try:
            known, _ = self.source.series(place)
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
        said = (self.mapping.series_units or {}).get(name)
        given = self.source.unit_of((self.mapping.series or {})[name]) if said is None else said
        if not (is_known(given) and is_known(wanted)):
            return trace, []
        key = f"{self.key}.series_units.{name}"
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
        found = self.source.trials
        if found is None:
            there = ", ".join(self.source.tables) or "none"
            return pd.DataFrame(), {
                "trials": f"the file has no table {self.mapping.trials_table}, its tables are {there}"
            }
        renamed = {name: self.column("trials", name) for name in self.mapping.trials or {}}
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
            meaning = (self.mapping.values or {}).get(name)
            block = "trials" if meaning is None else "values"
            where = f"{self.path}, config key {self.key}.{block}.{name}"
            reading = categorical(
                columns[name], modality, where=where, meaning=meaning, key=f"{self.key}.values.{name}"
            )
            columns[name] = np.array([*modality.classes, ""], dtype=object)[reading.index]
            self.readings[name] = reading.told
        return pd.DataFrame(columns), {}

    def units(self, eid: str) -> pd.DataFrame:
        """Columns (N) of the units, as a raw file has them, but for what is counted of their spikes."""
        source, mapped = self.source, self.mapping.units or {}
        columns: dict[str, np.ndarray] = {name: self._with_values(name, self.column("units", name)) for name in mapped}
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
        table["cluster_id"] = np.arange(n)
        # All of them, so that to ask for one (evaluation.held_out_column) makes no session stale.
        table |= {name: values for name, values in source.marks.items() if name not in table}
        return pd.DataFrame(table, index=np.arange(n))

    def _require_numbers(self, table: str, name: str, column: np.ndarray) -> None:
        if column.dtype == object:
            texts = ", ".join(sorted(set(map(str, column)))[:5])
            how = f"give each a number under {self.key}.values.{name}, or leave {name} out"
            mapped = (getattr(self.mapping, table) or {}).get(name, name)
            raise self._fault(f"{table}.{name}", f"column {mapped} holds text ({texts}); {how}")

    def column(self, table: str, name: str) -> np.ndarray:
        """The column of the file's `trials` or `units` that the mapping names for `name`.

        Raises:
            UserError: there is none.
        """
        columns, mapped = getattr(self.source, table), getattr(self.mapping, table)[name]
        if mapped not in columns:
            there = ", ".join(columns) or "none"
            raise self._fault(f"{table}.{name}", f"no column {mapped} with one value each; there are {there}")
        return columns[mapped]

    def _with_values(self, name: str, column: np.ndarray) -> np.ndarray:
        """With what the mapping says that the values of the file stand for; NaN stays unknown."""
        meaning = (self.mapping.values or {}).get(name)
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
        return UserError(f"{self.path}, config key {self.key}.{key}: {what}")


def _told(place: str, problem: NoSuchSeries | UnusableSeries) -> str:
    what = f"no series {place}" if isinstance(problem, NoSuchSeries) else f"series {place} cannot be used"
    return f"{what}: {problem}"
