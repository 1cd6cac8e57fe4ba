"""Values of options that hold more than a word: JSON text, or the path of a YAML file."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from neds.errors import UserError
from neds.validation import validated


def mapping_of(text: str, *, option: str) -> dict[str, Any]:
    """The mapping that the value of `option` holds.

    Raises:
        UserError: neither JSON text nor a readable YAML file.
    """
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(Path(text).read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{option}: no file {text}; give JSON text or the path of a YAML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{option}: {text[:200]} cannot be read ({error.args[-1]})") from None
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{option}: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise UserError(f"{option}: expected a mapping of keys to values")
    return value


def settings_of(text: str, model: type[BaseModel], *, option: str) -> BaseModel:
    """The settings that the value of `option` holds.

    Raises:
        UserError: no mapping, or one line per fault in it.
    """
    return validated(model, mapping_of(text, option=option), where=option)
