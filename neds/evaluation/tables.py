"""The metrics table: all evaluations of a workflow, one row per number."""

from pathlib import Path

import pandas as pd

from neds.errors import UserError
from neds.evaluation.results import METRIC_COLUMNS


def metrics_table(paths: list[Path]) -> pd.DataFrame:
    """The evaluations' metrics below one another, in the order of `paths`.

    Raises:
        UserError: a file that is missing or does not have the columns of `METRIC_COLUMNS`.
    """
    tables = []
    for path in paths:
        try:
            table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"training": str})
        except (FileNotFoundError, pd.errors.EmptyDataError):
            table = pd.DataFrame()
        if list(table.columns) != METRIC_COLUMNS:
            raise UserError(f"{path}: no complete metrics file; delete it and run snakemake again")
        tables.append(table)
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=METRIC_COLUMNS)
