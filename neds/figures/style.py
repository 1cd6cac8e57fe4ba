"""The one style of all figures: what models and metrics are called, their colours, and sizes for print."""

import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.lines import Line2D

WIDTH_IN = 7.1
"""Width of a figure over two columns of a journal page."""

TRUTH_COLOR = "#000000"
NOTE_COLOR = "#555555"

# What a masking scheme does with a bin.
SEEN_COLOR = "#DCE6EE"
PREDICTED_COLOR = "#D55E00"
HIDDEN_COLOR = "#8C8C8C"

METRIC_TITLES = {
    "bits_per_spike": "bits per spike",
    "bits_per_spike_train_null": "bits per spike (null: training rate)",
    "r2": "R²",
    "r2_psth": "R² of condition averages",
    "r2_residual": "R² of single-trial deviations",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
}


@dataclass(frozen=True)
class ModelStyle:
    """How a model appears in every figure. A reference bounds the others and is drawn as a dashed line, not a bar."""

    title: str
    color: str
    is_reference: bool = False


# The colours of Okabe and Ito, which people with any common colour blindness tell apart. The unimodal models share
# theirs, because no task has both.
_MODELS = {
    "psth": ModelStyle("condition average", "#999999"),
    "linear": ModelStyle("linear", "#009E73"),
    "rrr": ModelStyle("reduced-rank regression", "#CC79A7"),
    "rrr-multi": ModelStyle("RRR, multi-session", "#F0E442"),
    "neds-encoding-scratch": ModelStyle("NEDS encoding only, from scratch", "#56B4E9"),
    "neds-decoding-scratch": ModelStyle("NEDS decoding only, from scratch", "#56B4E9"),
    "neds-encoding-finetuned": ModelStyle("NEDS encoding only, fine-tuned", "#0072B2"),
    "neds-decoding-finetuned": ModelStyle("NEDS decoding only, fine-tuned", "#0072B2"),
    "neds-mm-scratch": ModelStyle("NEDS, from scratch", "#E69F00"),
    "neds-mm-finetuned": ModelStyle("NEDS, fine-tuned", "#D55E00"),
    "oracle": ModelStyle("oracle", "#000000", is_reference=True),
}
_COLORS_OF_OTHERS = ("#332288", "#882255", "#44AA99", "#AA4499", "#117733", "#661100")

# Paul Tol's "bright" and "muted" schemes without what they share; regions beyond these take another marker.
_REGION_COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#AA3377", "#66CCEE", "#332288", "#882255")
_REGION_MARKERS = ("o", "^", "s", "D", "v")

_PARAMETERS = {
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


def model_label(model: str, training: str) -> str:
    """One name for a model and how it was trained, e.g. neds-mm-finetuned; a baseline has no training."""
    return f"{model}-{training}" if training else model


def model_style(label: str) -> ModelStyle:
    """The style of a model by its label, with or without a seed: neds-mm-finetuned-all, neds-mm-scratch-seed0, psth.

    A model that is not known here keeps one colour in all figures, too. One that is fine-tuned from another pretraining set
    than "all" is called after that set, any other by its label.
    """
    label = _known_form(label)
    color = _COLORS_OF_OTHERS[zlib.crc32(label.encode()) % len(_COLORS_OF_OTHERS)]
    base, _, pretraining_set = label.partition("-finetuned-")
    family = _MODELS.get(f"{base}-finetuned")
    title = f"{family.title} from {pretraining_set}" if pretraining_set and family else label
    return _MODELS.get(label, ModelStyle(title, color))


def in_order(labels: Iterable[str]) -> list[str]:
    """Model labels in the order of every legend: baselines, then NEDS, then what is not known here, by name."""
    ranks = {label: rank for rank, label in enumerate(_MODELS)}
    return sorted(labels, key=lambda label: (ranks.get(_known_form(label), len(ranks)), label))


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


def _known_form(label: str) -> str:
    """The label without its seed, and without the pretraining set where that is all sessions."""
    return re.sub(r"-seed\d+$", "", label).replace("-finetuned-all", "-finetuned")
