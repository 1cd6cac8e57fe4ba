"""Checks of where recordings come from, how they are cut, and where results go."""

from pathlib import Path

from pydantic import ValidationError

from neds.baselines.registry import baselines
from neds.config.checked import Checked
from neds.config.schema import Config
from neds.conversion.settings import COMPUTED_FROM, RAW_TRACES
from neds.errors import UserError
from neds.modalities import BUILT_IN, Modality
from neds.partition.settings import IBL_EVENTS, NO_EVENT, PartitionSettings
from neds.partition.views import ViewSettings
from neds.validation import described, did_you_mean


def results_faults(checked: Checked) -> list[str]:
    """Folders that hold other things than results, and of which a cleaned up workflow would take these along."""
    folder = Path(checked.base, checked.config.results).resolve()
    what = ""
    if folder == Path(folder.anchor):
        what = "is the root of the file system"
    elif folder == Path.home().resolve():
        what = "is the home folder"
    elif folder.exists() and not folder.is_dir():
        what = "is a file"
    elif Path(checked.base).resolve().is_relative_to(folder):
        what = "is the folder that the workflow is run from, or holds it"
    elif any(folder.is_relative_to(code) or code.is_relative_to(folder) for code in _code_folders()):
        what = "is a folder of this project's code"
    return [f"config key results: {checked.config.results} {what}; name a folder for results alone"] if what else []


def _code_folders() -> list[Path]:
    """Folders of this project in which nothing else may be written."""
    project = Path(__file__).resolve().parents[2]
    return [project / name for name in ("neds", "rules", "workflow_scripts", "envs", "profiles", "docs", "tests")]


def modality_faults(checked: Checked) -> list[str]:
    config, faults = checked.config, []
    for name, entry in config.custom_modalities.items():
        try:
            Modality.model_validate(entry | {"name": name})
        except ValidationError as error:
            faults += described(error, Modality, entry, prefix=f"custom_modalities.{name}")
    if not faults:
        try:
            modalities = config.modality_registry()
            fault = "" if config.has_conditions else config.partition.fault_of(modalities)
            fault = fault or _shared_factors_fault(config, modalities)
        except UserError as error:
            fault = str(error)
        faults += [f"config key {fault}"] if fault else []
    return faults


def gap_faults(checked: Checked) -> list[str]:
    config = checked.config
    known = [*BUILT_IN, *config.custom_modalities, "others"]
    return [
        f"config key partition.longest_gap_s.{name}: no modality is called so; "
        + did_you_mean(name, known, otherwise="`others` stands for all that are not named")
        for name in config.partition.longest_gap_s
        if name not in known
    ]


def _shared_factors_fault(config: Config, modalities: dict[str, Modality]) -> str:
    """Why a baseline that is fitted to several sessions cannot share what it learns of behaviours; empty where it can."""
    own = [name for name, m in modalities.items() if m.width is None and m.group == "behaviour"]
    sharing = [name for name in config.baselines if baselines()[name].needs == "others"]
    if not own or not sharing:
        return ""
    return (
        f"baselines: {sharing[0]} needs the same columns of {own[0]} in every session; remove one, or give it a `width`"
    )


def alignment_faults(checked: Checked) -> list[str]:
    config = checked.config
    if config.source not in ("synthetic", "alf", "one"):
        return []
    events = {f"views.{name}.align": view.align for name, view in config.views.items()}
    faults = []
    for key, event in (events or {"partition.align": config.partition.align}).items():
        if event not in (*IBL_EVENTS, NO_EVENT):
            hint = did_you_mean(event, list(IBL_EVENTS), otherwise=f"known are {', '.join(IBL_EVENTS)}, and {NO_EVENT}")
            faults.append(f"config key {key}: the IBL's trials have no event {event}; {hint}")
    return faults


def split_faults(checked: Checked) -> list[str]:
    config = checked.config
    if config.source == "brainsets":
        return []
    faults = []
    if config.partition.split == "file":
        faults.append(
            f"config key partition.split: files of source {config.source} have no splits; choose random or blocks"
        )
    cuts: dict[str, PartitionSettings | ViewSettings] = {"partition": config.partition}
    cuts |= {f"views.{name}": view for name, view in config.views.items()}
    faults += [
        f"config key {block}.window_intervals: files of source {config.source} name no stretches; leave it empty"
        for block, cut in cuts.items()
        if cut.window_intervals
    ]
    return faults


def mapping_faults(checked: Checked) -> list[str]:
    """Faults of the mapping of another format, as far as they show before a file is opened."""
    config = checked.config
    mapping = config.mapping()
    if mapping is None or modality_faults(checked):
        return []
    given = getattr(config, config.source).series or {}
    known = [*BUILT_IN, *config.custom_modalities, *RAW_TRACES]
    faults = [
        f"config key {config.source}.series.{name}: no modality is called so; "
        + did_you_mean(name, known, otherwise="define it under custom_modalities")
        for name in given
        if name not in known
    ]
    series = mapping.series or {}
    faults += [
        f"config key {config.source}.series_units.{name}: {config.source}.series has no {name}; name it there"
        for name in mapping.series_units or {}
        if name not in series
    ]
    for name, modality in config.modality_registry().items():
        computable = not series.keys().isdisjoint(COMPUTED_FROM.get(name, ()))
        if modality.kind == "continuous" and name not in series and not computable:
            faults.append(
                f"config key {config.source}.series: name the series of {name}, e.g. {name}: {mapping.example}"
            )
    return faults


def source_faults(checked: Checked) -> list[str]:
    config, faults = checked.config, []
    if config.source == "synthetic" and config.sessions:
        faults.append("config key sessions: source synthetic makes its own sessions; set it to null")
    if config.source != "synthetic" and not config.sessions:
        faults.append(f"config key sessions: source {config.source} needs a sessions sheet (columns eid, role, path)")
    if config.source == "alf" and not config.download.alf_root:
        faults.append("config key download.alf_root: source alf needs the folder that holds lab/Subjects/...")
    return faults


def context_faults(checked: Checked) -> list[str]:
    """Context that a source does not hold."""
    config = checked.config
    wanted = {"partition": config.partition.context_s}
    wanted |= {f"views.{name}": view.context_s or 0.0 for name, view in config.views.items()}
    key = next((f"config key {name}.context_s" for name, seconds in wanted.items() if seconds), "")
    if key and config.source == "aligned":
        return [f"{key}: your own arrays hold no more than their window; set it to 0"]
    if key and "lfp" in config.modalities:
        return [f"{key}: LFP is read around the window only; set it to 0, or take lfp off modalities"]
    return []
