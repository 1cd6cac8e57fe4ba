"""What all commands share: how they read settings, how they log, and how they report a user's mistake."""

import argparse
import json
import logging
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from neds.errors import UserError
from neds.files.atomic import is_full_disk
from neds.processes import is_alive

Model = TypeVar("Model", bound=BaseModel)


def run(main: Callable[[argparse.Namespace], None], parser: argparse.ArgumentParser) -> NoReturn:
    """Parse arguments and call `main`; a UserError or a full disk becomes one line on stderr and exit status 1."""
    arguments = parser.parse_args()
    _end_with_workflow()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        main(arguments)
    except UserError as error:
        sys.exit(f"error: {error}")
    except Exception as error:
        if is_full_disk(error):
            sys.exit(f"error: no space left ({' '.join(str(error).split())}); make room and run snakemake again")
        raise
    sys.exit(0)


@contextmanager
def signalled_to_stop() -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether SIGTERM or SIGINT came; within the block they do nothing else.

    Torchrun's processes get such a signal twice, from whoever sends it and from torchrun, so a second one is not different.
    """
    came = threading.Event()
    before = {number: signal.signal(number, lambda *_: came.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield came.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with_workflow() -> None:
    """Send this process SIGTERM once the Snakemake that started it is gone (rules/common.smk names it).

    A job that outlived a Snakemake killed with SIGKILL could write its outputs over those of the next one.
    """
    host, _, pid = os.environ.get("NEDS_SNAKEMAKE", "").partition("/")
    if host != platform.node() or not is_alive(int(pid)):
        return

    def watch() -> None:
        while is_alive(int(pid)):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def add_settings(parser: argparse.ArgumentParser, *, help: str) -> None:
    parser.add_argument(
        "--settings", required=True, metavar="JSON|FILE", help=f"{help}, as JSON text or the path of a YAML file"
    )


def settings_value(text: str, *, option: str = "--settings") -> dict:
    """The mapping that the argument of `option` holds.

    Raises:
        UserError: neither JSON text nor a readable YAML file.
    """
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(Path(text).read_text())
    except FileNotFoundError:
        raise UserError(f"{option}: no file {text}; give JSON text or the path of a YAML file") from None
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{option}: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise UserError(f"{option}: expected a mapping of keys to values")
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
