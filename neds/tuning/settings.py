"""Settings of the hyper-parameter search."""

from typing import Any, Literal

from pydantic import Field, field_validator

from neds.settings import Seed, Settings, key
from neds.training.settings import TrainingRun
from neds.tuning.space import Space, paper_finetune_space, paper_space
from neds.validation import as_yaml

Stage = Literal["pretrain", "scratch", "finetuned"]
Method = Literal["random", "asha"]


class SearchSettings(Settings):
    """Everything about one search that determines which values it tries."""

    method: Method
    """random or asha."""
    n_trials: int = Field(ge=1)
    """Networks to train."""
    space: Space = Field(min_length=1)
    """Where values come from, by dotted key."""
    seed: int
    """Of the values that are drawn."""

    @field_validator("space")
    @classmethod
    def _in_order(cls, space: Space) -> Space:
        """Values are drawn key by key, and must not depend on the order of the user's mapping."""
        return dict(sorted(space.items()))


class TuneSettings(Settings):
    """For which stages hyper-parameters are searched, and how. A trial is here one training run with drawn values."""

    stages: list[Stage] = key(
        [],
        when="for new data, if the time allows: it costs as many trainings as there are trials",
        paper="scratch, finetuned",
    )
    """Stages whose training takes searched values; none: no search."""
    method: Method = key("random", when="asha to save time", paper="random")
    """random: independent draws, all trained to the end; asha: Optuna draws, ASHA stops poor ones early."""
    n_trials: int = key(50, ge=1, when="fewer to save time", paper="50")
    """Trials of a search for pretraining or training from scratch."""
    finetune_n_trials: int = key(30, ge=1, when="fewer to save time", paper="30")
    """Trials of a search for fine-tuning."""
    space: Space | None = key(
        None,
        min_length=1,
        when="for keys and ranges of one's own",
        paper="{model.dim: {choice: [128, 256, 512]}, model.mlp: {choice: [256, 512, 1024]}, "
        "model.layers: {choice: [5, 6]}, masking.ratio: {uniform: [0.1, 0.4]}, "
        "training.weight_decay: {loguniform: [0.001, 0.1]}, training.lr: {loguniform: [0.0001, 0.001]}}",
    )
    """Where values come from, by dotted key, for pretraining and training from scratch; null for the paper's space."""
    finetune_space: Space | None = key(
        None,
        min_length=1,
        when="for keys and ranges of one's own",
        paper="masking.ratio, training.weight_decay and training.lr of the above",
    )
    """Likewise for fine-tuning, which keeps the size of the pretrained network; null for the paper's space."""
    cpus_per_trial: int = key(
        1, ge=1, when="more for larger networks; trials run at once as long as the rule has threads"
    )
    """CPU cores of a trial."""
    gpus_per_trial: float = key(0.0, ge=0, when="0.25 for four trials that share a GPU")
    """GPUs of a trial, usually a part of one; 0 trains on the CPU."""
    seed: Seed = key(0, when="for other draws")
    """Of the values that are drawn."""

    @field_validator("space", "finetune_space", mode="before")
    @classmethod
    def _keys_are_dotted(cls, space: Any) -> Any:
        for block in ("model", "masking", "training"):
            if isinstance(space, dict) and isinstance(space.get(block), dict):
                dotted = ", ".join(f"{block}.{name}: {as_yaml(domain)}" for name, domain in space[block].items())
                raise ValueError(f"{block}: keys are dotted here; write {dotted or 'block.key: domain'}")
        return space

    def search_for(self, stage: Stage) -> SearchSettings:
        """The search of a stage."""
        if stage == "finetuned":
            n_trials, space = self.finetune_n_trials, self.finetune_space or paper_finetune_space()
        else:
            n_trials, space = self.n_trials, self.space or paper_space()
        return SearchSettings(method=self.method, n_trials=n_trials, space=space, seed=self.seed)


class TuningRun(Settings):
    """Everything but the data that determines a search."""

    run: TrainingRun
    """The training whose hyper-parameters are searched; keys that are not searched keep their values."""
    search: SearchSettings
    """Which values are tried."""
