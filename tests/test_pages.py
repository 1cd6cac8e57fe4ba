"""Pages of tables for the report: every row, sorted unrounded, nothing taken for markup."""

import re

import pandas as pd

from neds.environment import software_versions
from neds.tables.page import table_page


def test_page_has_every_row_and_the_exact_numbers():
    table = pd.DataFrame({"model": ["a<b>", "c & d"], "value": [0.123456, float("nan")], "n": [12345678, 2]})
    page = table_page(table, title="Scores > 0", note="Two models.")
    body = page.split("<tbody>")[1].split("</tbody>")[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", body)]
    assert cells == [["a&lt;b&gt;", "0.1235", "12345678"], ["c &amp; d", "", "2"]]
    assert 'data-value="0.123456"' in body, "sorted by what was measured, not by what is shown"
    assert "<title>Scores &gt; 0</title>" in page and "Two models." in page


def test_page_needs_nothing_else():
    page = table_page(pd.DataFrame({"a": [1]}), title="t")
    assert not re.findall(r"(?:src|href)=|https?://|@import", page)


def test_versions_are_those_installed():
    versions = software_versions().set_index("software")["version"]
    assert versions["pandas"] == pd.__version__
    assert {"Python", "torch", "numpy", "snakemake"} <= set(versions.index)
