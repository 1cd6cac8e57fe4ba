"""A table as one web page that needs nothing else: sorted by a click on a heading, filtered by a word."""

import html

import pandas as pd
from pandas.api.types import is_float_dtype, is_numeric_dtype

from neds.files.atomic import write_text
from neds.files.roles import InputFile, OutputFile
from neds.files.tables import read_csv

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 13px/1.4 sans-serif; margin: 1.5em; color: #111; background: #fff; }}
table {{ border-collapse: collapse; margin-top: 0.8em; }}
th, td {{ padding: 0.2em 0.7em; border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
th {{ position: sticky; top: 0; background: #eef2f6; cursor: pointer; }}
th::after {{ content: " \\2195"; color: #999; }}
th[aria-sort=ascending]::after {{ content: " \\2191"; color: #000; }}
th[aria-sort=descending]::after {{ content: " \\2193"; color: #000; }}
tr:hover td {{ background: #f6f8fa; }}
</style>
</head>
<body>
<h1 style="font-size: 1.3em">{title}</h1>
<p>{note}</p>
<input id="filter" type="search" placeholder="show rows with ..." aria-label="show rows with">
<span id="count"></span>
<table>
<thead><tr>{headings}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<script>
const body = document.querySelector("tbody"), headings = [...document.querySelectorAll("th")];
const rows = [...body.rows], filter = document.getElementById("filter"), count = document.getElementById("count");
function number(text) {{ const value = parseFloat(text); return Number.isNaN(value) ? null : value; }}
function compare(a, b) {{
  if (a === "" || b === "") return (a === "") - (b === "");  // empty cells come last
  const x = number(a), y = number(b);
  return x !== null && y !== null ? x - y : a.localeCompare(b);
}}
headings.forEach((heading, column) => heading.addEventListener("click", () => {{
  const descending = heading.getAttribute("aria-sort") === "ascending";
  headings.forEach(other => other.removeAttribute("aria-sort"));
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const cell = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
  rows.sort((a, b) => {{
    const order = compare(cell(a), cell(b));
    return descending && cell(a) !== "" && cell(b) !== "" ? -order : order;
  }});
  body.append(...rows);
}}));
function show() {{
  const words = filter.value.toLowerCase().split(/\\s+/);
  rows.forEach(row => {{ row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word)); }});
  count.textContent = rows.filter(row => !row.hidden).length + " of " + rows.length + " rows";
}}
filter.addEventListener("input", show);
show();
</script>
</body>
</html>
"""


def table_page(table: pd.DataFrame, *, title: str, note: str = "") -> str:
    """The page's text. Numbers are rounded to four digits to be read; they are sorted unrounded.

    Args:
        table: empty cells may be NaN or "".
        note: a sentence or two above the table.
    """
    headings = "".join(f"<th>{html.escape(str(column))}</th>" for column in table.columns)
    columns = [_cells(table[column]) for column in table.columns]
    rows = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in zip(*columns, strict=True))
    return _PAGE.format(title=html.escape(title), note=html.escape(note), headings=headings, rows=rows)


def _cells(column: pd.Series) -> list[str]:
    kind = ' class="number"' if is_numeric_dtype(column) else ""
    if is_float_dtype(column):
        values = [("", "") if pd.isna(value) else (f"{value:.4g}", repr(float(value))) for value in column]
        return [f'<td{kind} data-value="{exact}">{text}</td>' for text, exact in values]
    texts = ["" if pd.isna(value) else html.escape(str(value)) for value in column]
    return [f"<td{kind}>{text}</td>" for text in texts]


def write_page(*, table: InputFile, title: str, output: OutputFile) -> None:
    """Turn a table into a web page that can be sorted and filtered, for the report.

    Args:
        table: CSV to show.
        title: heading of the page.
        output: HTML to write.
    """
    shown = read_csv(table, keep_default_na=False, na_values=[""])
    write_text(output, table_page(shown, title=title))
