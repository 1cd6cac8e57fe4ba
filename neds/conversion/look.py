"""A look into a session's file before anything runs: whether it has what the configuration names in it, and how much."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from neds.conversion.mapped import Mapped
from neds.conversion.session_file import session_file
from neds.conversion.settings import COMPUTED_FROM, ConvertRun, FormatName
from neds.conversion.stage import opened, refuse_folder
from neds.errors import UserError
from neds.partition.settings import PartitionSettings
from neds.partition.trials import keep_trials
from neds.partition.unusable import Unusable
from neds.words import counted


@dataclass
class Look:
    """What is in a file.

    Attributes:
        holds: in words, e.g. "12 units, 60 trials".
        faults: what would stop the workflow, one line each.
        lacks: what would make the session unusable, one line each.
    """

    holds: str = ""
    faults: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)


def look_into(
    path: Path,
    *,
    format: FormatName,
    settings: ConvertRun,
    cuttings: Mapping[str, PartitionSettings],
    linked: Sequence[Path] = (),
) -> Look:
    """Look into a file of another format. Its units and trials are read; of its series their names, units and shapes.

    Args:
        format: of the file.
        settings: of its conversion.
        cuttings: how the recording will be cut, by view.
        linked: other files that its links may lead to.
    """
    look = Look()
    try:
        refuse_folder(path)
        with session_file(path) as file, opened(file, format=format, settings=settings, linked=linked) as session:
            _look(session, look, settings, cuttings)
    except UserError as error:
        look.faults += str(error).splitlines()
    return look


def _look(session: Mapped, look: Look, settings: ConvertRun, cuttings: Mapping[str, PartitionSettings]) -> None:
    source, mapping = session.source, session.mapping
    series = mapping.series or {}
    look.holds = counted(source.n_units, "unit")
    by_name, wanted = {modality.name: modality for modality in settings.modalities}, settings.units()
    absent: dict[str, str] = {}
    for name in series:
        fault = _fault(partial(session.require_series, name, by_name.get(name), wanted.get(name, "")))
        absent |= {name: fault} if fault else {}
    if mapping.missing_series == "error":
        look.faults += absent.values()
    else:
        for modality in (each for each in settings.modalities if not each.per_trial):
            mapped = [name for name in (modality.name, *COMPUTED_FROM.get(modality.name, ())) if name in series]
            look.lacks += [absent[name] for name in mapped[:1] if all(each in absent for each in mapped)]
    faults = [
        fault
        for table in ("units", "trials")
        if table == "units" or source.trials is not None
        for name in getattr(mapping, table) or {}
        if (fault := _fault(partial(session.column, table, name)))
    ]
    faults = faults or [fault for fault in [_fault(partial(session.units, "session"))] if fault]
    look.faults += faults
    if all(cutting.cuts_windows for cutting in cuttings.values()):
        return
    try:
        trials, absent_table = session.trials(settings.per_trial())
    except UserError as error:
        look.faults += [line for line in str(error).splitlines() if line not in faults]
        return
    if source.trials is None or not len(trials):
        look.holds += ", no trials"
        look.lacks.append(f"{session.path}: {absent_table.get('trials', 'its table of trials is empty')}")
        return
    look.holds += f", {counted(len(trials), 'trial')}"
    read = "".join(f"; {name}: {told}" for name, told in session.readings.items())
    for view, cutting in cuttings.items():
        where = f"{session.path}{f', view {view}' if view else ''}"
        try:
            kept, _ = keep_trials(trials, cutting)
        except Unusable as problem:
            look.lacks.append(f"{where}: {problem}")
        except UserError as error:
            look.faults.append(f"{where}: config key {error}")
        else:
            look.holds += f" ({kept.sum()} kept by the trial rule{f' of {view}' if view else ''})"
    look.holds += read


def _fault(attempt: Callable[[], object]) -> str:
    """What an attempt is refused for; empty where it is not."""
    try:
        attempt()
    except UserError as error:
        return str(error)
    return ""
