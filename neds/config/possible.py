"""Which models a configuration may make: settings that any of them has, and tasks that any is scored on."""

from collections.abc import Callable
from typing import Any

from neds.config.overrides import combinations
from neds.config.schema import Config
from neds.evaluation.settings import SCHEME_OF, UnitTaskName
from neds.model.settings import Scheme


def may_be(config: Config, block: str, field: str, test: Callable[[Any], bool]) -> bool:
    """Whether a key of model or masking has such a value in any stage and mode, or may have one in a variant or a search."""
    if any(test(getattr(getattr(config.run_settings(*each), block), field)) for each in combinations()):
        return True
    changed = {*(config.tune.space or {}), *(config.tune.finetune_space or {})}
    changed |= {key for changes in config.ablations.variants.values() for key in changes}
    return any(f"{key}.".startswith(f"{block}.{field}.") for key in changed)


def of_scheme(name: Scheme) -> Callable[[Config], bool]:
    """Whether any model is trained with a masking scheme."""
    return lambda config: may_be(config, "masking", "weights", lambda weights: weights.get(name, 0) > 0)


def of_task(name: UnitTaskName) -> Callable[[Config], bool]:
    """Whether a task of units is scored: asked for, or of a scheme that trains for it."""

    def holds(config: Config) -> bool:
        asked = config.evaluation.tasks
        return name in asked if asked is not None else of_scheme(SCHEME_OF[name])(config)

    return holds
