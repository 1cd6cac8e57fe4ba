"""A table of means: CSV with plain numbers; Markdown, LaTeX and a web page with "mean ± s.e.m." to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from neds.figures.numbers import rounded
from neds.files.atomic import write_csv, write_text
from neds.files.roles import with_suffix_added
from neds.tables.page import table_page

_LATEX = {
    **{character: rf"\{character}" for character in "_%&#${}"},
    **{"²": "$^2$", "±": r"$\pm$", "–": "--"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
}
"""What LaTeX would take for a command, or lacks in its usual encodings."""


@dataclass(frozen=True)
class MeansTable:
    """Means over sessions, by row and column.

    Attributes:
        entries: columns row, column, mean, sem (NaN for one session), n_sessions; one line per cell that is not empty.
        rows, columns: titles, in order.
        heading: title of the column of row titles.
        title: what the table is of, in a few words.
        caption: what the numbers are: n, errors, data.
        digits: decimals of columns that are not read with two.
    """

    entries: pd.DataFrame
    rows: Sequence[str]
    columns: Sequence[str]
    heading: str
    title: str
    caption: str
    digits: Mapping[str, int] = field(default_factory=dict)

    def numbers(self) -> pd.DataFrame:
        """Mean, s.e.m. and n of each cell without rounding, one column each; NaN and n 0 where there is none."""
        found = self._found()
        table = pd.DataFrame({self.heading: list(self.rows)})
        for column in self.columns:
            values = [found.get((row, column), (np.nan, np.nan, 0)) for row in self.rows]
            for place, suffix in enumerate(("", ", s.e.m.", ", n")):
                table[column + suffix] = [value[place] for value in values]
        return table

    def cells(self) -> list[list[str]]:
        """The heading line, then a line of text per row."""
        text = {
            (row, column): mean_and_error(mean, sem, digits=self.digits.get(column, 2))
            for (row, column), (mean, sem, _) in self._found().items()
        }
        lines = [[row, *(text.get((row, column), "–") for column in self.columns)] for row in self.rows]
        return [[self.heading, *self.columns], *lines]

    def _found(self) -> dict[tuple[str, str], tuple[float, float, int]]:
        keys = zip(self.entries["row"], self.entries["column"], strict=True)
        values = zip(self.entries["mean"], self.entries["sem"], self.entries["n_sessions"], strict=True)
        return dict(zip(keys, values, strict=True))


def mean_and_error(mean: float, sem: float, *, digits: int = 2) -> str:
    """As in 0.27 ± 0.03; the mean alone without an error, which one session does not have."""
    return f"{rounded(mean, digits)} ± {rounded(sem, digits)}" if np.isfinite(sem) else rounded(mean, digits)


def empty_cells_note(entries: pd.DataFrame, rows: Sequence[str], columns: Sequence[str]) -> str:
    """What an empty cell of a table of models says; empty where there is none. Arguments as of `MeansTable`."""
    n_filled = len(entries[["row", "column"]].drop_duplicates())
    if n_filled == len(rows) * len(columns):
        return ""
    return " No number: the model does not predict this, or has no score in any session."


def write_table(table: MeansTable, stem: Path) -> None:
    """Write stem.csv, stem.md, stem.html, and stem.tex, which needs the LaTeX package booktabs."""
    write_csv(with_suffix_added(stem, "csv"), table.numbers())
    write_text(with_suffix_added(stem, "md"), _markdown(table.cells(), table.caption))
    write_text(with_suffix_added(stem, "tex"), _latex(table.cells(), table.caption))
    heading, *lines = table.cells()
    page = table_page(pd.DataFrame(lines, columns=heading).replace("–", ""), title=table.title, note=table.caption)
    write_text(with_suffix_added(stem, "html"), page)


def _markdown(lines: list[list[str]], caption: str) -> str:
    heading, *rows = [[cell.replace("|", r"\|").replace("<", "&lt;") for cell in line] for line in lines]
    align = ["left", *["right"] * (len(heading) - 1)]
    text = tabulate(rows, headers=heading, tablefmt="pipe", disable_numparse=True, colalign=align if rows else None)
    return f"{text}\n\n{caption}\n"


def _latex(lines: list[list[str]], caption: str) -> str:
    heading, *rows = lines
    styler = pd.DataFrame(rows, columns=heading).style.hide(axis="index")
    styler = styler.format(_latex_text).format_index(_latex_heading, axis="columns")
    columns = f"l{'r' * (len(heading) - 1)}"
    return styler.to_latex(hrules=True, column_format=columns, caption=_latex_text(caption))


def _latex_heading(text: str) -> str:
    """A heading such as "choice: accuracy" over two lines, so that a table of many columns fits a page."""
    upper, colon, lower = text.partition(": ")
    return rf"\shortstack{{{_latex_text(upper)}\\{_latex_text(lower)}}}" if colon else _latex_text(text)


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
