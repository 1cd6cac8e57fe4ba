"""The file best.yaml: the values of a search's best trial, and how training takes them."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from neds.files.atomic import write_text
from neds.files.reading import damaged, reading
from neds.settings import Settings
from neds.training.settings import TrainingRun
from neds.validation import fault_lines

_END = "...\n"


class BestTrial(Settings):
    """Content of best.yaml."""

    score: float | None = None
    """Its best validation score."""
    trial: int | None = None
    """Its number in the table of trials."""
    skipped: str = ""
    """Why there was no search; then nothing is changed."""
    model: dict[str, Any] = {}
    masking: dict[str, Any] = {}
    training: dict[str, Any] = {}


def write_best(path: Path, best: BestTrial) -> None:
    write_text(path, yaml.safe_dump(best.model_dump(exclude_defaults=True), sort_keys=False, explicit_end=True))


def nested(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Values by dotted key as values by block and key."""
    blocks: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        block, _, name = key.partition(".")
        blocks.setdefault(block, {})[name] = value
    return blocks


def with_values(run: TrainingRun, blocks: dict[str, dict[str, Any]]) -> TrainingRun:
    """`run` with the values of `blocks` in the place of its own."""
    values = run.model_dump()
    return TrainingRun.model_validate(values | {name: values[name] | block for name, block in blocks.items()})


def with_best(run: TrainingRun, path: Path) -> TrainingRun:
    """`run` with the values that a search found best.

    Raises:
        UserError: the file is no best.yaml, or holds values that the settings refuse.
    """
    with reading(path, yaml.YAMLError):
        text = path.read_text(encoding="utf-8")
        # Half of a YAML text can be YAML too.
        if not text.endswith(_END):
            raise damaged(path, "its end is missing")
        try:
            values = yaml.safe_load(text)
            best = BestTrial.model_validate(values)
            return with_values(run, {"model": best.model, "masking": best.masking, "training": best.training})
        except ValidationError as error:
            place, wrong = fault_lines(error, BestTrial, values)[0]
            raise damaged(path, f"{place}: {wrong}".removeprefix(": ")) from None
