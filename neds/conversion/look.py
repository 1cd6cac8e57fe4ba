"""A look into a session's file before anything runs: whether it has what the configuration names in it, and how much."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from neds.conversion.mapped import Mapped
from neds.conversion.session_file import session_file
from neds.conversion.settings import COMPUTED_FROM, ConvertRun, FormatName
from neds.conversion.stage import opened, refuse_folder
from neds.errors import UserError
from neds.modalities import Modality
from neds.partition.outlook import Outlook, outlook, without_spikes
from neds.partition.settings import PartitionSettings


def look_into(
    path: Path,
    *,
    format: FormatName,
    settings: ConvertRun,
    modalities: Mapping[str, Mapping[str, Modality]],
    cuttings: Mapping[str, PartitionSettings],
    linked: Sequence[Path] = (),
) -> Outlook:
    """Look into a file of another format. Its units, trials and series are read; its spikes are counted.

    Args:
        format: of the file.
        settings: of its conversion.
        modalities: of each view, by name.
        cuttings: how the recording will be cut, by view.
        linked: other files that its links may lead to.
    """
    try:
        refuse_folder(path)
        with session_file(path) as file, opened(file, format=format, settings=settings, linked=linked) as session:
            return _look(session, settings, modalities, cuttings)
    except UserError as error:
        return Outlook(faults=str(error).splitlines())


def _look(
    session: Mapped,
    settings: ConvertRun,
    modalities: Mapping[str, Mapping[str, Modality]],
    cuttings: Mapping[str, PartitionSettings],
) -> Outlook:
    source, mapping = session.source, session.mapping
    series = mapping.series or {}
    by_name, wanted = {modality.name: modality for modality in settings.modalities}, settings.units()
    absent: dict[str, str] = {}
    for name in series:
        fault = _fault(partial(session.require_series, name, by_name.get(name), wanted.get(name, "")))
        absent |= {name: fault} if fault else {}
    faults = list(absent.values()) if mapping.missing_series == "error" else []
    lacks = {}
    for modality in (each for each in settings.modalities if not each.per_trial):
        mapped = [name for name in (modality.name, *COMPUTED_FROM.get(modality.name, ())) if name in series]
        if mapped and all(each in absent for each in mapped):
            lacks[modality.name] = absent[mapped[0]]
    columns = [
        fault
        for table in ("units", "trials")
        if table == "units" or source.trials is not None
        for name in getattr(mapping, table) or {}
        if (fault := _fault(partial(session.column, table, name)))
    ]
    columns = columns or [fault for fault in [_fault(partial(session.units, "session"))] if fault]
    faults += columns
    try:
        trials, problems = session.trials(settings.per_trial())
    except UserError as error:
        faults += [line for line in str(error).splitlines() if line not in faults]
    if not faults:
        try:
            traces, untraced = session.traces(wanted)
        except UserError as error:
            faults += str(error).splitlines()
    if faults:
        return Outlook(faults=faults, lacks=[] if mapping.missing_series == "error" else list(lacks.values()))
    units = session.units("session")
    raw = without_spikes(
        units=units,
        trials=trials,
        traces=traces,
        problems=untraced | problems,
        mapped=[*(mapping.series or {}), *(mapping.trials or {})],
    )
    looked_for = {
        view: {name: modality for name, modality in own.items() if name not in lacks}
        for view, own in modalities.items()
    }
    found = outlook(raw, n_spikes=source.n_spikes, where=str(session.path), modalities=looked_for, cuttings=cuttings)
    found.lacks[:0] = lacks.values()
    found.readings += [f"{name}: {told}" for name, told in session.readings.items()]
    return found


def _fault(attempt: Callable[[], object]) -> str:
    """What an attempt is refused for; empty where it is not."""
    try:
        attempt()
    except UserError as error:
        return str(error)
    return ""
