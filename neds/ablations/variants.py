"""The variants that a configuration asks for: the paper's ablations and one's own."""

from collections.abc import Mapping
from dataclasses import dataclass

from neds.ablations.changes import Changes, changed_blocks, key_faults
from neds.ablations.settings import AblationName, AblationSettings
from neds.model.settings import ModelSettings
from neds.run import name_fault
from neds.settings import Settings

_PAPER_LAYERS = (5, 22)


@dataclass(frozen=True)
class Ablation:
    """A table of variants beside the unchanged model.

    Attributes:
        title: what it is about, with the number of the paper's table.
        variants: what each changes, by name.
    """

    title: str
    variants: dict[str, Changes]


def paper_ablations(model: ModelSettings) -> dict[AblationName, Ablation]:
    """The paper's Tables 2, 9 and 11 as changes of the configuration in use.

    The paper's schemes are neural, behavioural, within-modality and cross-modal masking: its "cross-modal" is called
    "across" here, and its "within-modality" is two schemes. Its larger model has the layers of its largest multi-session
    model (22 instead of 5); here the layers grow by the same factor. Its "temporal" embedding is the learned one of the
    time bin; the rotary angles stay.
    """
    few, many = _PAPER_LAYERS
    no_modality, no_position = {"model.modality_embedding": False}, {"model.position_embedding": False}
    return {
        "schemes": Ablation(
            "masking schemes (Table 2)",
            {
                "without-cross-modal": {"masking.weights.across": 0.0},
                "without-within-modality": {
                    "masking.weights.within_spikes": 0.0,
                    "masking.weights.within_behaviour": 0.0,
                },
            },
        ),
        "size": Ablation("model size (Table 9)", {"deeper": {"model.layers": round(model.layers * many / few)}}),
        "embeddings": Ablation(
            "embeddings (Table 11)",
            {
                "without-modality-embedding": no_modality,
                "without-temporal-embedding": no_position,
                "without-both-embeddings": no_modality | no_position,
            },
        ),
    }


def ablations_in_use(settings: AblationSettings, model: ModelSettings) -> dict[str, Ablation]:
    """The ablations that the configuration asks for, by name; one's own variants are called "own"."""
    ablations: dict[str, Ablation] = {name: paper_ablations(model)[name] for name in settings.tables}
    if settings.variants:
        ablations["own"] = Ablation("own variants", dict(settings.variants))
    return ablations


def variants_in_use(settings: AblationSettings, model: ModelSettings) -> dict[str, Changes]:
    """What each variant changes, by name."""
    return {
        name: changes
        for ablation in ablations_in_use(settings, model).values()
        for name, changes in ablation.variants.items()
    }


def variant_faults(settings: AblationSettings, blocks: Mapping[str, Settings]) -> list[str]:
    """What is wrong with the variants, a line each.

    Args:
        blocks: the settings that a variant may change, by the first part of its keys; `model` among them.
    """
    model = blocks["model"]
    assert isinstance(model, ModelSettings)
    paper = paper_ablations(model)
    reserved = {name for ablation in paper.values() for name in ablation.variants}
    places = {name: f"config key ablations.variants.{name}" for name in settings.variants}
    faults = []
    for name, place in places.items():
        if name in reserved:
            faults.append(f"{place}: an ablation of the paper is called so; choose another name")
        if fault := name_fault(name):
            faults.append(f"{place}: {fault}")
    for table in settings.tables:
        places |= {name: f"config key ablations.tables: {table}, {name}" for name in paper[table].variants}
    for name, changes in variants_in_use(settings, model).items():
        faults += _faults(changes, blocks, places[name])
    return faults


def _faults(changes: Changes, blocks: Mapping[str, Settings], place: str) -> list[str]:
    faults = key_faults(changes, blocks, whose="a variant")
    if not faults:
        changed, faults = changed_blocks(changes, blocks)
        if not faults and changed == dict(blocks):
            return [f"{place}: changes nothing, the configuration has these values already"]
    return [f"{place}.{key}: {text}" for key, text in faults]
