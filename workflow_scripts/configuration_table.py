"""List the whole configuration in use, a row per key."""

import argparse
import json
from pathlib import Path

import pandas as pd

from neds.files.atomic import write_csv
from workflow_scripts._command import add_settings, run, settings_value


def main(arguments: argparse.Namespace) -> None:
    rows = _flat(settings_value(arguments.settings))
    write_csv(arguments.output, pd.DataFrame(rows, columns=["key", "value"]))


def _flat(values: dict, prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, value if isinstance(value, str) else json.dumps(value)))
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="CSV to write")
    add_settings(parser, help="the configuration")
    run(main, parser)
