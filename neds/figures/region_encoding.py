"""Encoding, or co-smoothing, by brain region: how well its units are predicted, and from which input alone.

Shapes: R regions, I inputs.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from neds.evaluation.settings import TASK_TITLES, UNIT_TASKS
from neds.figures.drawing import RegionEncodingDrawing, RegionTask
from neds.figures.names import METRIC_TITLES, in_order, labels_of, model_title
from neds.figures.numbers import rounded
from neds.figures.panels import legend_below, note_above
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import NOTE_COLOR, WIDTH_IN, figure_style, model_style
from neds.files.roles import FigureStem, InputFiles
from neds.files.tables import read_parquet
from neds.modalities import Modality, by_name
from neds.words import counted

_COLOR_MAP = "viridis"
_FRAME_COLOR = "white"
"""That of no model, and seen on the colours of all but the best scores."""
_BAND_COLOR = "#F3F3F3"
_MODELS_SPAN = 0.7
"""Share of a region's row that the dots of models take."""
_DOT_IN = 0.045
_MOST_HEIGHT_IN = 9.0
_NO_REGIONS = ("", "root", "void")
_MOST_REGIONS = 40


def unit_scores(units: pd.DataFrame) -> pd.DataFrame:
    """Bits per spike of every unit that lies in a known region, averaged over seeds; silent units are left out.

    Args:
        units: the evaluations' tables of units below one another.

    Returns:
        Columns label, inputs, region, eid, target, unit, bits_per_spike.
    """
    rows = units[~units["beryl"].fillna("").isin(_NO_REGIONS)].dropna(subset="bits_per_spike")
    label = labels_of(rows)
    rows = rows.assign(label=label, region=rows["beryl"])
    known = ["label", "inputs", "region", "eid", "target", "unit"]
    return rows.groupby(known, as_index=False)["bits_per_spike"].mean()


def region_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard error over units for each region, by model and inputs.

    Args:
        scores: as `unit_scores` returns.

    Returns:
        Columns label, inputs, region, n_units, n_sessions, mean, sem (NaN for one unit).
    """
    return scores.groupby(["label", "inputs", "region"], as_index=False).agg(
        n_units=("unit", "size"),
        n_sessions=("eid", "nunique"),
        mean=("bits_per_spike", "mean"),
        sem=("bits_per_spike", "sem"),
    )


def plot_region_scores(ax: Axes, table: pd.DataFrame, regions: Sequence[str]) -> None:
    """A row per region, a dot with s.e.m. over units per model, hollow for a single unit, which has none; every second row
    is shaded. `table` is of one kind of inputs.
    """
    labels = in_order(table["label"].unique())
    for row in range(1, len(regions), 2):
        ax.axhspan(row - 0.5, row + 0.5, color=_BAND_COLOR, linewidth=0, zorder=0)
    for place, label in enumerate(labels):
        own = table[table["label"] == label].set_index("region").reindex(regions)
        style, offset = model_style(label), min(0.16, _MODELS_SPAN / len(labels)) * (place - (len(labels) - 1) / 2)
        rows = np.arange(len(regions)) + offset
        ax.errorbar(own["mean"], rows, xerr=own["sem"], fmt="o", markersize=3, color=style.color, label=style.title)
        of_one = (own["n_units"] == 1).to_numpy()
        hollow: dict[str, Any] = {"markersize": 3, "markerfacecolor": "white", "markeredgecolor": style.color}
        ax.plot(own["mean"][of_one], rows[of_one], "o", zorder=3, **hollow)
    ax.axvline(0, color=NOTE_COLOR, linewidth=0.5)
    ax.set_ylim(len(regions) - 0.5, -0.5)


def plot_region_inputs(ax: Axes, scores: np.ndarray, *, inputs: Sequence[str]) -> AxesImage:
    """Scores (R, I) as an image with their values; a frame marks the largest of a region among several single inputs.

    The colours run from the lowest score to the highest, and take in 0.

    Args:
        inputs: names of the columns; the first is all inputs together and takes no part in that.
    """
    lowest, largest = min(float(np.nanmin(scores)), 0.0), max(float(np.nanmax(scores)), 0.0)
    digits = 2 if max(largest, -lowest) >= 0.1 else 3
    image = ax.imshow(scores, cmap=_COLOR_MAP, aspect="auto", vmin=lowest, vmax=largest)
    for row, values in enumerate(scores):
        for column, value in enumerate(values):
            color = "black" if value - lowest > 0.6 * (largest - lowest) else "white"
            ax.text(column, row, rounded(value, digits), ha="center", va="center", color=color, fontsize=6)
        if np.isfinite(values[1:]).sum() > 1:
            best = 1 + int(np.nanargmax(values[1:]))
            ax.add_patch(
                Rectangle((best - 0.46, row - 0.46), 0.92, 0.92, fill=False, color=_FRAME_COLOR, linewidth=1.4)
            )
    ax.axvline(0.5, color="white", linewidth=2)
    ax.set_xticks(range(len(inputs)), [textwrap.fill(name, 11) for name in inputs])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return image


@figure_style()
def region_encoding_figure(
    units: pd.DataFrame,
    modalities: dict[str, Modality],
    *,
    model: str,
    min_units: int,
    task: RegionTask = "encoding",
) -> tuple[Figure, pd.DataFrame]:
    """Bits per spike by Beryl region of each model, and of one model by input; and what was plotted.

    Args:
        units: the evaluations' tables of units below one another.
        model: label of the model whose inputs are shown apart.
        min_units: regions with fewer units are left out.
        task: of which the scores are; co-smoothing from all inputs is that with behaviour, where there is one.

    Raises:
        NothingToDraw: no region is known, or none has so many units.
    """
    if "beryl" in units:
        units = units[units["task"].replace(UNIT_TASKS) == task]
    table = region_table(unit_scores(units)) if "beryl" in units else pd.DataFrame()
    if table.empty:
        words = TASK_TITLES[task]
        raise NothingToDraw(f"The regions of the units are not known, so {words} cannot be shown by region.")
    n_inputs = table["inputs"].str.count(r"\+")
    table["all_inputs"] = n_inputs == n_inputs.groupby(table["label"]).transform("max")
    own = table[(table["label"] == model) & table["all_inputs"]].sort_values("mean", ascending=False)
    regions = own.loc[own["n_units"] >= min_units].nlargest(_MOST_REGIONS, "n_units")["region"]
    regions = [region for region in own["region"] if region in set(regions)]
    if not regions:
        raise NothingToDraw(f"No brain region has {min_units} units or more that {model_title(model)} predicts.")
    drawn = table[table["region"].isin(regions)]

    row_in = 0.08 + _DOT_IN * drawn["label"].nunique() / _MODELS_SPAN
    panel_in = max(0.21 * len(regions), min(row_in * len(regions), _MOST_HEIGHT_IN))
    fig = Figure(figsize=(WIDTH_IN, panel_in + 1.5), layout="constrained")
    left, right = fig.subplots(1, 2, width_ratios=(1, 1.25))
    plot_region_scores(left, drawn[drawn["all_inputs"]], regions)
    drawn_regions = own.set_index("region").loc[regions]
    left.set_yticks(range(len(regions)), [f"{name} ({n})" for name, n in drawn_regions["n_units"].items()])
    left.set_ylabel("brain region (units)")
    by_input = drawn[drawn["label"] == model].pivot(index="region", columns="inputs", values="mean").loc[regions]
    everything = drawn_regions["inputs"].iloc[0]
    inputs = _input_titles(everything, by_input.columns, modalities, task=task)
    left.set_xlabel(f"{METRIC_TITLES['bits_per_spike']}, {inputs[everything]}")
    image = plot_region_inputs(right, by_input[list(inputs)].to_numpy(), inputs=list(inputs.values()))
    right.set_yticks([])
    right.set_title(f"{model_title(model)}, by input")
    label = f"{METRIC_TITLES['bits_per_spike']}, mean over units"
    fig.colorbar(image, ax=right, label=textwrap.fill(label, 16), pad=0.02, aspect=15)
    legend_below(fig, *left.get_legend_handles_labels())
    ours = labels_of(units) == model
    n_all = len(units[ours].drop_duplicates(["eid", "target", "unit"]))
    note = _note(drawn_regions, min_units, n_left_out=len(own) - len(regions), n_all=n_all)
    if (drawn.loc[drawn["all_inputs"], "n_units"] == 1).any():
        note += " Open circles: a single unit, without an error bar."
    if len(inputs) > 2:
        note += "\nWhite frame: the one input that alone predicts a region best."
    note_above(fig, note)
    return fig, drawn.reset_index(drop=True)


def _input_titles(
    everything: str, found: Iterable[str], modalities: dict[str, Modality], *, task: RegionTask
) -> dict[str, str]:
    """What is said of each input of a model: of all together first, then of each alone.

    Args:
        everything: all inputs together.
        found: of the model's scores.
    """
    alone = {name: modality.title for name, modality in modalities.items() if name in found and name != everything}
    if task == "co_smoothing":
        neural = {name for name, modality in modalities.items() if modality.group == "neural"}
        with_behaviour = not set(everything.split("+")) <= neural
        all_inputs, alone = (
            "units + behaviour" if with_behaviour else "units alone",
            dict.fromkeys(alone, "units alone"),
        )
    else:
        all_inputs = "all behaviours" if "+" in everything else modalities[everything].title
    return {everything: all_inputs, **alone}


def _note(drawn: pd.DataFrame, min_units: int, *, n_left_out: int, n_all: int) -> str:
    """What the figure shows; `drawn` has the regions drawn, `n_all` is the number of the model's units anywhere."""
    n_drawn = drawn["n_units"].sum()
    note = f"Means over the units of each region (in brackets: their number, {n_drawn:,} of {n_all:,} in all)"
    note += "; bars: s.e.m. over units."
    if n_drawn < n_all:
        note += " The others have no known region or no score, or are in a region that is not drawn."
    if n_left_out:
        regions = counted(n_left_out, "region")
        note += f" {regions} not drawn: under {min_units} units, or beyond the {_MOST_REGIONS} largest."
    return note


def draw_region_encoding(*, units: InputFiles, settings: RegionEncodingDrawing, output: FigureStem) -> None:
    """Draw how well the units of each brain region are predicted, and from which input alone.

    Args:
        units: scores of units of each evaluation, Parquet.
        settings: `modalities` (list of registry entries), `model` (label), `min_units` (of a region), `task` (encoding or
            co_smoothing).
        output: files to write, without .pdf, .png and .csv.
    """
    tables = [table for path in units if len(table := read_parquet(path))]
    scores = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    modalities = by_name(settings.modalities)
    chosen = settings.model_dump(include={"model", "min_units", "task"})
    draw(lambda: region_encoding_figure(scores, modalities, **chosen), output)
