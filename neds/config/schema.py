"""The whole configuration as one typed tree."""

import os
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from neds.ablations.settings import AblationSettings
from neds.baselines.names import BaselineName
from neds.baselines.networks.settings import RivalSettings
from neds.baselines.registry import baselines
from neds.benchmark.settings import BenchmarkSettings
from neds.config.overrides import OverrideName, RunSettings, Stage, resolve
from neds.conversion.settings import MAPPINGS, FileMapping, FileMappings
from neds.download.settings import EXTRAS, DownloadSettings
from neds.evaluation.settings import EvaluationSettings
from neds.figures.settings import FiguresSettings
from neds.modalities import Modality
from neds.modalities import resolve as resolve_modalities
from neds.model.modes import ModeName
from neds.model.settings import MaskingSettings, ModelSettings
from neds.partition.settings import NO_EVENT, ArraySettings, PartitionSettings
from neds.partition.views import ViewSettings
from neds.regions.settings import RegionSettings
from neds.roster import Session, SourceName
from neds.settings import PathText, Seed, key
from neds.synthetic.settings import SyntheticSettings
from neds.training.loggers import LoggerName
from neds.training.settings import TrainingBlock
from neds.tuning.settings import TuneSettings

Regime = Literal["scratch", "finetuned"]
PretrainingSet = int | list[str]


class Config(FileMappings):
    """What a configuration may say. What is a block (a type of settings of its own) is merged key by key when several files
    say something of it; every other value, mappings too, replaces the one before.
    """

    source: SourceName = key("synthetic", when="for real recordings", paper="one", public_code="one")
    """Where recordings come from: synthetic (generated here), alf (your own ALF folder), one (the public IBL database), nwb,
    brainsets (files of these formats), aligned (your own trial-aligned arrays)."""
    sessions: PathText | None = key(None, when="always, for every source but synthetic", paper="the 84 of sessions.tsv")
    """The sessions sheet, a table separated by tabs with the columns eid, role (train: to pretrain on; test: held out,
    fine-tuned and evaluated) and, for local sources, path; null for source synthetic, which makes its own list. It is
    relative to the folder that Snakemake runs in (`--directory`, or where it was started), wherever the configuration lies;
    the paths in it are relative to the sheet, for alf to `download.alf_root`."""
    results: PathText = key("results", when="to keep the results of two configurations apart")
    """Folder of everything that the workflow writes, relative to the folder that Snakemake runs in, as are all paths of a
    configuration."""
    modalities: list[str] = key(
        ["spikes", "wheel_speed", "whisker_motion_energy", "choice", "block"],
        min_length=1,
        when="for other behaviours (docs/data.md lists them) or those of custom_modalities",
        paper="[spikes, wheel_speed, whisker_motion_energy, choice, block]",
        public_code="the same, and LFP",
    )
    """What the models deal with, in the order of their tokens; spikes or LFP, and a behaviour. A session that lacks one of
    them is unusable."""
    custom_modalities: dict[str, dict[str, Any]] = key({}, when="for what your own data hold beside the built-in ones")
    """Modalities of your own data, by name: {kind: continuous | categorical | scalar | counts, width, classes, label,
    unit}; scalar is one number per trial."""
    views: dict[str, ViewSettings] = key(
        {}, when="for several windows per session, e.g. one before the movement and one after the feedback"
    )
    """View -> {align, window_start_s, window_end_s, context_s, modalities}: every session is cut once for each view, in the
    place of the window of `partition`, into a session called <eid>_<view>, and has models of its own in each. modalities:
    null for all; context_s: null for that of `partition`."""
    modes: list[ModeName] = key(
        ["mm"], min_length=1, when="to train unimodal models too", paper="[mm, encoding, decoding]"
    )
    """Models: mm reads and predicts everything; encoding (behaviour to spikes) and decoding (spikes to behaviour) are the
    unimodal models."""
    regimes: list[Regime] = key(
        ["scratch", "finetuned"],
        min_length=1,
        when="[scratch] where no session has role train",
        paper="[scratch, finetuned]",
    )
    """How each test session's models are trained: scratch (on this session alone), finetuned (from a pretrained model)."""
    pretraining_sets: dict[str, PretrainingSet] = key(
        {}, when="to see what more sessions give", paper="{repeated-site-10: 10, repeated-site-74: 74}"
    )
    """Sets of sessions of role train by name: the first so many of the sheet, or a list of EIDs. "all" needs no entry."""
    finetune_from: list[str] = key(["all"], min_length=1, when="with pretraining_sets")
    """Pretraining sets to pretrain on and to fine-tune from. The first is the "NEDS multi-session" of the figures."""
    pretrained: PathText | None = key(None, when="to fine-tune somebody else's model (docs/models.md)")
    """Folder of a shared model, which `neds import` or `neds export` wrote. It takes the place of pretraining: all
    fine-tuned models start from it, tables and figures name it by its folder, and sessions of role train are for baselines
    alone. Bins, modalities and mode must be those that it was trained with."""
    train_trials: list[Annotated[int, Field(ge=1)] | Literal["all"]] = key(
        ["all"], min_length=1, when="[25, 50, 100, all] for a data-efficiency curve", paper="[all]"
    )
    """Numbers of the test sessions' training trials to train with."""
    unimodal_curves: bool = key(True, when="false to save time when there are several pretraining sets or train_trials")
    """Whether unimodal models beside mm are trained for every pretraining set and number of trials too, though no curve
    shows them; else for the first set and all trials alone."""
    seeds: list[Seed] = key([0], min_length=1, when="three or more to see how much chance matters")
    """One model of each kind per seed."""
    ensembles: bool = key(True, when="false to leave them out of tables and figures")
    """Whether, with several seeds, the mean of the predictions of all seeds is scored too, as a model of its own
    (docs/metrics.md)."""
    baselines: list[BaselineName] = key(
        ["psth", "linear", "glm", "rrr", "oracle", "oracle-behaviour"],
        when="rrr-multi costs as many times rrr as there are sessions; the networks ndt2 and poyo more than NEDS",
        paper="[linear, rrr, rrr-multi, ndt2-multi, poyo-multi]",
    )
    """Models to compare with (docs/baselines.md): psth (condition average), linear (ridge and logistic regression), glm
    (Poisson regression of spikes), rrr (reduced-rank regression of each session), rrr-multi (the same, fitted together with
    the sessions of role train; left out where there is none), oracle (true rates), oracle-behaviour (true rates with what no
    behaviour shows averaged out: the ceiling of encoding). Both oracles are of source synthetic alone. Networks that decode:
    mlp, ndt2, poyo (of each session; poyo needs the package torch_brain: pip install -r envs/poyo.txt), ndt2-multi and
    poyo-multi (pretrained on the sessions of role train)."""
    rivals: RivalSettings = Field(default_factory=RivalSettings)
    synthetic: SyntheticSettings = Field(default_factory=SyntheticSettings)
    download: DownloadSettings = Field(default_factory=DownloadSettings)
    arrays: ArraySettings = Field(default_factory=ArraySettings)
    partition: PartitionSettings = Field(default_factory=PartitionSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    masking: MaskingSettings = Field(default_factory=MaskingSettings)
    training: TrainingBlock = Field(default_factory=TrainingBlock)
    overrides: dict[OverrideName, dict[str, Any]] = key(
        {"pretrain": {"training.epochs": 80}, "finetuned": {"training.shared_lr": 0.3, "training.weight_decay": 1.0}},
        when="for models of other sizes by stage or mode, or unimodal models trained for longer",
        paper="those of docs/examples/neds_paper.yaml",
        public_code="the same",
    )
    """What differs by stage (pretrain, scratch, finetuned), by mode (mm, encoding, decoding) or by both ("pretrain mm"):
    dotted keys of model, masking and training. The most specific wins: both, then mode, then stage. A value that a later
    file gives for one of these keys wins over the overrides of files before it. A fine-tuned network has the size of the
    pretrained one."""
    same_torch: bool = key(
        False, when="true where results must be of one version of torch, which costs all models anew"
    )
    """Whether models that another major or minor version of torch trained are trained again; else they are kept, and it is
    said."""
    loggers: list[LoggerName] = key([], when="to watch trainings in TensorBoard or in Weights & Biases")
    """Programs that are told of each validation of a training, beside its `log.csv`: tensorboard, wandb. Their files lie in
    the model's folder. Weights & Biases sends nothing unless WANDB_MODE=online is set. pip install -r envs/loggers.txt
    brings both."""
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    tune: TuneSettings = Field(default_factory=TuneSettings)
    regions: RegionSettings = Field(default_factory=RegionSettings)
    ablations: AblationSettings = Field(default_factory=AblationSettings)
    figures: FiguresSettings = Field(default_factory=FiguresSettings)
    benchmark: BenchmarkSettings = Field(default_factory=BenchmarkSettings)

    @field_validator("results")
    @classmethod
    def _is_one_spelling(cls, value: str) -> str:
        if "<" in value:
            raise ValueError(f"{value}: < begins a tag on the page of the report; choose a name without it")
        return os.path.normpath(value)

    def modality_registry(self) -> dict[str, Modality]:
        """The modalities in use, by name and in order."""
        custom = {name: Modality(name=name, **entry) for name, entry in self.custom_modalities.items()}
        return resolve_modalities(self.modalities, custom)

    def mapping(self) -> FileMapping | None:
        """Where the files of this source have what; None for sources whose files are all alike."""
        return getattr(self, self.source).filled() if self.source in MAPPINGS else None

    @property
    def has_conditions(self) -> bool:
        """Whether there are trials of task conditions, over which averages can be taken."""
        events = [view.align for view in self.views.values()] or [self.partition.align]
        return self.source == "aligned" or NO_EVENT not in events

    def cuttings(self) -> dict[str, PartitionSettings]:
        """How recordings are cut in each view; "" stands for the only one where none is named."""
        if not self.views:
            return {"": self.partition}
        return {name: view.cutting(self.partition) for name, view in self.views.items()}

    def modalities_of(self, view: str) -> list[str]:
        """The modalities of the models of a view."""
        return (self.views[view].modalities if view else None) or self.modalities

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
        """The baselines that this source, these sessions and the modalities allow."""
        possible = {
            "truth": self.source == "synthetic",
            "conditions": self.has_conditions,
            "others": any(session.role == "train" for session in sessions),
            "": True,
        }
        known = {name: baselines()[name] for name in self.baselines}
        has_spikes = "spikes" in self.modalities
        return [name for name, own in known.items() if possible[own.needs] and (has_spikes or not own.of_spikes)]

    @property
    def sets_in_use(self) -> list[str]:
        """What models are fine-tuned from, by name: pretraining sets, or somebody else's model."""
        return [os.path.basename(os.path.normpath(self.pretrained))] if self.pretrained else self.finetune_from

    def pretraining_eids(self, name: str, sessions: list[Session], view: str = "") -> list[str]:
        """EIDs of a pretraining set in a view, in the order of the sheet (or of the list that defines it)."""
        train = {
            session.recording: session.eid for session in sessions if session.role == "train" and session.view == view
        }
        members = self.pretraining_sets.get(name, len(train))
        return [train[eid] for eid in members] if isinstance(members, list) else list(train.values())[:members]

    def run_settings(self, stage: Stage, mode: ModeName) -> RunSettings:
        """Settings of the network, the masking and the training of a stage and mode, overrides applied."""
        return resolve(self.blocks(), self.overrides, stage, mode)

    def blocks(self) -> RunSettings:
        """Those that overrides change, as they stand in the configuration."""
        return RunSettings(model=self.model, masking=self.masking, training=self.training)
