"""The whole configuration as one typed tree, and its check: every fault at once, one line each."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from neds.ablations.settings import AblationSettings
from neds.ablations.variants import variant_faults
from neds.baselines.names import BaselineName
from neds.conversion.settings import COMPUTED_FROM, RAW_TRACES, BrainsetsMapping, FileMapping, NwbMapping
from neds.download.settings import EXTRAS, DownloadSettings
from neds.errors import UserError
from neds.faults import described, did_you_mean, overlap, validated_in_part
from neds.figures.settings import FiguresSettings
from neds.modalities import BUILT_IN, Modality, resolve
from neds.model.modes import ModeName
from neds.model.settings import MaskingSettings, ModelSettings
from neds.partition.settings import IBL_EVENTS, NO_EVENT, ArraySettings, PartitionSettings
from neds.regions.settings import RegionSettings
from neds.roster import CONVERTED, ROLES, Session, read_sheet, synthetic_sessions
from neds.settings import Settings
from neds.synthetic.settings import SyntheticSettings
from neds.training.settings import TrainingSettings
from neds.tuning.settings import TuneSettings
from neds.tuning.space import space_faults

Regime = Literal["scratch", "finetuned"]
PretrainingSet = int | list[str]
Override = Literal["pretrain", "scratch", "finetuned", "mm", "encoding", "decoding"]


class Config(Settings):
    """What `config.yaml` may say. Its comments explain every key."""

    source: Literal["synthetic", "alf", "one", "aligned", "nwb", "brainsets"] = "synthetic"
    """Where recordings come from."""
    sessions: str | None = None
    """The sessions sheet; null for source synthetic, which makes its own list."""
    results: str = "results"
    """Folder of everything that the workflow writes."""
    modalities: list[str] = Field(["spikes", "wheel_speed", "whisker_motion_energy", "choice", "block"], min_length=2)
    """What the models deal with. A session that lacks one of them is unusable."""
    custom_modalities: dict[str, dict[str, Any]] = {}
    """Modalities of one's own data: name -> {kind: continuous | categorical | counts, width, classes, label, unit}."""
    modes: list[ModeName] = Field(["mm"], min_length=1)
    """Models: mm (multimodal), encoding and decoding (unimodal)."""
    regimes: list[Regime] = Field(["scratch", "finetuned"], min_length=1)
    """How each test session's models are trained."""
    pretraining_sets: dict[str, PretrainingSet] = {}
    """Sets of sessions of role train by name: the first so many of the sheet, or a list of EIDs. "all" needs no entry."""
    finetune_from: list[str] = Field(["all"], min_length=1)
    """Pretraining sets to pretrain on and to fine-tune from."""
    train_trials: list[Annotated[int, Field(ge=1)] | Literal["all"]] = Field(["all"], min_length=1)
    """Numbers of the test sessions' training trials to train with; more than one gives a data-efficiency curve."""
    unimodal_curves: bool = True
    """Whether unimodal models beside mm are trained for every pretraining set and number of trials too, though no curve
    shows them; else for the first set and all trials alone."""
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1)
    """One model of each kind per seed."""
    baselines: list[BaselineName] = ["psth", "linear", "rrr", "oracle"]
    """Models to compare with; the oracle runs for source synthetic only, where true rates are known, and rrr-multi only with
    sessions of role train."""
    synthetic: SyntheticSettings = Field(default_factory=SyntheticSettings)
    download: DownloadSettings = Field(default_factory=DownloadSettings)
    arrays: ArraySettings = Field(default_factory=ArraySettings)
    nwb: NwbMapping = Field(default_factory=NwbMapping)
    brainsets: BrainsetsMapping = Field(default_factory=BrainsetsMapping)
    partition: PartitionSettings = Field(default_factory=PartitionSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    masking: MaskingSettings = Field(default_factory=MaskingSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    training_overrides: dict[Override, dict[str, Any]] = {}
    """Training keys that differ for a stage or a mode; a mode's win over a stage's."""
    tune: TuneSettings = Field(default_factory=TuneSettings)
    regions: RegionSettings = Field(default_factory=RegionSettings)
    ablations: AblationSettings = Field(default_factory=AblationSettings)
    figures: FiguresSettings = Field(default_factory=FiguresSettings)

    def modality_registry(self) -> dict[str, Modality]:
        """The modalities in use, by name and in order."""
        custom = {name: Modality(name=name, **entry) for name, entry in self.custom_modalities.items()}
        return resolve(self.modalities, custom)

    def mapping(self) -> FileMapping | None:
        """Where the files of this source have what; None for sources whose files are all alike."""
        return (
            {"nwb": self.nwb, "brainsets": self.brainsets}[self.source].filled() if self.source in CONVERTED else None
        )

    @property
    def has_conditions(self) -> bool:
        """Whether there are trials of task conditions, over which averages can be taken."""
        return self.source == "aligned" or not self.partition.cuts_windows

    def download_settings(self) -> DownloadSettings:
        """Those of the download, what is left to modalities and partition filled in, what nothing reads as by default."""
        extras = self.download.extras
        if extras is None:
            extras = sorted({EXTRAS[name] for name in self.modalities if name in EXTRAS})
        cut, settings = self.partition, self.download.model_dump(exclude={"lfp", "pose_tracker"})
        if "paws" in extras:
            settings["pose_tracker"] = self.download.pose_tracker
        if "lfp" in extras:
            of_partition = {"step_s": cut.bin_s, "event": cut.align}
            of_partition |= {"start_s": cut.window_start_s, "end_s": cut.window_end_s}
            own = {key: value for key, value in self.download.lfp.model_dump().items() if value is not None}
            settings["lfp"] = of_partition | own
        return DownloadSettings.model_validate(settings | {"extras": extras})

    def baselines_in_use(self, sessions: list[Session]) -> list[BaselineName]:
        """The baselines that this source and these sessions allow."""
        possible = {
            "oracle": self.source == "synthetic",
            "psth": self.has_conditions,
            "rrr-multi": any(session.role == "train" for session in sessions),
        }
        return [name for name in self.baselines if possible.get(name, True)]

    def pretraining_eids(self, name: str, sessions: list[Session]) -> list[str]:
        """EIDs of a pretraining set, in the order of the sheet (or of the list that defines it)."""
        train = [session.eid for session in sessions if session.role == "train"]
        members = self.pretraining_sets.get(name, len(train))
        return members if isinstance(members, list) else train[:members]

    def finetune_sets(self, mode: ModeName) -> list[str]:
        """Pretraining sets from which models of a mode are fine-tuned."""
        return self.finetune_from if self._is_for_curves(mode) else self.finetune_from[:1]

    def trainings(self, mode: ModeName) -> list[str]:
        """Names of all ways in which a test session's models of a mode are trained: scratch, finetuned-all-50trials, ..."""
        finetuned = [f"finetuned-{name}" for name in self.finetune_sets(mode)]
        ways = [way for regime in self.regimes for way in (["scratch"] if regime == "scratch" else finetuned)]
        numbers = self.train_trials
        if not self._is_for_curves(mode):
            numbers = ["all"] if "all" in numbers else [max(numbers)]
        return [way + ("" if number == "all" else f"-{number}trials") for number in numbers for way in ways]

    def _is_for_curves(self, mode: ModeName) -> bool:
        return self.unimodal_curves or mode == "mm" or "mm" not in self.modes

    def training_for(self, stage: Literal["pretrain", "scratch", "finetuned"], mode: ModeName) -> TrainingSettings:
        """Training settings of a stage and mode, overrides applied."""
        overrides = self.training_overrides.get(stage, {}) | self.training_overrides.get(mode, {})
        return TrainingSettings.model_validate(self.training.model_dump() | overrides)


def check_config(values: Mapping[str, Any], *, base: Path) -> tuple[Config, list[Session]]:
    """The typed configuration and the roster of sessions.

    Args:
        values: the configuration as YAML gives it.
        base: folder to which the sheet's path is relative.

    Raises:
        UserError: all faults of the configuration and of the sessions sheet, one line each. What depends on a faulty key is
            not judged.
    """
    config, faults, broken = validated_in_part(Config, values)
    sessions: list[Session] = []
    if config.source == "synthetic":
        sessions = synthetic_sessions(config.synthetic)
    elif config.sessions and not any(overlap(key, fault) for key in ("source", "sessions") for fault in broken):
        sessions, sheet_faults = read_sheet(base / config.sessions, source=config.source)
        faults += sheet_faults
    for check, keys in _CHECKS.items():
        if not any(overlap(key, fault) for key in keys for fault in broken):
            faults += check(config, sessions)
    if faults:
        raise UserError("\n".join(faults))
    return config, sessions


def _modality_faults(config: Config, sessions: list[Session]) -> list[str]:
    faults = []
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


def _shared_factors_fault(config: Config, modalities: dict[str, Modality]) -> str:
    """Why rrr-multi cannot share its factors of behaviours; empty where it can."""
    own = [name for name, m in modalities.items() if m.width is None and m.group == "behaviour"]
    if not own or "rrr-multi" not in config.baselines:
        return ""
    return f"baselines: rrr-multi needs the same columns of {own[0]} in every session; remove one, or give it a `width`"


def _alignment_faults(config: Config, sessions: list[Session]) -> list[str]:
    event = config.partition.align
    if config.source in ("synthetic", "alf", "one") and event not in (*IBL_EVENTS, NO_EVENT):
        hint = did_you_mean(event, list(IBL_EVENTS), otherwise=f"known are {', '.join(IBL_EVENTS)}, and {NO_EVENT}")
        return [f"config key partition.align: the IBL's trials have no event {event}; {hint}"]
    return []


def _mapping_faults(config: Config, sessions: list[Session]) -> list[str]:
    """Faults of the mapping of another format, as far as they show before a file is opened."""
    mapping = config.mapping()
    if mapping is None or _modality_faults(config, sessions):
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
    for name, modality in config.modality_registry().items():
        computable = not series.keys().isdisjoint(COMPUTED_FROM.get(name, ()))
        if modality.kind == "continuous" and name not in series and not computable:
            faults.append(
                f"config key {config.source}.series: name the series of {name}, e.g. {name}: {mapping.example}"
            )
    return faults


def _override_faults(config: Config, sessions: list[Session]) -> list[str]:
    faults = []
    for key, entry in config.training_overrides.items():
        try:
            TrainingSettings.model_validate(config.training.model_dump() | entry)
        except ValidationError as error:
            faults += described(error, TrainingSettings, entry, prefix=f"training_overrides.{key}")
    return faults


def _source_faults(config: Config, sessions: list[Session]) -> list[str]:
    faults = []
    if config.source == "synthetic" and config.sessions:
        faults.append("config key sessions: source synthetic makes its own sessions; set it to null")
    if config.source != "synthetic" and not config.sessions:
        faults.append(f"config key sessions: source {config.source} needs a sessions sheet (columns eid, role, path)")
    if config.source == "alf" and not config.download.alf_root:
        faults.append("config key download.alf_root: source alf needs the folder that holds lab/Subjects/...")
    return faults


def _repetitions(config: Config, sessions: list[Session]) -> list[str]:
    keys = ("modalities", "modes", "regimes", "seeds", "baselines", "finetune_from", "train_trials")
    lists = {key: getattr(config, key) for key in keys}
    lists |= {f"pretraining_sets.{k}": eids for k, eids in config.pretraining_sets.items() if isinstance(eids, list)}
    return [
        f"config key {key}: {value} stands in it twice"
        for key, values in lists.items()
        for value in dict.fromkeys(values)
        if values.count(value) > 1
    ]


def _loss_weight_faults(config: Config, sessions: list[Session]) -> list[str]:
    unknown = [name for name in config.training.loss_weights if name not in config.modalities]
    return [
        f"config key training.loss_weights.{name}: no modality in use is called so; "
        + did_you_mean(name, config.modalities, otherwise=f"in use are {', '.join(config.modalities)}")
        for name in unknown
    ]


def _space_faults(config: Config, sessions: list[Session]) -> list[str]:
    """Faults of the spaces that are given or used: the paper's sizes need not fit the heads of a model never searched."""
    blocks = {"masking": config.masking, "training": config.training}
    spaces = {"space": (("pretrain", "scratch"), {"model": config.model} | blocks)}
    spaces["finetune_space"] = (("finetuned",), blocks)
    return [
        f"config key tune.{name}.{fault}"
        for name, (stages, searched) in spaces.items()
        if getattr(config.tune, name) or set(stages) & set(config.tune.stages)
        for fault in space_faults(config.tune.search_for(stages[0]).space, searched)
    ]


def _ablation_faults(config: Config, sessions: list[Session]) -> list[str]:
    blocks = {"model": config.model, "masking": config.masking, "training": config.training}
    faults = variant_faults(config.ablations, blocks)
    asked = [*config.ablations.tables, *config.ablations.variants]
    if asked and "mm" not in config.modes:
        faults.append(f"config key ablations: {asked[0]} is of the multimodal model; add mm to modes")
    return faults


def _region_faults(config: Config, sessions: list[Session]) -> list[str]:
    classes = config.regions.classes or []
    return [
        f"config key regions.merge.{name}: regions.classes has no {name}; name it there"
        for name in config.regions.merge
        if name not in classes
    ]


def _roster_faults(config: Config, sessions: list[Session]) -> list[str]:
    """Faults of what the configuration wants of the sessions, where their roles could be read."""
    roles = {session.eid: session.role for session in sessions}
    if not roles or not set(roles.values()) <= set(ROLES):
        return []
    faults = []
    if "test" not in roles.values():
        faults.append("sessions: none has role test, so there is nothing to evaluate")
    if "finetuned" in config.regimes:
        faults += _pretraining_faults(config, roles)
    return faults


def _pretraining_faults(config: Config, roles: dict[str, str]) -> list[str]:
    n_train = sum(role == "train" for role in roles.values())
    if not n_train:
        return [
            "config key regimes: finetuned needs sessions of role train to pretrain on; add some, or remove finetuned"
        ]
    faults = []
    for name in config.finetune_from:
        if name not in ("all", *config.pretraining_sets):
            hint = did_you_mean(name, list(config.pretraining_sets), otherwise="define it there")
            faults.append(f"config key finetune_from: pretraining_sets has no {name}; {hint}")
    for name, members in config.pretraining_sets.items():
        key = f"config key pretraining_sets.{name}"
        if name == "all":
            faults.append(f"{key}: this is the set of all sessions of role train; choose another name")
        if not re.fullmatch("[A-Za-z0-9_-]+", name) or re.search("-[0-9]+trials$", name):
            faults.append(f"{key}: a name may hold letters, digits, - and _, and may not end like -50trials")
        if isinstance(members, int) and not 1 <= members <= n_train:
            faults.append(f"{key}: {members} sessions wanted, the sheet has {n_train} of role train")
        if isinstance(members, list):
            faults += [f"{key}: {eid} is not among the sessions" for eid in members if eid not in roles]
            held_out = [eid for eid in members if roles.get(eid) == "test"]
            faults += [
                f"{key}: {eid} has role test; a model is never pretrained on a session it is tested on"
                for eid in held_out
            ]
            if not members:
                faults.append(f"{key}: the list is empty")
    return faults


# Each check with the keys that it reads; it is left out where one of these is faulty already.
_CHECKS = {
    _modality_faults: ("modalities", "custom_modalities", "baselines"),
    _alignment_faults: ("source", "partition.align"),
    _mapping_faults: ("source", "nwb", "brainsets", "modalities", "custom_modalities"),
    _override_faults: ("training_overrides",),
    _source_faults: ("source", "sessions", "download.alf_root"),
    _repetitions: (
        *("modalities", "modes", "regimes", "seeds", "baselines", "finetune_from", "train_trials"),
        "pretraining_sets",
    ),
    _loss_weight_faults: ("modalities", "training.loss_weights"),
    _ablation_faults: ("ablations", "modes", "model", "masking", "training"),
    _region_faults: ("regions",),
    _space_faults: ("tune", "model", "masking", "training"),
    _roster_faults: ("source", "sessions", "synthetic", "regimes", "pretraining_sets", "finetune_from"),
}
