"""What all commands share: how they read settings, how they log, and how they report a user's mistake."""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from neds.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def run(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> NoReturn:
    """Parse arguments and call `main`; a UserError becomes one line on stderr and exit status 1."""
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        main(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    sys.exit(0)


def add_settings(parser: argparse.ArgumentParser, *, help: str) -> None:
    parser.add_argument(
        "--settings", required=True, metavar="JSON|FILE", help=f"{help}, as JSON text or the path of a YAML file"
    )


def settings_value(text: str) -> dict:
    """The mapping that a --settings argument holds.

    Raises:
        UserError: neither JSON text nor a readable YAML file.
    """
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(Path(text).read_text())
    except FileNotFoundError:
        raise UserError(f"--settings: no file {text}; give JSON text or the path of a YAML file") from None
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise UserError(f"--settings: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise UserError("--settings: expected a mapping of keys to values")
    return value


def validated(model: type[Model], value: object) -> Model:
    """`value` as settings of type `model`.

    Raises:
        UserError: one line per fault.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = [f"--settings, {'.'.join(map(str, f['loc']))}: {f['msg'].lower()}" for f in error.errors()]
        raise UserError("\n".join(faults)) from None
