"""What the commands share that read embeddings of units."""

from pathlib import Path

from neds.errors import UserError
from neds.regions.embeddings import EmbeddedModel


def embedded_models(paths: list[Path], models: list[dict]) -> list[EmbeddedModel]:
    """Files of embeddings with what the settings say of each.

    Raises:
        UserError: not one description per file.
    """
    if len(paths) != len(models):
        raise UserError("--settings, models: describe each file of --embeddings")
    return [EmbeddedModel(path, **model) for path, model in zip(paths, models, strict=True)]
