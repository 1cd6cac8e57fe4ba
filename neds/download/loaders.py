"""One session of a ONE instance, loaded through ibllib's own loaders."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version

import numpy as np
import pandas as pd
from one.api import One

from neds.download.behaviour import (
    LICK_VIEWS,
    find_frame_times,
    find_licks,
    find_trials,
    find_wheel,
    find_whisker_motion_energy,
    load_licks,
    load_trials,
    load_wheel,
    load_whisker_motion_energy,
)
from neds.download.cameras import find_tracking, load_paw_speeds, load_pupil
from neds.download.lfp import find_lfp, load_lfp, merged
from neds.download.session_files import SessionFiles, Unavailable
from neds.download.settings import DownloadSettings
from neds.download.spike_sorting import KnownRegions, Probe, find_sorting, load_probe
from neds.download.verified import VerifyingOne
from neds.errors import UserError
from neds.files.raw import RawSession, Trace

VIEWS = ("left", "right")
UNIT_COLUMNS = (
    "uuid", "probe", "cluster_id", "acronym", "beryl", "cosmos", "depth_um", "channel", "label", "firing_rate_hz",
)  # fmt: skip


def load_session(one: One, *, one_eid: str, eid: str, source: str, settings: DownloadSettings) -> RawSession:
    """Load everything that the session has.

    The wheel, a camera or a probe that cannot be loaded is left out, with the reason in `provenance["problems"]`;
    what had to be mended is in `provenance["remarks"]`.

    Args:
        one_eid: the session's id within `one`.
        eid: the id to store.
        source: "alf" or "one", for the provenance.

    Raises:
        UserError: the session has no usable trials, or a file is damaged.
    """
    files = SessionFiles(one, one_eid, revision=settings.revision_before)
    lab, subject, date, _ = files.path.session_parts
    try:
        trials, remark = load_trials(files)
    except Unavailable as reason:
        raise _of_no_use(eid, reason) from None
    problems: dict[str, str] = {}
    remarks = {"trials": remark} if remark else {}
    traces = load_traces(files, settings, trials, problems, remarks)
    probes = _load_probes(files, settings, problems, remarks)
    spike_times, spike_units, units = _merge(probes)
    provenance = {
        "source": source,
        "settings": settings.model_dump(exclude={"alf_root", "cache_dir", "pause_s"}),
        "versions": {package: version(package) for package in ("ONE-api", "ibllib", "iblatlas")},
        "spike_sorting": {name: probe.collection for name, probe in probes.items()},
        "datasets": files.record(),
        "problems": problems,
        "remarks": remarks,
    }
    return RawSession(
        eid=eid,
        subject=subject,
        lab=lab,
        date=date,
        spike_times=spike_times,
        spike_units=spike_units,
        units=units,
        trials=trials,
        traces=traces,
        provenance=provenance,
    )


def needed_datasets(database: VerifyingOne, *, eid: str, settings: DownloadSettings) -> pd.DataFrame:
    """Records of the datasets that `load_session` would download, indexed by session and dataset id.

    Raises:
        UserError: the session has no trials.
    """
    files = SessionFiles(database, eid, revision=settings.revision_before)
    probes, regions = settings.probes or files.probes(), KnownRegions()
    finders: list[Callable[[], object]] = [partial(find_wheel, files)]
    finders += [partial(find_whisker_motion_energy, files, view) for view in VIEWS]
    of_extras: dict[str, list[Callable[[], object]]] = {
        "pupil": [partial(find_tracking, files, "features")],
        "paws": [partial(find_tracking, files, settings.pose_tracker)],
        "licks": [partial(find_licks, files), *(partial(find_frame_times, files, view) for view in LICK_VIEWS)],
        "lfp": [partial(find_lfp, files, probe) for probe in probes],
    }
    finders += [find for extra in settings.extras or [] for find in of_extras[extra]]
    find_of_probe = partial(find_sorting, files, spike_sorter=settings.spike_sorter, regions=regions)
    finders += [partial(find_of_probe, probe) for probe in probes]
    with database.planning() as asked_for:
        try:
            find_trials(files)
        except Unavailable as reason:
            raise _of_no_use(eid, reason) from None
        for find in finders:
            # What a session lacks is not downloaded, and said when it is loaded.
            with suppress(Unavailable):
                find()
    datasets = pd.concat(asked_for)
    return datasets[~datasets.index.duplicated()]


def _of_no_use(eid: str, reason: Unavailable) -> UserError:
    return UserError(
        f"session {eid}: {reason}; a session without trials is of no use here, take it off the sessions sheet"
    )


def load_traces(
    files: SessionFiles,
    settings: DownloadSettings,
    trials: pd.DataFrame,
    problems: dict[str, str],
    remarks: dict[str, str],
) -> dict[str, Trace]:
    """The wheel, the motion energy and the extras of the settings; why one is absent goes to `problems`, what had to be
    mended to `remarks`.
    """
    loaders = {"wheel": lambda: load_wheel(files)}
    for view in VIEWS:
        loaders[f"{view}_whisker_motion_energy"] = partial(_whisker_motion_energy, files, view, settings)
    return _loaded(loaders, problems, remarks) | _load_extras(files, settings, trials, problems, remarks)


def _whisker_motion_energy(files: SessionFiles, view: str, settings: DownloadSettings) -> tuple[dict[str, Trace], str]:
    trace, remark = load_whisker_motion_energy(files, view, most_surplus_s=settings.most_surplus_s)
    return {f"{view}_whisker_motion_energy": trace}, remark


def _load_extras(
    files: SessionFiles,
    settings: DownloadSettings,
    trials: pd.DataFrame,
    problems: dict[str, str],
    remarks: dict[str, str],
) -> dict[str, Trace]:
    most_surplus_s = settings.most_surplus_s

    def named(name: str, loaded: tuple[Trace, str]) -> tuple[dict[str, Trace], str]:
        return {name: loaded[0]}, loaded[1]

    loaders = {
        "pupil": lambda: named("pupil_diameter", load_pupil(files, most_surplus_s=most_surplus_s)),
        "paws": lambda: load_paw_speeds(files, settings.pose_tracker, most_surplus_s=most_surplus_s),
        "licks": lambda: named("licks", load_licks(files)),
        "lfp": lambda: (_load_lfp(files, settings, trials, problems), ""),
    }
    return _loaded({extra: loaders[extra] for extra in settings.extras or []}, problems, remarks)


def _loaded(
    loaders: dict[str, Callable[[], tuple[dict[str, Trace], str]]], problems: dict[str, str], remarks: dict[str, str]
) -> dict[str, Trace]:
    """What the loaders find; why one finds nothing goes to `problems`, what it had to mend to `remarks`."""
    traces: dict[str, Trace] = {}
    for name, load in loaders.items():
        try:
            found, remark = load()
        except Unavailable as reason:
            problems[name] = str(reason)
            continue
        traces |= found
        if remark:
            remarks[name] = remark
    return traces


def _load_lfp(
    files: SessionFiles, settings: DownloadSettings, trials: pd.DataFrame, problems: dict[str, str]
) -> dict[str, Trace]:
    probes = {}
    for name in settings.probes or files.probes():
        try:
            probes[name] = load_lfp(files, name, trials, settings.lfp)
        except Unavailable as reason:
            problems[f"lfp of {name}"] = str(reason)
    return {"lfp": merged(probes)} if probes else {}


def _load_probes(
    files: SessionFiles, settings: DownloadSettings, problems: dict[str, str], remarks: dict[str, str]
) -> dict[str, Probe]:
    names = settings.probes or files.probes()
    if not names:
        problems["spikes"] = "the session has no probes"
    regions = KnownRegions()
    probes = {}
    for name in names:
        try:
            probes[name] = load_probe(files, name, spike_sorter=settings.spike_sorter, regions=regions)
        except Unavailable as reason:
            problems[name] = str(reason)
            continue
        if probes[name].remarks:
            remarks[name] = "; ".join(probes[name].remarks)
    return probes


def _merge(probes: dict[str, Probe]) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """All probes together: spike times in order (n_spikes,), their rows in the unit table, and that table."""
    if not probes:
        return np.zeros(0), np.zeros(0, np.int32), pd.DataFrame({column: [] for column in UNIT_COLUMNS})
    offsets = np.cumsum([0, *(len(probe.units) for probe in probes.values())])
    times = np.concatenate([probe.times for probe in probes.values()])
    rows = np.concatenate([probe.clusters + offset for probe, offset in zip(probes.values(), offsets, strict=False)])
    order = np.argsort(times, kind="stable")
    units = pd.concat([probe.units for probe in probes.values()], ignore_index=True)
    return times[order], rows[order].astype(np.int32), units
