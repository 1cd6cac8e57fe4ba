"""A mode says which modalities a model reads, which it predicts, and which masking schemes train it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from neds.errors import UserError
from neds.modalities import Modality
from neds.model.settings import MaskingSettings, Scheme

ModeName = Literal["mm", "encoding", "decoding"]


@dataclass(frozen=True)
class Mode:
    """`inputs` have tokens in the sequence; `outputs` have readouts; `scheme_weights` by scheme name."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scheme_weights: Mapping[Scheme, float]


def preset(name: ModeName, modalities: dict[str, Modality], masking: MaskingSettings) -> Mode:
    """The multimodal model ("mm") and the two unimodal ones as (inputs, outputs, schemes).

    Raises:
        UserError: a group of modalities that the mode needs is empty.
    """
    neural = tuple(m.name for m in modalities.values() if m.group == "neural")
    behaviour = tuple(m.name for m in modalities.values() if m.group == "behaviour")
    for group, members in (("neural", neural), ("behaviour", behaviour)):
        if not members:
            raise UserError(
                f"modalities: mode {name} needs at least one {group} modality (usually spikes and behaviours)"
            )
    if name == "encoding":
        return Mode(behaviour, neural, {"encoding": 1.0})
    if name == "decoding":
        return Mode(neural, behaviour, {"decoding": 1.0})
    return Mode(tuple(modalities), tuple(modalities), dict(masking.weights))
