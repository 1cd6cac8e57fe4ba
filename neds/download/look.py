"""A look into a session's ALF folder before anything runs: what of it can be loaded, and how much there is."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from neds.download.behaviour import load_trials
from neds.download.loaders import load_traces
from neds.download.local import open_local
from neds.download.session_files import SessionFiles, Unavailable
from neds.download.settings import DownloadSettings
from neds.download.spike_sorting import KnownRegions, count_probe
from neds.errors import UserError
from neds.files.raw import Trace
from neds.modalities import Modality
from neds.partition.outlook import Outlook, outlook, without_spikes
from neds.partition.settings import PartitionSettings


def look_into(
    alf_root: Path,
    *,
    session_path: str,
    eid: str,
    settings: DownloadSettings,
    modalities: Mapping[str, Mapping[str, Modality]],
    cuttings: Mapping[str, PartitionSettings],
) -> Outlook:
    """Look into a session of an ALF folder. Its trials and behaviours are read, but for LFP; its spikes are counted.

    Args:
        alf_root: folder that holds lab/Subjects/...
        session_path: the session's folder within it.
        eid: session id.
        settings: of its download.
        modalities: of each view, by name.
        cuttings: how the recording will be cut, by view.
    """
    has_lfp = "lfp" in (settings.extras or [])
    settings = settings.model_copy(update={"extras": [extra for extra in settings.extras or [] if extra != "lfp"]})
    try:
        one, one_eid = open_local(alf_root=alf_root, session_path=session_path, eid=eid)
        files = SessionFiles(one, one_eid, revision=settings.revision_before)
        problems: dict[str, str] = {}
        trials, traces = _behaviour(files, settings, problems)
        n_units, n_spikes = _counted(files, settings, problems)
    except Unavailable as reason:
        return Outlook(faults=[f"{session_path}: {reason}; a session without trials is of no use here"])
    except UserError as error:
        return Outlook(faults=str(error).splitlines())
    raw = without_spikes(units=pd.DataFrame(index=range(n_units)), trials=trials, traces=traces, problems=problems)
    looked_for = {
        view: {name: modality for name, modality in own.items() if name != "lfp"} for view, own in modalities.items()
    }
    found = outlook(raw, n_spikes=n_spikes, where=session_path, modalities=looked_for, cuttings=cuttings)
    found.readings += ["lfp was not looked into"] if has_lfp else []
    return found


def _behaviour(
    files: SessionFiles, settings: DownloadSettings, problems: dict[str, str]
) -> tuple[pd.DataFrame, dict[str, Trace]]:
    """The trials and the traces.

    Raises:
        Unavailable: there are no trials.
    """
    trials, _ = load_trials(files)
    return trials, load_traces(files, settings, trials, problems, remarks={})


def _counted(files: SessionFiles, settings: DownloadSettings, problems: dict[str, str]) -> tuple[int, int]:
    """Units and spikes of all probes; why one has none goes to `problems`."""
    names, regions = settings.probes or files.probes(), KnownRegions()
    if not names:
        problems["spikes"] = "the session has no probes"
    n_units = n_spikes = 0
    for name in names:
        try:
            of_probe = count_probe(files, name, spike_sorter=settings.spike_sorter, regions=regions)
        except Unavailable as reason:
            problems[name] = str(reason)
            continue
        n_units, n_spikes = n_units + of_probe[0], n_spikes + of_probe[1]
    return n_units, n_spikes
