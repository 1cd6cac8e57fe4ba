"""The one style of all figures: the colours of models, and sizes for print. What models are called: `names.py`."""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.lines import Line2D

from neds.baselines.registry import SAID, shown_baselines
from neds.figures.names import model_family, model_title
from neds.run import Run

WIDTH_IN = 7.1
"""Width of a figure over two columns of a journal page."""

TRUTH_COLOR = "#000000"
LineStyle = Literal["-"] | tuple[float, tuple[float, ...]]
"""Unbroken, or the lengths of dashes and gaps, as matplotlib takes them."""
LINE_STYLES: tuple[LineStyle, ...] = ("-", (0, (2.5, 1.2)), (0, (1, 1)), (0, (4, 1, 1, 1)))
"""What tells lines of one colour apart."""

NOTE_COLOR = "#555555"
PAPER_COLOR = "#332288"

# What a masking scheme does with a bin.
SEEN_COLOR = "#DCE6EE"
PREDICTED_COLOR = "#D55E00"
HIDDEN_COLOR = "#8C8C8C"


@dataclass(frozen=True)
class ModelStyle:
    """How a model appears in every figure. A reference bounds the others and is drawn as a dashed line, not a bar.

    `hatch` tells a bar from that of another model of its colour.
    """

    title: str
    color: str
    is_reference: bool = False
    hatch: str = ""


# The colours of Okabe and Ito, but wine for yellow, which vanishes on white: people with any common colour blindness tell
# them apart. A model that is fitted to many sessions has the darker shade of its single-session form. The unimodal models
# share theirs, because no task has both.
_COLORS = {
    "neds-encoding-scratch": "#56B4E9",
    "neds-decoding-scratch": "#56B4E9",
    "neds-encoding-finetuned": "#0072B2",
    "neds-decoding-finetuned": "#0072B2",
    "neds-encoding-pretrained": "#0072B2",
    "neds-decoding-pretrained": "#0072B2",
    "neds-mm-scratch": "#E69F00",
    "neds-mm-finetuned": "#D55E00",
    "neds-mm-pretrained": "#D55E00",
}
_COLORS_OF_OTHERS = ("#44AA99", "#AA4499", "#117733", "#661100", "#6699CC", "#999933")

# Paul Tol's "bright" and "muted" schemes without what they share; regions beyond these take another marker.
_REGION_COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#AA3377", "#66CCEE", "#332288", "#882255")
_REGION_MARKERS = ("o", "^", "s", "D", "v")

_PARAMETERS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.titlelocation": "left",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "figure.constrained_layout.w_pad": 0.05,
    "figure.constrained_layout.h_pad": 0.05,
    "pdf.fonttype": 42,
    # Labels may be the user's own, in which a dollar is a dollar.
    "text.parse_math": False,
    "savefig.dpi": 200,
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib's defaults with this style, for as long as the block (or the decorated function) runs.

    Text stays text in a PDF, in a font that comes with matplotlib, so that a figure is the same on every machine.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_PARAMETERS)
        yield


def model_style(label: str) -> ModelStyle:
    """The style of a model by its label, with or without a seed: neds-mm-finetuned-all, neds-mm-scratch-seed0, psth.

    NEDS keeps its colour whatever it was pretrained on. A model that is not known here keeps one colour in all figures, too.
    """
    family = model_family(label)
    baseline = shown_baselines(SAID).get(family)
    if baseline:
        return ModelStyle(model_title(label), baseline.color, is_reference=baseline.is_reference)
    color = _COLORS.get(family, _COLORS_OF_OTHERS[zlib.crc32(family.encode()) % len(_COLORS_OF_OTHERS)])
    run = Run.parse(label)
    return ModelStyle(model_title(label), color, hatch="////" if run and run.is_ensemble else "")


def paper_marker(**more: Any) -> dict[str, Any]:
    """Arguments of `Axes.errorbar` for a number of the paper, which is of other data than what is drawn beside it."""
    marker = {"fmt": "D", "markersize": 3.5, "markerfacecolor": "white", "markeredgewidth": 0.8, "color": PAPER_COLOR}
    return marker | {"elinewidth": 0.8, "capsize": 0} | more


def region_looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each region (or session), in the given order; no pair twice, up to forty."""
    colors, markers = len(_REGION_COLORS), len(_REGION_MARKERS)
    return {
        name: (_REGION_COLORS[rank % colors], _REGION_MARKERS[rank // colors % markers])
        for rank, name in enumerate(names)
    }


def legend_lines(labels: Iterable[str]) -> list[Line2D]:
    """Legend entries of the truth and of models that are drawn as lines."""
    truth = Line2D([], [], color=TRUTH_COLOR, label="truth")
    styles = [model_style(label) for label in labels]
    return [truth, *(Line2D([], [], color=style.color, label=style.title) for style in styles)]


def legend_columns(titles: Iterable[str], width_in: float) -> int:
    """Columns of a legend below a figure: one row where it fits, else as many as the longest title allows."""
    widths_in = [0.35 + 0.062 * len(title) for title in titles]
    return len(widths_in) if sum(widths_in) < width_in else max(1, int(width_in / max(widths_in)))


def bin_centers_s(window_start_s: float, bin_s: float, n_bins: int) -> np.ndarray:
    """Time (T,) of each bin's centre from the alignment event, in seconds."""
    return window_start_s + (np.arange(n_bins) + 0.5) * bin_s
