"""Tables of the workflow, CSV and Parquet, read with clear errors."""

import os
from pathlib import Path

import pandas as pd

from neds.files.reading import damaged, reading


def read_csv(path: Path, *, columns: list[str] | None = None, **options: object) -> pd.DataFrame:
    """Read a CSV file that a stage wrote.

    Args:
        columns: exactly those that it must have; any when omitted.
        options: of pandas.read_csv.

    Raises:
        UserError: it is missing, damaged or cut off.
    """
    with reading(path):
        table = pd.read_csv(path, **options)
        with open(path, "rb") as handle:
            handle.seek(-1, os.SEEK_END)
            is_whole = handle.read(1) == b"\n"
    if not is_whole:
        raise damaged(path, "the last line is cut off")
    if columns is not None and list(table.columns) != columns:
        raise damaged(path, f"columns are {', '.join(table.columns)} and not {', '.join(columns)}")
    return table


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file that a stage wrote.

    Raises:
        UserError: it is missing or damaged.
    """
    with reading(path):
        return pd.read_parquet(path)
