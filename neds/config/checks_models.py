"""Checks of what overrides, searches and variants make of the settings of a model."""

from collections.abc import Iterator
from typing import Any, get_args

from neds.ablations.changes import changed_blocks, key_faults
from neds.ablations.variants import variant_faults
from neds.config.checked import Checked
from neds.config.overrides import NOT_OF_SHAPE, Stage, combinations, decisions, is_shape
from neds.config.possible import of_task
from neds.config.schema import Config
from neds.errors import UserError
from neds.model.hideable import has_units
from neds.model.modes import ModeName
from neds.settings import Settings
from neds.tuning.space import space_faults as faults_of_space
from neds.validation import did_you_mean

_NO_UNITS = "no modality has any; add spikes to modalities"
_LOSS_WEIGHTS, _FREEZE = "training.loss_weights", "training.freeze"


def override_faults(checked: Checked) -> list[str]:
    """Keys that are none, and values that a stage and mode cannot be run with. Each line names the overrides at fault."""
    config = checked.config
    faults = []
    for name, changes in config.overrides.items():
        wrong = dict(key_faults(changes, _blocks(config.blocks()), whose="an override"))
        if name.partition(" ")[0] == "finetuned":
            where = name.replace("finetuned", "pretrain")
            wrong |= {
                key: "a fine-tuned network has the size of the pretrained one, but for "
                f"{', '.join(NOT_OF_SHAPE)}; say it under {where}"
                for key in changes
                if is_shape(key) and key not in wrong
            }
        faults += [f"config key overrides.{name}.{key}: {text}" for key, text in wrong.items()]
    return faults or _combined_faults(config)


def _combined_faults(config: Config) -> list[str]:
    """What is wrong with the settings that overrides together make; each once, with as few overrides as show it."""
    found: dict[tuple[str, frozenset[str]], None] = {}
    for stage, mode in combinations():
        decided = decisions(config.overrides, stage, mode)
        _, faults = changed_blocks({key: value for key, (_, value) in decided.items()}, _blocks(config.blocks()))
        for place, text in faults:
            # A value is at fault for the last that set it; a block or mapping, for all overrides of its parts.
            near = [key for key in decided if f"{place}.".startswith(f"{key}.")]
            near = near[-1:] or [key for key in decided if f"{key}.".startswith(f"{place}.")]
            rest = place.removeprefix(near[0]) if len(near) == 1 and place.startswith(near[0]) else ""
            found[text, frozenset(f"overrides.{decided[key][0]}.{key}{rest}" for key in near)] = None
    return [
        f"config key {', '.join(sorted(keys))}: {text}"
        for text, keys in found
        if not any(other < keys for same, other in found if same == text)
    ]


def loss_weight_faults(checked: Checked) -> list[str]:
    """Weights of modalities that are not in use, where somebody wrote them, and weights below 0."""
    config = checked.config
    given: dict[str, dict[str, Any]] = {}
    if _LOSS_WEIGHTS in checked.given:
        given[_LOSS_WEIGHTS] = dict(config.training.loss_weights)
    for name, changes in config.overrides.items():
        whole = changes.get(_LOSS_WEIGHTS)
        parts = {key.removeprefix(f"{_LOSS_WEIGHTS}."): value for key, value in changes.items()}
        parts = {part: value for part, value in parts.items() if f"{_LOSS_WEIGHTS}.{part}" in changes}
        given[f"overrides.{name}.{_LOSS_WEIGHTS}"] = (whole if isinstance(whole, dict) else {}) | parts
    negative = [
        f"config key {key}.{name}: must be 0 or more, not {weight:g}; below 0 a training would seek errors"
        for key, weights in given.items()
        for name, weight in weights.items()
        if isinstance(weight, int | float) and weight < 0
    ]
    return negative + [
        f"config key {key}.{name}: no modality in use is called so; "
        + did_you_mean(name, config.modalities, otherwise=f"in use are {', '.join(config.modalities)}")
        for key, names in given.items()
        for name in names
        if name not in config.modalities
    ]


def space_faults(checked: Checked) -> list[str]:
    """Faults of the spaces that are given or used: the paper's sizes need not fit the heads of a model never searched."""
    if override_faults(checked):
        return []
    tune = checked.config.tune
    faults: dict[str, None] = {}
    for name, stage, mode in _searches(checked.config):
        blocks = checked.config.run_settings(stage, mode).of_result()
        if name == "finetune_space":
            del blocks["model"]
        for fault in faults_of_space(tune.search_for(stage).space, blocks):
            faults[f"config key tune.{name}.{fault}"] = None
    return list(faults)


def _searches(config: Config) -> Iterator[tuple[str, Stage, ModeName]]:
    """Key of a space with every stage and mode that draws from it; one that nothing draws from is checked by itself."""
    drawing: dict[str, tuple[Stage, ...]] = {"space": ("pretrain", "scratch"), "finetune_space": ("finetuned",)}
    for name, stages in drawing.items():
        used = [stage for stage in stages if stage in config.tune.stages]
        if getattr(config.tune, name) and not used:
            used = [stages[-1]]
        yield from ((name, stage, mode) for stage in used for mode in config.modes)


def ablation_faults(checked: Checked) -> list[str]:
    """Faults of the variants, which change the settings of multimodal models from scratch."""
    if override_faults(checked):
        return []
    config = checked.config
    faults = variant_faults(config.ablations, config.run_settings("scratch", "mm").of_result())
    asked = [*config.ablations.tables, *config.ablations.variants]
    if asked and "mm" not in config.modes:
        faults.append(f"config key ablations: {asked[0]} is of the multimodal model; add mm to modes")
    return faults


def freeze_faults(checked: Checked) -> list[str]:
    """Stages and variants that start from random weights and would keep some of them; of overrides that name such a stage,
    whether or not its models are trained.
    """
    if override_faults(checked):
        return []
    config = checked.config
    stages: dict[Stage, bool] = {
        "pretrain": "finetuned" in config.regimes and not config.pretrained,
        "scratch": "scratch" in config.regimes,
    }
    found = {f"ablations.variants.{name}": changes.get(_FREEZE) for name, changes in config.ablations.variants.items()}
    for name, changes in config.overrides.items():
        if name.partition(" ")[0] in stages:
            found[f"overrides.{name}.{_FREEZE}"] = changes.get(_FREEZE)
    for stage in (stage for stage, is_used in stages.items() if is_used):
        for mode in config.modes:
            override, _ = decisions(config.overrides, stage, mode).get(_FREEZE, ("", None))
            place = f"overrides.{override}.{_FREEZE}" if override else _FREEZE
            found[place] = config.run_settings(stage, mode).training.freeze
    return [
        f"config key {place}: {value} keeps weights as they are pretrained, and here they start at random; write "
        f"overrides: {{finetuned: {{{_FREEZE}: {value}}}}}"
        for place, value in found.items()
        if value not in (None, "none")
    ]


def unit_task_faults(checked: Checked) -> list[str]:
    """Schemes and tasks of units where no modality has units, or no model could do a task that is asked for."""
    if override_faults(checked):
        return []
    config = checked.config
    try:
        units = any(map(has_units, config.modality_registry().values()))
    except (UserError, ValueError):
        # What is wrong with the modalities is said by the check of these.
        return []
    asked = config.evaluation.tasks or []
    faults = []
    trained = any(config.run_settings(stage, "mm").masking.weights.get("units") for stage in get_args(Stage))
    if trained and not units:
        faults.append(f"config key masking.weights.units: hides units, and {_NO_UNITS}")
    if asked and not units:
        faults.append(f"config key evaluation.tasks: {asked[0]} is of units, and {_NO_UNITS}")
    elif asked and "mm" not in config.modes:
        needs = "is of models that read and predict spikes; add mm to modes"
        faults.append(f"config key evaluation.tasks: {asked[0]} {needs}")
    return faults


def held_out_faults(checked: Checked) -> list[str]:
    """A column of held-out units where the source's units have none of truth values."""
    if override_faults(checked):
        return []
    config = checked.config
    column = config.evaluation.held_out_column
    if not column or config.source not in ("synthetic", "alf", "one") or not of_task("co_smoothing")(config):
        return []
    return [
        f"config key evaluation.held_out_column: units of source {config.source} have no column of truth values, so none is "
        f"called {column}; name the units in held_out_uuids, or leave both out for a draw"
    ]


def _blocks(settings: Settings) -> dict[str, Settings]:
    return dict(settings)
