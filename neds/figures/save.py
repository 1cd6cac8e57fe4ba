"""A figure's three files: PDF for print, PNG to look at, CSV with exactly what was plotted."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from neds.figures.style import WIDTH_IN, figure_style
from neds.files.atomic import replacing, write_csv


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
    with figure_style():
        for suffix, metadata in anonymous.items():
            with replacing(_beside(stem, suffix)) as temporary:
                fig.savefig(temporary, metadata=metadata)
    write_csv(_beside(stem, "csv"), data)


@figure_style()
def sentence_figure(sentence: str) -> Figure:
    fig = Figure(figsize=(WIDTH_IN / 2, 1.0))
    fig.text(0.5, 0.5, textwrap.fill(sentence, 60), ha="center", va="center", fontsize=8)
    return fig


def _beside(stem: Path, suffix: str) -> Path:
    return stem.with_name(f"{stem.name}.{suffix}")
