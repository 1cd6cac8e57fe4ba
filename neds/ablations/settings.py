"""Settings of the ablations: models with one thing changed."""

from typing import Any, Literal

from neds.settings import Settings, key

AblationName = Literal["schemes", "size", "embeddings"]


class AblationSettings(Settings):
    """Which variants of the multimodal model are trained from scratch on each test session."""

    tables: list[AblationName] = key(
        [],
        when="to repeat the paper's ablations; each costs as much as the models from scratch",
        paper="[schemes, size, embeddings]",
    )
    """The paper's ablations to run, each for a table of its own."""
    variants: dict[str, dict[str, Any]] = key({}, when="to see what one key gives")
    """One's own variants, by name: the keys of model, masking and training that differ, e.g. {model.layers: 4}."""
