"""What the names in a recording's file suggest for a configuration: in use where one is unmistakable, else as comments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pydantic import ValidationError

from neds.commands.yaml_lines import Line
from neds.conversion.settings import COMPUTED_FROM, RAW_UNITS, FileMapping
from neds.conversion.source import SourceSession
from neds.conversion.units import conversion, is_known
from neds.errors import UserError
from neds.modalities import BUILT_IN, PAPER, Modality
from neds.partition.array_values import categorical, value_names

MOST_COLUMNS = 4
"""A series of more values per sample (voltages, pose of many points) is no behaviour that is suggested."""
MOST_SERIES = 6
"""Of more series than that, none is taken by its own name: somebody has to choose."""
MOST_CLASSES = 8
_RAW_NAMES = {
    "wheel_velocity": ("wheel_velocity", "wheel_vel"),
    "wheel_position": ("wheel_position", "wheel_pos"),
    **{name: (name,) for names in COMPUTED_FROM.values() for name in names if name.endswith("motion_energy")},
}
"""Trace of a raw file -> what files call it; a modality is called as it is."""
_COLUMNS = {"block": ("block", "probability_left")}
_IBL_COLUMNS = ("stimOn_times", "choice", "firstMovement_times", "feedback_times")
_STIMULUS = ("stim_on_times", "stim_on_time", "stim_on", "stimulus_on", "stimulus_onset", "stimulus_onset_time")
"""What tables of trials call the onset of the stimulus."""
_ENDS = (("start_time", "start"), ("stop_time", "end"))
_INTERVAL = ("id", *(name for pair in _ENDS for name in pair))
_REGIONS = ("acronym", "brain_region", "brain_area", "region", "region_allen", "area", "location")
_NO_REGION = {"", "unknown", "nan"}
_QUALITY = ("label", "quality", "ks_label", "kslabel", "group")
"""Columns of the units themselves; that of electrodes is no quality of a unit."""


@dataclass
class Suggestion:
    """What is suggested for a recording.

    Attributes:
        modalities: in use.
        custom: entries of `custom_modalities`.
        mapping: entries of each mapping of the source's block, by its key.
        further: entries of that block beside these.
        align: event of the trials; empty where there are none.
        events: other columns of times.
        rule: which trials are kept.
    """

    modalities: list[str] = field(default_factory=lambda: ["spikes"])
    custom: list[Line] = field(default_factory=list)
    mapping: dict[str, list[Line]] = field(default_factory=dict)
    further: list[Line] = field(default_factory=list)
    align: str = ""
    events: list[str] = field(default_factory=list)
    rule: str = "all"

    def ask_values(self, name: str, column: np.ndarray, each: str) -> None:
        """Ask what the values of a column stand for.

        Args:
            each: what each of them is.
        """
        values = sorted(set(value_names(column)) - {"nan", ""})[:MOST_CLASSES]
        asked = Line(name, dict.fromkeys(values, ""), f"each is {each}", used=False)
        self.mapping.setdefault("values", []).append(asked)


def plain_name(name: str) -> str:
    """A name in small letters, its words joined by _: wheelSpeed, WheelSpeed and wheel-speed are one."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", parts.lower()).strip("_")


def free_name(name: str, found: Suggestion) -> str:
    """A name that a modality of one's own may have, from what a file calls it; empty where there is none, or it is taken."""
    name = name if re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_-]*", name) else plain_name(name)
    try:
        Modality(name=name, kind="continuous")
    except ValidationError:
        return ""
    return "" if name in BUILT_IN or any(line.name == name for line in found.custom) else name


def suggested(source: SourceSession, usual: FileMapping, *, behaviour: str) -> Suggestion:
    """What the names in an open file of another format suggest.

    Args:
        usual: mapping of the format's usual names, which need not be named where a file has them.
        behaviour: how paths of series begin that are behaviour.
    """
    if _is_usual(source, usual):
        return _of_usual(source, usual)
    found = Suggestion()
    _add_series(found, source, behaviour)
    if source.trials is not None:
        _add_trials(found, source.trials)
    _add_units(found, source.units)
    return found


def per_trial(name: str, column: np.ndarray) -> Line | None:
    """A modality of one value per trial (K,), as a comment: which kind it is of is for people to say. None for what is the
    same in all trials, or text of many kinds.
    """
    names = sorted(set(value_names(column)) - {"nan", ""})
    if len(names) < 2:
        return None
    is_text = column.dtype.kind in "OU"
    if is_text or (column.dtype.kind in "biu" and len(names) <= MOST_CLASSES):
        return Line(name, {"kind": "categorical", "classes": names}, used=False) if len(names) <= MOST_CLASSES else None
    return Line(name, {"kind": "scalar"}, used=False)


def known_column(name: str, column: np.ndarray) -> tuple[Modality | None, str, bool]:
    """The built-in modality of one value per trial (K,) that a column is called as, what is to be said of its values, and
    whether they can be read.
    """
    called = plain_name(name)
    modality = next((m for m in BUILT_IN.values() if m.per_trial and called in _COLUMNS.get(m.name, (m.name,))), None)
    if modality is None:
        return None, "", False
    try:
        reading = categorical(column, modality, where=name)
    except UserError:
        values = ", ".join(sorted(set(value_names(column)))[:MOST_CLASSES])
        return modality, f"holds {values}: say under values what each is", False
    return modality, f"read as {reading.told}", len(set(reading.index.tolist()) - {-1}) > 1


def _is_usual(source: SourceSession, usual: FileMapping) -> bool:
    """Whether a file has the columns of trials that the IBL's rules need, by the format's usual names."""
    named = usual.trials or {}
    return bool(named) and {named[column] for column in _IBL_COLUMNS} <= (source.trials or {}).keys()


def _of_usual(source: SourceSession, usual: FileMapping) -> Suggestion:
    places, columns = {*source.places()}, {*(source.trials or {})}
    there = [name for name, place in (usual.series or {}).items() if place in places]
    there += [name for name, column in (usual.trials or {}).items() if column in columns]
    return Suggestion(["spikes", *(name for name in PAPER if name in there)], align="stimOn_times", rule="neds")


def _add_series(found: Suggestion, source: SourceSession, behaviour: str) -> None:
    lines: list[Line] = []
    others: list[str] = []
    called: dict[str, list[str]] = {}
    for place in source.places():
        called.setdefault(_called(place), []).append(place)
    # A modality before the traces that it might be computed from.
    order = [*(name for name in BUILT_IN if name not in _RAW_NAMES), *_RAW_NAMES]
    for name in sorted(called, key=[*order, *called].index):
        places = called[name]
        modality, unit = _of_series(name)
        if modality is None:
            others += places
            continue
        misfit = [place for place in places if not _fits(source.unit_of(place), unit)]
        serves = [other for other in found.modalities if name in (other, *COMPUTED_FROM.get(other, ()))]
        sure = len(places) == 1 and not misfit and not serves and modality.name not in found.modalities
        note = f"in {source.unit_of(misfit[0])}, the modality in {unit}: define one of your own" if misfit else ""
        lines += [Line(name, place, note or _shown(source, place), used=sure) for place in places]
        found.modalities += [modality.name] if sure else []
    candidates = [place for place in others if _columns(source, place) <= MOST_COLUMNS]
    taken = [place for place in candidates if place.startswith(behaviour)]
    taken = taken if len(taken) <= MOST_SERIES else []
    for place in candidates:
        name = free_name("_".join(place.split("/")[-1 if len(called[_called(place)]) == 1 else -2 :]), found)
        if not name:
            continue
        unit, columns = source.unit_of(place), _columns(source, place)
        entry: dict[str, object] = {"kind": "continuous"}
        entry |= {"width": columns} if columns > 1 else {}
        entry |= {"unit": unit} if is_known(unit) else {}
        is_taken = place in taken
        found.custom.append(Line(name, entry, used=is_taken))
        lines.append(Line(name, place, _shown(source, place), used=is_taken))
        found.modalities += [name] if is_taken else []
    found.mapping["series"] = sorted(lines, key=lambda line: not line.used)


def _called(place: str) -> str:
    name = plain_name(place.rpartition("/")[2])
    return next((raw for raw, names in _RAW_NAMES.items() if name in names), name)


def _of_series(name: str) -> tuple[Modality | None, str]:
    """The built-in modality that a series of this name is, or is computed to, and the unit that it then has."""
    for modality, traces in COMPUTED_FROM.items():
        if name in traces and name not in BUILT_IN:
            return BUILT_IN[modality], RAW_UNITS.get(name, "")
    known = BUILT_IN.get(name)
    return (known, known.unit) if known and known.kind == "continuous" and known.width else (None, "")


def _fits(given: str, wanted: str) -> bool:
    try:
        return not (is_known(given) and is_known(wanted)) or conversion(given, wanted) is not None
    except ValueError:
        return False


def _shape(source: SourceSession, place: str) -> tuple[int, ...]:
    return source.shape_of(place) if source.shape_of else ()


def _columns(source: SourceSession, place: str) -> int:
    shape = _shape(source, place)
    return shape[1] if len(shape) == 2 else 1 if len(shape) == 1 else MOST_COLUMNS + 1


def _shown(source: SourceSession, place: str) -> str:
    unit = source.unit_of(place)
    shape = " x ".join(map(str, _shape(source, place)))
    return f"{shape} samples{f', {unit}' if is_known(unit) else ''}"


def _add_trials(found: Suggestion, trials: Mapping[str, np.ndarray]) -> None:
    times = [name for name in trials if name not in _INTERVAL and _is_time(name, trials)]
    start = next((name for name in ("start_time", "start") if name in trials), "")
    onset = [name for name in times if plain_name(name) in _STIMULUS]
    found.align = onset[0] if len(onset) == 1 else start
    found.events = [name for name in (start, *times) if name and name != found.align]
    lines = []
    for name, column in trials.items():
        if name in (*_INTERVAL, *times):
            continue
        modality, note, is_readable = known_column(name, column)
        if modality is None:
            own = free_name(name, found)
            line = per_trial(own, column) if own else None
            found.custom += [line] if line else []
            lines += [Line(own, name, used=False)] if line and own != name else []
            continue
        if not is_readable:
            found.ask_values(modality.name, column, f"one of {', '.join(modality.classes)}")
        lines.append(Line(modality.name, name, note, used=is_readable and modality.name not in found.modalities))
        found.modalities += [modality.name] if lines[-1].used else []
    found.mapping["trials"] = lines


def _is_time(name: str, trials: Mapping[str, np.ndarray]) -> bool:
    """Whether a column holds moments of the trials, by its name or because all lie in their trials."""
    column = trials[name]
    if column.dtype.kind != "f" or not np.isfinite(column).any():
        return False
    start, stop = (next((trials[end] for end in pair if end in trials), None) for pair in _ENDS)
    if start is None or stop is None:
        return plain_name(name).endswith(("_time", "_times"))
    known = np.isfinite(column)
    return bool(((column >= start) & (column <= stop))[known].all())


def _add_units(found: Suggestion, units: Mapping[str, np.ndarray]) -> None:
    by_name: dict[str, list[str]] = {}
    for name in units:
        by_name.setdefault(plain_name(name.removeprefix("electrodes.")), []).append(name)
    regions = [own for name in _REGIONS for own in by_name.get(name, []) if set(value_names(units[own])) - _NO_REGION]
    lines = [Line("acronym", name, used=len(regions) == 1) for name in regions]
    for own in (own for own in units if plain_name(own) in _QUALITY):
        column = units[own]
        is_share = own == "label" and column.dtype.kind in "biuf" and bool(((column >= 0) & (column <= 1)).all())
        if not is_share:
            found.ask_values("label", column, "a number from 0 to 1, the quality of the unit")
        lines.append(Line("label", own, used=is_share))
    found.mapping["units"] = lines
