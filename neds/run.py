"""The identity of a trained model: how it is called in tables, files and figures. Composed and parsed here alone."""

import re
from dataclasses import dataclass
from typing import Literal, cast

from neds.model.modes import ModeName

Regime = Literal["scratch", "finetuned", "pretrained"]

_NAME = re.compile("[A-Za-z0-9_-]+")
_LIKE_AN_ENDING = re.compile("(^|-)([0-9]+trials|ensemble|seed[0-9]+)$")
_MODEL = re.compile(
    r"neds-(?P<mode>mm|encoding|decoding)-"
    r"(?:(?P<scratch>scratch)(?:-(?P<variant>.+?))??|(?P<regime>finetuned|pretrained)-(?P<set>.+?))"
    r"(?:-(?P<trials>[0-9]+)trials)?(?:(?P<ensemble>-ensemble)|-seed(?P<seed>[0-9]+))?"
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model, or, without a seed, the models that differ in their seed alone.

    Attributes:
        mode: mm, encoding or decoding.
        regime: scratch and finetuned are of one test session, pretrained is of a set of sessions.
        pretraining_set: name of the set that the model was pretrained on; empty from scratch.
        trials: number of training trials; None for all.
        variant: of an ablation, by name; empty for the unchanged model.
        seed: of the training; None for all seeds.
        is_ensemble: whether it is the mean of the predictions of all seeds; it has no seed then.
    """

    mode: ModeName
    regime: Regime
    pretraining_set: str = ""
    trials: int | None = None
    variant: str = ""
    seed: int | None = None
    is_ensemble: bool = False

    @property
    def model(self) -> str:
        """The column `model` of tables, e.g. neds-mm."""
        return f"neds-{self.mode}"

    @property
    def training(self) -> str:
        """The column `training` of tables, e.g. scratch, scratch-wide, finetuned-all-50trials, scratch-ensemble."""
        trials = "" if self.trials is None else f"{self.trials}trials"
        ensemble = "ensemble" if self.is_ensemble else ""
        return "-".join(part for part in (self.regime, self.pretraining_set, self.variant, trials, ensemble) if part)

    @property
    def label(self) -> str:
        """The models of all seeds, e.g. neds-mm-finetuned-all."""
        return f"{self.model}-{self.training}"

    @property
    def name(self) -> str:
        """One model, e.g. neds-mm-finetuned-all-seed0; without a seed the label."""
        return self.label if self.seed is None else f"{self.label}-seed{self.seed}"

    @property
    def family(self) -> str:
        """What the model shares with others whatever they were trained on, e.g. neds-mm-finetuned."""
        return f"{self.model}-{self.regime}"

    @property
    def details(self) -> list[str]:
        """What tells it from others of its family; a set of all sessions goes without saying."""
        named = [self.variant, "" if self.pretraining_set == "all" else self.pretraining_set]
        trials = [] if self.trials is None else [f"{self.trials} trials"]
        return [part for part in named if part] + trials + (["ensemble"] if self.is_ensemble else [])

    @classmethod
    def parse(cls, text: str) -> "Run | None":
        """The run that a label or name stands for; None for anything else, such as a baseline."""
        found = _MODEL.fullmatch(text)
        if not found:
            return None
        return cls(
            mode=cast(ModeName, found["mode"]),
            regime=cast(Regime, found["scratch"] or found["regime"]),
            pretraining_set=found["set"] or "",
            trials=int(found["trials"]) if found["trials"] else None,
            variant=found["variant"] or "",
            seed=int(found["seed"]) if found["seed"] else None,
            is_ensemble=bool(found["ensemble"]),
        )


def name_fault(name: str) -> str:
    """What keeps a pretraining set or a variant from being called so; empty where nothing does."""
    if not _NAME.fullmatch(name) or _LIKE_AN_ENDING.search(name):
        return "a name may hold letters, digits, - and _, and may not end like 50trials, seed0 or ensemble"
    return ""
