"""The configuration in use as a table."""

import json
from typing import Any

import pandas as pd

from neds.files.atomic import write_csv
from neds.files.roles import OutputFile


def write_configuration(*, settings: dict[str, Any], output: OutputFile) -> None:
    """List the whole configuration in use, a row per key.

    Args:
        settings: the configuration.
        output: CSV to write.
    """
    write_csv(output, pd.DataFrame(_rows(settings), columns=["key", "value"]))


def _rows(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            rows += _rows(value, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, value if isinstance(value, str) else json.dumps(value)))
    return rows
