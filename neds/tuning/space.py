"""What a search may draw hyper-parameters from, and the check that every value it can draw is one that a run accepts."""

import difflib
import itertools
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field, ValidationError, model_validator

from neds.settings import Settings
from neds.validation import fault_lines

Value = bool | int | float | str | None
Blocks = Mapping[str, BaseModel]

# Scores after another amount of training do not compare, and these do not make a better network but a longer run.
_FIXED = {"training.epochs", "training.validate_every"}


class Domain(Settings):
    """Where the values of one hyper-parameter come from: exactly one of the three."""

    choice: list[Value] | None = Field(default=None, min_length=1)
    """These values, equally likely."""
    uniform: list[float] | None = Field(default=None, min_length=2, max_length=2)
    """Lowest and highest value."""
    loguniform: list[float] | None = Field(default=None, min_length=2, max_length=2)
    """Lowest and highest value; their logarithm is uniform."""

    @model_validator(mode="after")
    def _one_kind(self) -> "Domain":
        if sum(ends is not None for ends in (self.choice, self.uniform, self.loguniform)) != 1:
            raise ValueError("give exactly one of choice, uniform and loguniform")
        limits = self.uniform or self.loguniform
        if limits and limits[0] >= limits[1]:
            raise ValueError(f"the lowest value ({limits[0]}) must come first and be below the highest")
        if self.loguniform and self.loguniform[0] <= 0:
            raise ValueError("loguniform needs values above 0")
        return self

    @property
    def ends(self) -> Sequence[Value]:
        """All values of a choice, the lowest and highest of a range."""
        return self.choice or self.uniform or self.loguniform or []


Space = dict[str, Domain]


def paper_space() -> Space:
    """The paper's space for training from scratch and pretraining."""
    return {
        "model.dim": Domain(choice=[128, 256, 512]),
        "model.mlp": Domain(choice=[256, 512, 1024]),
        "model.layers": Domain(choice=[5, 6]),
    } | paper_finetune_space()


def paper_finetune_space() -> Space:
    """The paper's space for fine-tuning, which keeps the size of the pretrained network."""
    return {
        "masking.ratio": Domain(uniform=[0.1, 0.4]),
        "training.weight_decay": Domain(loguniform=[1e-3, 1e-1]),
        "training.lr": Domain(loguniform=[1e-4, 1e-3]),
    }


def space_faults(space: Space, blocks: Blocks) -> list[str]:
    """Unknown keys, and values that the settings refuse; each as "key: what is wrong".

    Args:
        blocks: the settings that may be searched, by the first part of the dotted key. Keys that are not searched keep
            the values found here.
    """
    known = _searchable(blocks)
    faults = []
    for key in space:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            faults.append(f"{key}: cannot be searched; did you mean {near[0]}?")
    for name, settings in blocks.items():
        own = {
            key.split(".")[1]: domain for key, domain in space.items() if key in known and key.startswith(f"{name}.")
        }
        faults += _refused(name, own, settings)
    return faults


def _searchable(blocks: Blocks) -> list[str]:
    keys = [
        f"{name}.{field}"
        for name, settings in blocks.items()
        for field in type(settings).model_fields
        if not isinstance(getattr(settings, field), dict)
    ]
    return [key for key in keys if key not in _FIXED]


def _refused(name: str, domains: Space, settings: BaseModel) -> list[str]:
    """The first fault of one block's combinations of values. Each key's ends stand for all between them."""
    for values in itertools.product(*(domain.ends for domain in domains.values())):
        candidate = dict(zip(domains, values, strict=True))
        try:
            type(settings).model_validate(settings.model_dump() | candidate)
        except ValidationError as error:
            place, wrong = fault_lines(error, type(settings), settings.model_dump() | candidate)[0]
            tried = candidate.get(place, candidate)
            return [f"{'.'.join(filter(None, [name, place]))}: value {tried!r} cannot be used: {wrong}"]
    return []
