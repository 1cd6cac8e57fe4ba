"""Settings of the hyper-parameter search."""

from typing import Literal

from pydantic import Field, field_validator

from neds.settings import Settings
from neds.training.settings import TrainingRun
from neds.tuning.space import Space, paper_finetune_space, paper_space

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

    stages: list[Stage] = []
    """Stages whose training takes searched values; none: no search."""
    method: Method = "random"
    """random: independent draws, all trained to the end; asha: Optuna draws, ASHA stops poor ones early."""
    n_trials: int = Field(50, ge=1)
    """Trials of a search for pretraining or training from scratch."""
    finetune_n_trials: int = Field(30, ge=1)
    """Trials of a search for fine-tuning."""
    space: Space | None = Field(None, min_length=1)
    """Where values come from, by dotted key, for pretraining and training from scratch; null for the paper's space."""
    finetune_space: Space | None = Field(None, min_length=1)
    """Likewise for fine-tuning, which keeps the size of the pretrained network; null for the paper's space."""
    cpus_per_trial: int = Field(1, ge=1)
    """CPU cores of a trial."""
    gpus_per_trial: float = Field(0.0, ge=0)
    """GPUs of a trial, usually a part of one; 0 trains on the CPU."""
    seed: int = Field(0, ge=0)
    """Of the values that are drawn."""

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
