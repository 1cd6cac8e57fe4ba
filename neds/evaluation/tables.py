"""The metrics table: all evaluations of a workflow, one row per number."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from neds.evaluation.results import METRIC_COLUMNS
from neds.files.atomic import write_csv
from neds.files.roles import InputFiles, OutputFile
from neds.files.tables import read_csv


def write_metrics_table(*, metrics: InputFiles, output: OutputFile) -> None:
    """Collect the metrics of all evaluations into one table.

    Args:
        metrics: metrics CSV of each evaluation, in the order of the rows.
        output: CSV to write.

    Raises:
        UserError: a file that is missing or damaged.
    """
    write_csv(output, metrics_table(metrics))


def metrics_table(paths: Sequence[Path]) -> pd.DataFrame:
    """The evaluations' metrics below one another, in the order of `paths`.

    Raises:
        UserError: a file that is missing or damaged, or does not have the columns of `METRIC_COLUMNS`.
    """
    options = {
        "keep_default_na": False,
        "na_values": [""],
        "dtype": {"training": str, "value": float, "n_classes": "Int64"},
    }
    tables = [read_csv(path, columns=METRIC_COLUMNS, **options) for path in paths]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=METRIC_COLUMNS)
