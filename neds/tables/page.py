"""A table as one web page that needs nothing else: sorted by a click on a heading, filtered by a word."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment
from pandas.api.types import is_float_dtype, is_numeric_dtype

from neds.files.atomic import write_text
from neds.files.roles import InputFile, OutputFile
from neds.files.tables import read_csv

TEMPLATE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class _Cell:
    """What is shown, and of a rounded number what it is sorted by."""

    text: str
    is_number: bool
    exact: str | None = None


def table_page(table: pd.DataFrame, *, title: str, note: str = "") -> str:
    """The page's text. Numbers are rounded to four digits to be read; they are sorted unrounded.

    Args:
        table: empty cells may be NaN or "".
        note: a sentence or two above the table.
    """
    page = Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    rows = zip(*(_cells(table[column]) for column in table.columns), strict=True)
    return page.render(title=title, note=note, headings=list(table.columns), rows=list(rows))


def _cells(column: pd.Series) -> list[_Cell]:
    if is_float_dtype(column):
        values = [("", "") if pd.isna(value) else (f"{value:.4g}", repr(float(value))) for value in column]
        return [_Cell(text, True, exact) for text, exact in values]
    is_number = is_numeric_dtype(column)
    return [_Cell("" if pd.isna(value) else str(value), is_number) for value in column]


def write_page(*, table: InputFile, title: str, output: OutputFile) -> None:
    """Turn a table into a web page that can be sorted and filtered, for the report.

    Args:
        table: CSV to show.
        title: heading of the page.
        output: HTML to write.
    """
    shown = read_csv(table, keep_default_na=False, na_values=[""])
    write_text(output, table_page(shown, title=title))
