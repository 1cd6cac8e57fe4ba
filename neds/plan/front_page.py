"""What the first page of the report shows: the main table and the main figure, as they are in the results."""

import base64
from pathlib import Path

from neds.plan.captions import as_plain_text
from neds.plan.ending import ScoresTable, scores_table
from neds.plan.weak_scores import weak_scores_lines

_LINE = 5000


class FrontPage(dict[str, str]):
    """Read when the page is written, so that nobody else waits for it.

    An empty mapping, so that it can stand in a configuration that Snakemake writes out as JSON.
    """

    def __init__(self, results: Path) -> None:
        super().__init__()
        self._results = results

    @property
    def scores(self) -> ScoresTable | None:
        """The main table, its texts without markup; None where there is none."""
        found = scores_table(self._results / "tables" / "benchmark.csv")
        if found is None:
            return None
        texts = (as_plain_text(part) for part in (found.headings, found.rows, found.n, found.absent))
        return ScoresTable(*texts)

    @property
    def weak(self) -> list[str]:
        """Which scores are no better than without a model, a line each without markup."""
        return as_plain_text([line.strip() for line in weak_scores_lines(self._results / "tables" / "metrics.csv")[1:]])

    @property
    def figure(self) -> list[str]:
        """The main figure as an address that holds it, in lines that docutils takes; empty where there is none."""
        path = self._results / "figures" / "metrics.png"
        if not path.is_file():
            return []
        text = base64.b64encode(path.read_bytes()).decode()
        return ["data:image/png;base64,", *(text[i : i + _LINE] for i in range(0, len(text), _LINE))]
