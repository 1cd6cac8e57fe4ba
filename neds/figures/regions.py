"""Regions of units by their embeddings (paper: Fig. 4A-C): a map, how well regions are told apart, and their confusions."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neds.figures.drawing import RegionsDrawing
from neds.figures.names import model_label
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import NOTE_COLOR, WIDTH_IN, figure_style, model_style, paper_marker, region_looks
from neds.files.roles import FigureStem, InputFile
from neds.files.tables import read_csv, read_parquet
from neds.words import counted

_KINDS = {"neds-mm": "NEDS", "neds-encoding": "encoding-only NEDS", "neds-decoding": "decoding-only NEDS"}
_WAYS = {"scratch": "single-session", "finetuned": "multi-session", "pretrained": "pretraining"}
_MOST_SESSIONS_NAMED = 10


def plot_unit_map(places: pd.DataFrame, by: str, order: list[str], ax: Axes) -> list[Line2D]:
    """Units in a plane, coloured by region or session.

    Args:
        places: x and y of each unit, and the column `by`.
        order: values of that column, in the order of their colours.

    Returns:
        Legend entries.
    """
    looks = region_looks(order)
    size = float(np.clip(2000 / max(len(places), 1), 1.5, 12))
    for name, (color, marker) in looks.items():
        own = places[places[by] == name]
        ax.scatter(own["x"], own["y"], s=size, color=color, marker=marker, linewidth=0, alpha=0.85)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_aspect("equal", adjustable="datalim")
    return [
        Line2D([], [], color=color, marker=marker, linestyle="none", markersize=3.5, label=name)
        for name, (color, marker) in looks.items()
    ]


def plot_confusion(regions: np.ndarray, predicted: np.ndarray, order: list[str], ax: Axes) -> pd.DataFrame:
    """Share of the units of each region (rows) that were taken for each region (columns), with the number of units.

    Args:
        regions, predicted: (units,) true and predicted region.
        order: all regions, in the order of rows and columns.

    Returns:
        What was plotted: region, predicted, share, n_units (of the region).
    """
    counts = np.array([[np.sum((regions == row) & (predicted == column)) for column in order] for row in order])
    number = counts.sum(1)
    share = counts / np.maximum(number, 1)[:, None]
    ax.imshow(share, cmap="Greys", vmin=0, vmax=1)
    size = 6.5 if len(order) < 9 else 4.5
    for row in range(len(order)):
        for column in range(len(order)):
            color = "white" if share[row, column] > 0.55 else "black"
            ax.text(column, row, f"{share[row, column]:.2f}", ha="center", va="center", color=color, fontsize=size)
    ax.set_xticks(range(len(order)), order, rotation=0 if len(order) < 7 else 90)
    ax.set_yticks(range(len(order)), [f"{name} ({n})" for name, n in zip(order, number, strict=True)])
    ax.set_xlabel("predicted region")
    ax.set_ylabel("region (units)")
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(True)
    return pd.DataFrame(
        [
            {"region": row, "predicted": column, "share": share[i, j], "n_units": number[i]}
            for i, row in enumerate(order)
            for j, column in enumerate(order)
        ]
    )


def plot_region_scores(bars: pd.DataFrame, metric: str, chance: str, ax: Axes, *, paper: float | None = None) -> None:
    """A horizontal bar per model with s.e.m. over sessions, a dot per session, and a guess's score as a vertical line.

    Args:
        bars: of `region_bars`.
        metric, chance: columns of the score and of the guess that goes with it.
        paper: accuracy that the paper reports for a pretrained model.
    """
    for place, (_, own) in enumerate(bars.groupby("bar", sort=False)):
        row, dots = own.iloc[0], own["value_of_session_" + metric].dropna()
        color = model_style(model_label(row["model"], row["training"])).color
        ax.barh(place, row[metric], height=0.72, color=color, zorder=2)
        if np.isfinite(row[metric + "_sem"]):
            error: dict[str, Any] = {"color": "black", "linewidth": 0.9, "capsize": 2, "capthick": 0.9, "zorder": 4}
            ax.errorbar(row[metric], place, xerr=row[metric + "_sem"], **error)
        spread = np.linspace(-0.2, 0.2, len(dots)) if len(dots) > 1 else np.zeros(len(dots))
        look: dict[str, Any] = {"s": 6, "facecolor": "white", "edgecolor": "black", "linewidth": 0.5, "zorder": 3}
        ax.scatter(dots, place + spread, **look)
        ax.vlines(
            row[chance], place - 0.42, place + 0.42, color="black", linewidth=1.3, linestyle=(0, (1, 0.8)), zorder=5
        )
        if paper is not None and row["space"] == "joint" and row["model"] == "neds-mm" and metric == "accuracy":
            ax.errorbar(paper, place, zorder=6, **paper_marker())
    ax.set_xlim(0, 1)
    ax.set_xlabel(metric.replace("_", " "))


def region_bars(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores as they are plotted: seeds averaged within a session, sessions summarised.

    The bar of a model with a classifier of its own for each session is the mean over sessions. One classifier for all
    sessions has one score, over all units, and no error; its sessions are dots.

    Args:
        scores: as `neds.regions.stage.classify_regions` writes them.

    Returns:
        A row per session of each bar: bar (title), space, model, training, eid, n_sessions (with a score),
        n_sessions_all, n_units (classified), n_units_all, and for accuracy and balanced_accuracy the bar's score, its
        s.e.m. (NaN for none) and the session's, NaN where its units cannot be told apart
        (value_of_session_<metric>); chance_majority and chance_uniform.
    """
    metrics, chances = ["accuracy", "balanced_accuracy"], ["chance_majority", "chance_uniform"]
    known = ["space", "model", "training", "eid"]
    numbers = ["n_units", "n_units_all"]
    sessions = scores.groupby(known, as_index=False, sort=False)[[*metrics, *chances, *numbers]].mean()
    tables = []
    for (space, model, training), own in sessions.groupby(["space", "model", "training"], sort=False):
        if own["accuracy"].isna().all():
            continue
        each, whole = own[own["eid"] != "all"], own[own["eid"] == "all"]
        summary = own if whole.empty else whole
        table = each[["space", "model", "training", "eid"]].assign(
            bar=_bar_title(model, training), n_sessions=each["accuracy"].count(), n_sessions_all=len(each)
        )
        table = table.assign(**{name: int(summary[name].sum()) for name in numbers})
        for metric in metrics:
            table[metric] = summary[metric].mean()
            table[metric + "_sem"] = each[metric].sem() if space == "session" else np.nan
            table["value_of_session_" + metric] = each[metric]
        for chance in chances:
            table[chance] = summary[chance].mean()
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@figure_style()
def regions_figure(
    places: pd.DataFrame,
    scores: pd.DataFrame,
    units: pd.DataFrame,
    *,
    classes: list[str] | None,
    projection: str,
    paper: float | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """Map, scores and confusion matrix, and what was plotted.

    Args:
        places: as `neds.regions.unit_map.map_units` writes them, of one model.
        scores, units: as `neds.regions.stage.classify_regions` writes them. The confusion matrix is of the first seed of
            the multimodal model in the joint space, if there is one, else of the first model.
        classes: names of the regions in their order; that of the alphabet when None.
        projection: umap or pca, by which the units were laid out.
        paper: accuracy of the paper's pretrained model, to mark beside one's own.

    Raises:
        NothingToDraw: no unit is of a class, or the classes cannot be told apart in any session.
    """
    scores = scores if scores["accuracy"].notna().any() else scores.iloc[:0]
    n_units_all, places = len(places), places.dropna(subset="x")
    if places.empty:
        raise NothingToDraw(
            f"Fewer than three of {n_units_all:,} units are known to lie in the regions of the configuration."
        )
    bars = region_bars(scores) if len(scores) else None
    upper_in, lower_in = 2.75, 0.3 if bars is None else 0.75 + 0.27 * bars["bar"].nunique()
    fig = Figure(figsize=(WIDTH_IN, upper_in + lower_in), layout="constrained")
    upper, lower = fig.subfigures(2, 1, height_ratios=[upper_in, lower_in], squeeze=False)[:, 0]
    n_maps = 1 if places["eid"].nunique() == 1 else 2
    *maps, confusion = upper.subplots(1, n_maps + 1, width_ratios=[*[1] * n_maps, 1.15])
    _plot_maps(places, _ordered(places["region"], classes), maps, name={"umap": "UMAP", "pca": "PCA"}[projection])
    plotted = [places.assign(panel="map", bar=_bar_title(places["model"].iloc[0], places["training"].iloc[0]))]
    if bars is None:
        confusion.remove()
    else:
        shown = _shown_model(units)
        order = _ordered(shown["region"], classes)
        matrix = plot_confusion(shown["region"].to_numpy(str), shown["predicted"].to_numpy(str), order, confusion)
        confusion.set_title(f"C  {_bar_title(shown['model'].iloc[0], shown['training'].iloc[0])}", fontsize=7)
        plotted += [bars.assign(panel="scores"), matrix.assign(panel="confusion")]
        _plot_both_scores(bars, lower, paper)
    fig.suptitle(_note(places, n_units_all, scores, paper), color=NOTE_COLOR)
    return fig, pd.concat(plotted, ignore_index=True)


def _plot_maps(places: pd.DataFrame, regions: list[str], axes: list[Axes], *, name: str) -> None:
    """The map by region and, where there is a second panel, by session."""
    spacing = {"columnspacing": 0.8, "handletextpad": 0.1}
    below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.09)} | spacing
    axes[0].legend(handles=plot_unit_map(places, "region", regions, axes[0]), ncols=3, **below)
    axes[0].set_title(f"A  {name}, by region", fontsize=7)
    axes[0].set_ylabel(f"{name} 2", labelpad=2)
    for ax in axes:
        ax.set_xlabel(f"{name} 1", labelpad=2)
    if len(axes) > 1:
        sessions = {eid: f"session {rank}" for rank, eid in enumerate(dict.fromkeys(places["eid"]), start=1)}
        by_session = places.assign(session=places["eid"].map(sessions))
        handles = plot_unit_map(by_session, "session", list(sessions.values()), axes[1])
        axes[1].set_title("the same, by session", fontsize=7)
        if len(sessions) <= _MOST_SESSIONS_NAMED:
            axes[1].legend(handles=handles, ncols=2, **below)


def _ordered(regions: pd.Series, classes: list[str] | None) -> list[str]:
    """The regions that occur, in the order of the configuration or of the alphabet."""
    found = set(regions)
    return [name for name in classes or sorted(found) if name in found]


def _plot_both_scores(bars: pd.DataFrame, fig: Figure, paper: float | None) -> None:
    left, right = fig.subplots(1, 2, sharey=True)
    plot_region_scores(bars, "accuracy", "chance_majority", left, paper=paper)
    plot_region_scores(bars, "balanced_accuracy", "chance_uniform", right)
    firsts = bars.drop_duplicates("bar")
    labels = [
        f"{row.bar}\n{row.n_units:,} of {row.n_units_all:,} units, {row.n_sessions} of {row.n_sessions_all} sessions"
        for row in firsts.itertuples()
    ]
    left.set_yticks(range(len(labels)), labels)
    left.invert_yaxis()
    left.set_title("B  dotted: most frequent region", fontsize=7)
    right.set_title("dotted: any region alike", fontsize=7)
    for ax in (left, right):
        ax.tick_params(left=False)


def _bar_title(model: str, training: str) -> str:
    way, _, name = training.partition("-")
    details = f" ({name})" if name not in ("", "all") else ""
    return f"{_KINDS.get(model, model)}, {_WAYS.get(way, way)}{details}"


def _shown_model(units: pd.DataFrame) -> pd.DataFrame:
    """Units of the model whose confusion matrix is drawn."""
    by_model = list(units.groupby(["space", "model", "training", "seed"], sort=False))
    best = min(by_model, key=lambda item: (item[0][0] != "joint", item[0][1] != "neds-mm"))
    return best[1]


def _note(places: pd.DataFrame, n_units_all: int, scores: pd.DataFrame, paper: float | None) -> str:
    title = _bar_title(places["model"].iloc[0], places["training"].iloc[0])
    n_sessions = places["eid"].nunique()
    text = f"A: {len(places):,} of {n_units_all:,} units of {counted(n_sessions, 'session')}, {title}"
    text += "; the others are in none of the regions. " if len(places) < n_units_all else ". "
    if scores.empty:
        text += "No two regions have enough units to be told apart."
    elif scores["hold_out"].iloc[0] == "sessions":
        text += "B, C: linear classifier of all pretraining sessions, tested on held-out sessions (dots)."
    else:
        text += (
            "B, C: linear classifier, tested on held-out units. Bars: one classifier per test session (mean, s.e.m. over "
            "sessions), or one for all pretraining sessions. Dots: sessions."
        )
    if paper is not None and "joint" in set(scores["space"]):
        text += " Diamond: accuracy in the paper (other data)."
    return "\n".join(textwrap.wrap(text, 125))


def draw_regions(
    *, map: InputFile, scores: InputFile, units: InputFile, settings: RegionsDrawing, output: FigureStem
) -> None:
    """Draw the units by region, how well their regions are told apart, and which regions are confused.

    Args:
        map: units in a plane, Parquet.
        scores: how well regions are told apart, CSV.
        units: region and predicted region of every unit, Parquet.
        settings: `regions` (config block), and `paper`: accuracy that the paper reports, or null.
        output: files to write, without .pdf, .png and .csv.
    """
    tables = read_parquet(map), read_csv(scores), read_parquet(units)
    regions = settings.regions
    draw(
        lambda: regions_figure(*tables, classes=regions.classes, projection=regions.projection, paper=settings.paper),
        output,
    )
