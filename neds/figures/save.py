"""A figure's three files: PDF for print, PNG to look at, CSV with exactly what was plotted."""

import logging
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from neds.figures.style import WIDTH_IN, figure_style
from neds.files.atomic import replacing, write_csv
from neds.files.roles import with_suffix_added


class NothingToDraw(Exception):
    """A figure has no data, though no one made a mistake. The message is a sentence that says why."""


def draw(figure: Callable[[], tuple[Figure, pd.DataFrame]], stem: Path) -> None:
    """Make a figure and save it; one that has nothing to draw becomes the sentence that says why."""
    try:
        drawn, data = figure()
    except NothingToDraw as reason:
        drawn, data = sentence_figure(str(reason)), pd.DataFrame({"note": [str(reason)]})
    save_figure(drawn, stem, data)


def save_figure(fig: Figure, stem: Path, data: pd.DataFrame) -> None:
    """Write stem.pdf, stem.png and stem.csv; the same figure gives the same bytes.

    Args:
        data: exactly what was plotted.
    """
    # Without these entries the files would hold the time or the version of the program.
    anonymous = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}
    with figure_style(), _quiet_font_subsetting():
        for suffix, metadata in anonymous.items():
            with replacing(with_suffix_added(stem, suffix)) as temporary:
                fig.savefig(temporary, metadata=metadata)
    write_csv(with_suffix_added(stem, "csv"), data)


@figure_style()
def sentence_figure(sentence: str) -> Figure:
    lines = textwrap.wrap(sentence, 60, break_on_hyphens=False)
    fig = Figure(figsize=(0.65 * WIDTH_IN, 0.4 + 0.17 * len(lines)))
    fig.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", fontsize=8)
    return fig


@contextmanager
def _quiet_font_subsetting() -> Iterator[None]:
    """Keep out of the log the hundred lines that embedding a font in a PDF gives at level INFO."""
    logger = logging.getLogger("fontTools")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
