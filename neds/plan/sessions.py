"""Jobs that make the files of each session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from neds.conversion.settings import MAPPINGS, ConvertRun
from neds.files.addresses import is_address
from neds.modalities import Modality
from neds.partition.settings import ArrayRun, PartitionRun
from neds.plan.evaluation import held_out_by_name
from neds.plan.step import Step, plain
from neds.roster import Session
from neds.settings import Settings, path_fault

if TYPE_CHECKING:
    from neds.plan.plan import Plan

SettingsType = TypeVar("SettingsType", bound=Settings)

_WITHOUT_RESULT = ("alf_root", "cache_dir", "pause_s")
_ONE_ALONE = ("base_url",)


def steps(plan: Plan) -> Iterator[Step]:
    recordings = {session.recording: session for session in plan.sessions}
    for session in recordings.values():
        if plan.config.source == "synthetic":
            yield _synthesized(plan, session)
        if plan.config.source == "aligned":
            yield _imported(plan, session)
        else:
            yield _loaded(plan, session)
    if plan.config.source != "aligned":
        for session in plan.sessions:
            yield _partitioned(plan, session)
    yield Step(
        rule="sessions_table",
        command="sessions-table",
        inputs={"aligned": tuple(plan.aligned(session.eid) for session in plan.sessions)},
        values={"roles": {session.eid: session.role for session in plan.sessions}} | held_out_by_name(plan),
        outputs={"output": plan.path("tables", "sessions.csv")},
    )


def alf_files(root: Path, session_path: str, *, with_lfp: bool) -> list[Path]:
    """The files of a session's ALF folder, and its recordings of LFP where they are wanted; sorted.

    Names of ALF files have no braces, which Snakemake would take for wildcards.
    """
    session = root / session_path
    found = [path for path in (session / "alf").rglob("*") if path.is_file()]
    if with_lfp:
        found += [path for path in session.glob("raw_ephys_data/*/*.lf.*") if path.is_file()]
    return sorted(path for path in found if not path_fault(str(path.relative_to(root))))


def science(modality: Modality) -> Modality:
    """What a modality is, without what figures call it."""
    return modality.model_copy(update={"label": "", "unit": ""})


def _synthesized(plan: Plan, session: Session) -> Step:
    settings = plan.config.synthetic
    subject = session.path.split("/")[2]
    return Step(
        rule="synthesize",
        command="synthesize",
        wildcards={"eid": session.recording},
        values={
            "index": session.index,
            "session_path": session.path,
            "without_cameras": subject in settings.missing_whisker,
            "settings": plain(settings.of_session()),
        },
        outputs={
            "alf_root": plan.path("synthetic", session.recording, "alf"),
            "truth": plan.path("synthetic", session.recording, "truth.h5"),
        },
        is_target=False,
    )


def _loaded(plan: Plan, session: Session) -> Step:
    config, eid = plan.config, session.recording
    known: dict[str, Any] = {
        "wildcards": {"eid": eid},
        "outputs": {"output": plan.raw(session)},
        # It is large, and of no more use once the session is cut into trials.
        "is_target": False,
    }
    if config.source in MAPPINGS:
        # As it is given, so that usual columns that a file lacks are told from those that somebody named.
        mapping = getattr(config, config.source)
        per_trial = [science(m) for m in plan.modalities.values() if m.per_trial]
        # Series are converted to the unit of their modality.
        continuous = [m for m in plan.modalities.values() if m.kind == "continuous"]
        in_units = [science(m).model_copy(update={"unit": m.unit}) for m in continuous]
        settings = ConvertRun(modalities=[*per_trial, *in_units], mapping=plain(mapping))
        inputs, place = session_file(plan, session, name="file")
        values = {"format": config.source, "eid": eid, "settings": plain(settings), **place}
        if session.linked:
            inputs["linked"] = tuple(sheet_file(plan, path) for path in session.linked)
        return Step(rule="convert", command="convert", inputs=inputs, values=values, **known)
    download = config.download_settings()
    if config.source == "one":
        values = {"source": "one", "eid": eid, "settings": plain(_by_default(download, *_WITHOUT_RESULT))}
        return Step(rule="download_one", command="download", values=values, **known)
    local = _by_default(download, *_WITHOUT_RESULT, *_ONE_ALONE)
    values = {"source": "alf", "eid": eid, "session_path": session.path, "settings": plain(local)}
    if config.source == "synthetic":
        made = {"files": (plan.path("synthetic", eid, "truth.h5"),)}
        alf = plan.path("synthetic", eid, "alf")
        return Step(rule="download_alf", command="download", inputs=made, values=values, also=(alf,), **known)
    files = alf_files(Path(config.download.alf_root or "."), session.path, with_lfp="lfp" in (download.extras or []))
    # Of a folder that is not there the folder itself is missing.
    folder = Path(config.download.alf_root or ".", session.path, "alf")
    read = {"files": tuple(map(str, files or [folder]))}
    return Step(rule="download_alf", command="download", inputs=read, values=values, **known)


def _partitioned(plan: Plan, session: Session) -> Step:
    return Step(
        rule="partition",
        command="partition",
        wildcards={"eid": session.eid},
        inputs={"raw": (plan.raw(session),)},
        values={"settings": plain(PartitionRun(**_cutting(plan, session.view))), "view": session.view},
        operational={"unusable": plan.config.partition.unusable},
        outputs={"output": plan.aligned(session.eid)},
    )


def _imported(plan: Plan, session: Session) -> Step:
    settings = ArrayRun(**_cutting(plan), arrays=plan.config.arrays)
    return Step(
        rule="import_arrays",
        command="import-arrays",
        wildcards={"eid": session.eid},
        inputs={"arrays": (sheet_file(plan, session.path),)},
        values={"eid": session.eid, "settings": plain(settings)},
        operational={"unusable": plan.config.partition.unusable},
        outputs={"output": plan.aligned(session.eid)},
    )


def _cutting(plan: Plan, view: str = "") -> dict[str, Any]:
    """Without what to do with an unusable session, which changes no session."""
    return {
        "modalities": [science(plan.modalities[name]) for name in plan.config.modalities_of(view)],
        "partition": _by_default(plan.config.cuttings()[view], "unusable"),
    }


def _by_default(settings: SettingsType, *keys: str) -> SettingsType:
    """The settings with some keys, which do not count, at their defaults."""
    return settings.model_copy(update={key: type(settings).model_fields[key].default for key in keys})


def session_file(plan: Plan, session: Session, *, name: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """How a job is given a session's own file: as the input `name`, or, where it stays on a server, as values."""
    if not is_address(session.path):
        return {name: (sheet_file(plan, session.path),)}, {}
    return {}, {"address": session.path} | ({"etag": session.etag} if session.etag else {})


def sheet_file(plan: Plan, path: str) -> str:
    """A file that the sheet names, by its path relative to the sheet."""
    return str(Path(plan.config.sessions or "").parent / path)
