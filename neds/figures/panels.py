"""Figures of several small panels: their grid, titles, the note above and the legend below them."""

import sys
import textwrap
from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neds.figures.style import NOTE_COLOR, WIDTH_IN, legend_columns

_TITLE_CHARACTERS_PER_IN = 12


def panel_grid(
    n_panels: int, *, panels_per_row: int, panel_height_in: float, extra_height_in: float = 0.75
) -> tuple[Figure, list[Axes]]:
    """A figure as wide as its panels need, at most over two columns of a page, and its axes row by row.

    Args:
        extra_height_in: for the note above and the legend below the panels.
    """
    n_columns = min(n_panels, panels_per_row)
    n_rows = -(-n_panels // n_columns)
    width_in = min(WIDTH_IN, max(3.5, WIDTH_IN / panels_per_row * n_columns + 0.2))
    fig = Figure(figsize=(width_in, panel_height_in * n_rows + extra_height_in), layout="constrained")
    axes = list(fig.subplots(n_rows, n_columns, squeeze=False).ravel())
    for ax in axes[n_panels:]:
        ax.remove()
    return fig, axes[:n_panels]


def is_leftmost(ax: Axes) -> bool:
    """Whether a panel of a grid begins a row."""
    place = ax.get_subplotspec()
    return place is not None and place.is_first_col()


def _room_for_title(ax: Axes) -> int:
    """Characters of a title in the last panel of a row; any number in others."""
    place, fig = ax.get_subplotspec(), ax.get_figure(root=True)
    if place is None or fig is None or not place.is_last_col():
        return sys.maxsize
    return int(_TITLE_CHARACTERS_PER_IN * fig.get_figwidth() / place.get_gridspec().ncols)


def panel_title(ax: Axes, title: str, note: str = "", *, width: int = 22) -> None:
    """A title that is wrapped after so many characters, and a note in the line below.

    A title may be longer than its panel is wide, but for the last panel of a row, where the figure ends.
    """
    wrapped = textwrap.fill(title, min(width, _room_for_title(ax)), break_on_hyphens=False)
    ax.set_title("\n".join(filter(None, [wrapped, note])), fontsize=7)


def note_above(fig: Figure, text: str) -> None:
    """What the whole figure shows: error bars, n, data. It is wrapped to the figure's width; a newline stays one."""
    n_characters = int(18 * fig.get_figwidth())
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, n_characters)]
    fig.suptitle("\n".join(lines), color=NOTE_COLOR)


def legend_below(fig: Figure, handles: Sequence[Artist], titles: Sequence[str]) -> None:
    n_columns = legend_columns(titles, fig.get_figwidth())
    fig.legend(handles, titles, loc="outside lower center", ncols=n_columns, columnspacing=1.5)
