"""Settings of the ablations: models with one thing changed."""

from typing import Any, Literal

from neds.settings import Settings

AblationName = Literal["schemes", "size", "embeddings"]


class AblationSettings(Settings):
    """Which variants of the multimodal model are trained from scratch on each test session."""

    tables: list[AblationName] = []
    """The paper's ablations to run, each for a table of its own."""
    variants: dict[str, dict[str, Any]] = {}
    """One's own variants, by name: the keys of model, masking and training that differ, e.g. {model.layers: 4}."""
