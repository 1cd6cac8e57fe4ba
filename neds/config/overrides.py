"""What differs by stage and mode: dotted keys of the blocks model, masking and training, and how they are applied."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args

from neds.ablations.changes import Changes, with_changes
from neds.model.modes import ModeName
from neds.model.settings import NOT_OF_SHAPE, MaskingSettings, ModelSettings
from neds.settings import Settings
from neds.training.settings import TrainingBlock

Stage = Literal["pretrain", "scratch", "finetuned"]
OverrideName = Literal[
    "pretrain", "scratch", "finetuned",
    "mm", "encoding", "decoding",
    "pretrain mm", "pretrain encoding", "pretrain decoding",
    "scratch mm", "scratch encoding", "scratch decoding",
    "finetuned mm", "finetuned encoding", "finetuned decoding",
]  # fmt: skip
Overrides = Mapping[Any, Changes]


class RunSettings(Settings):
    """Everything that differs by stage and mode."""

    model: ModelSettings
    masking: MaskingSettings
    training: TrainingBlock

    def of_result(self) -> dict[str, Settings]:
        """What of each block determines a trained network, which variants may change and searches may draw."""
        return {"model": self.model, "masking": self.masking, "training": self.training.of_result()}


def combinations() -> Iterator[tuple[Stage, ModeName]]:
    """Every stage with every mode."""
    return ((stage, mode) for stage in get_args(Stage) for mode in get_args(ModeName))


def applied(overrides: Overrides, stage: Stage, mode: ModeName) -> dict[str, tuple[str, Any]]:
    """Dotted key -> the override that decides it and its value, in the order in which they are to be applied.

    A whole mapping (masking.weights) comes before its parts (masking.weights.across) within one override; an override that
    is more specific replaces both.
    """
    decided: dict[str, tuple[str, Any]] = {}
    for name in (stage, mode, f"{stage} {mode}"):
        for key, value in sorted(overrides.get(name, {}).items(), key=lambda item: item[0].count(".")):
            decided = {known: by for known, by in decided.items() if not f"{known}.".startswith(f"{key}.")}
            decided[key] = (name, value)
    return decided


def decisions(overrides: Overrides, stage: Stage, mode: ModeName) -> dict[str, tuple[str, Any]]:
    """Like `applied`, with the shape of a fine-tuned network decided by pretraining."""
    own = applied(overrides, stage, mode)
    if stage != "finetuned":
        return own
    shape = {key: by for key, by in applied(overrides, "pretrain", mode).items() if is_shape(key)}
    return shape | {key: by for key, by in own.items() if not is_shape(key)}


def is_shape(key: str) -> bool:
    """Whether a dotted key is one that a fine-tuned network has from pretraining."""
    block, _, field = key.partition(".")
    return block == "model" and field not in NOT_OF_SHAPE


def resolve(base: RunSettings, overrides: Overrides, stage: Stage, mode: ModeName) -> RunSettings:
    """The settings of a stage and mode.

    Raises:
        ValidationError: the overrides do not fit; a configuration that was checked has none such.
    """
    changes = {key: value for key, (_, value) in decisions(overrides, stage, mode).items()}
    return RunSettings.model_validate(with_changes(base.model_dump(), changes))
