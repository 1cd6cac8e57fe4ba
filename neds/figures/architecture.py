"""The network as a drawing: values of a trial -> stitchers -> tokens -> encoder -> readouts, from its own settings."""

from dataclasses import replace
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from neds.figures.style import NOTE_COLOR, SEEN_COLOR
from neds.modalities import Modality
from neds.model.layout import layout_of
from neds.model.network import NEDS, Design
from neds.model.settings import ModelSettings
from neds.model.stitching import SessionShape
from neds.words import in_short

_MOST_SQUARES = 12
_X = {"values": 0.0, "stitcher": 2.0, "tokens": 3.7, "encoder": 5.35, "readout": 7.1, "output": 8.95}
_WIDTH = {"stitcher": 1.45, "tokens": 1.4, "encoder": 1.5, "readout": 1.6}


def describe_network(design: Design) -> pd.DataFrame:
    """What the drawing says of each modality, and of the whole network (modality "").

    Returns:
        A row per fact: modality, quantity, value (text).
    """
    settings, facts = design.settings, []
    layout = layout_of(
        [design.modalities[name] for name in design.mode.inputs], settings, design.n_bins, design.n_context
    )
    for name, modality in design.modalities.items():
        facts.append((name, "values", _values(modality, layout.n_bins)))
        if name in design.mode.inputs:
            facts.append((name, "stitcher", _stitcher(modality, settings, layout.n_values(name))))
            facts.append((name, "tokens", str(layout.n_tokens_of(name))))
        if name in design.mode.outputs:
            facts.append((name, "readout", _readout(modality, settings)))
            facts.append((name, "output", _output(modality)))
    counts = [modality.name for modality in design.modalities.values() if modality.kind == "counts"]
    # The shared parameters do not depend on what is a session's own.
    one = {name: m.model_copy(update={"width": m.width or 1}) for name, m in design.modalities.items()}
    network = NEDS(replace(design, modalities=one), [SessionShape("", dict.fromkeys(counts, 1))])
    added = {"position": settings.position_embedding, "modality": settings.modality_embedding, "session": True}
    facts += [
        ("", "added to every token", " + ".join(name for name, is_used in added.items() if is_used)),
        ("", "hidden values", "one vector" + (" + what is seen of the bin" if network.beside is not None else "")),
        ("", "read beside a token", "the other modalities in its bin" if network.reads_others else ""),
        ("", "tokens", str(layout.n_tokens)),
        ("", "layers", str(settings.layers)),
        ("", "width D", str(settings.dim)),
        ("", "heads", str(settings.heads)),
        ("", "MLP", str(settings.mlp)),
        ("", "shared parameters", str(network.parameter_counts()["shared"])),
    ]
    return pd.DataFrame(facts, columns=["modality", "quantity", "value"])


def plot_architecture(design: Design, facts: pd.DataFrame, ax: Axes) -> None:
    """The network from left to right, a row per modality; dashed boxes have weights of their own for every session.

    Args:
        facts: of `describe_network`.
    """
    said = {(modality, quantity): value for modality, quantity, value in facts.itertuples(index=False)}
    n_rows = len(design.modalities)
    for row, (name, modality) in enumerate(design.modalities.items()):
        y = row + 0.5
        ax.text(_X["values"], y - 0.17, modality.title, va="center", fontsize=7)
        ax.text(_X["values"], y + 0.2, said[name, "values"], va="center", fontsize=6, color=NOTE_COLOR)
        if (name, "stitcher") in said:
            _box(ax, "stitcher", y, said[name, "stitcher"], own=True)
            _squares(ax, y, int(said[name, "tokens"]))
            _arrow(ax, _X["stitcher"] - 0.2, _X["stitcher"], y)
            _arrow(ax, _X["stitcher"] + _WIDTH["stitcher"], _X["tokens"], y)
            _arrow(ax, _X["tokens"] + _WIDTH["tokens"], _X["encoder"], y)
        if (name, "readout") in said:
            _box(ax, "readout", y, said[name, "readout"], own=True)
            _arrow(ax, _X["encoder"] + _WIDTH["encoder"], _X["readout"], y)
            _arrow(ax, _X["readout"] + _WIDTH["readout"], _X["output"], y)
            ax.text(_X["output"] + 0.06, y, said[name, "output"], va="center", fontsize=6)
    lines = [
        "encoder",
        f"{_counted(said['', 'layers'], 'layer')}, {_counted(said['', 'heads'], 'head')}",
        f"D = {said['', 'width D']}, MLP {said['', 'MLP']}",
        "rotary time angles",
        f"{in_short(int(said['', 'shared parameters']))} parameters",
    ]
    box = (_X["encoder"], 0.1), _WIDTH["encoder"], n_rows - 0.2
    ax.add_patch(FancyBboxPatch(*box, boxstyle="round,pad=0,rounding_size=0.12", facecolor=SEEN_COLOR, linewidth=0.8))
    middle = _X["encoder"] + _WIDTH["encoder"] / 2
    ax.text(middle, n_rows / 2, "\n".join(lines), ha="center", va="center", fontsize=6.5, linespacing=1.25)
    headings = {
        "values": "a trial",
        "stitcher": "stitchers",
        "tokens": f"{said['', 'tokens']} tokens",
        "readout": "readouts",
        "output": "predictions, losses",
    }
    for column, heading in headings.items():
        x = _X[column] + _WIDTH.get(column, 0) / 2
        ax.text(x, -0.3, heading, ha="center" if column in _WIDTH else "left", va="center", fontsize=7.5)
    beside = said["", "read beside a token"]
    below = {
        "tokens": f"+ embeddings: {said['', 'added to every token']}\nhidden: {said['', 'hidden values']}",
        "readout": f"each reads {beside}, too" if beside else "",
    }
    for column, text in below.items():
        middle = _X[column] + _WIDTH[column] / 2
        ax.text(middle, n_rows + 0.12, text, ha="center", va="top", fontsize=6, color=NOTE_COLOR)
    ax.set_xlim(0, 10.7)
    ax.set_ylim(n_rows + 0.6, -0.6)
    ax.axis("off")


def _width(modality: Modality) -> int | str:
    return modality.width or "d"


def _values(modality: Modality, n_bins: int) -> str:
    return {
        "counts": f"N units × {n_bins} bins",
        "continuous": f"{n_bins} bins" if modality.width == 1 else f"{_width(modality)} × {n_bins} bins",
        "categorical": f"one of {len(modality.classes)} classes",
        "scalar": "one value",
    }[modality.kind]


def _stitcher(modality: Modality, settings: ModelSettings, n_values: int) -> str:
    width, dim, classes = _width(modality), settings.dim, len(modality.classes)
    if settings.stitcher == "linear":
        return {
            "counts": f"linear N → {dim}",
            "continuous": f"linear {width} → {dim}",
            "categorical": f"linear {classes} → {dim}",
            "scalar": f"linear 1 → {dim}",
        }[modality.kind]
    return {
        "counts": f"N → 2N → {dim}",
        "continuous": f"{width} → {2 * width if modality.width else '2d'} → {dim}",
        "categorical": f"{classes} → 2 × {n_values} → {dim}",
        "scalar": f"1 → 2 × {n_values} → {dim}",
    }[modality.kind]


def _readout(modality: Modality, settings: ModelSettings) -> str:
    return {
        "counts": f"linear {settings.dim} → N",
        "continuous": f"linear {settings.dim} → {_width(modality)}",
        "categorical": f"pool bins, {settings.dim} → {len(modality.classes)}",
        "scalar": f"mean of bins, {settings.dim} → 1",
    }[modality.kind]


def _output(modality: Modality) -> str:
    return {
        "counts": "log rates, Poisson",
        "continuous": "values, squared error",
        "categorical": "logits, cross-entropy",
        "scalar": "value, squared error",
    }[modality.kind]


def _box(ax: Axes, column: str, y: float, text: str, *, own: bool) -> None:
    style: dict[str, Any] = {"linestyle": (0, (3, 2)) if own else "-", "linewidth": 0.8, "facecolor": "white"}
    shape = "round,pad=0,rounding_size=0.1"
    ax.add_patch(FancyBboxPatch((_X[column], y - 0.3), _WIDTH[column], 0.6, boxstyle=shape, **style))
    ax.text(_X[column] + _WIDTH[column] / 2, y, text, ha="center", va="center", fontsize=6)


def _squares(ax: Axes, y: float, n_bins: int) -> None:
    """The tokens of a modality: one square each, or the first and the last few when there are many."""
    number = min(n_bins, _MOST_SQUARES)
    step = _WIDTH["tokens"] / number
    gap = number // 2 if n_bins > _MOST_SQUARES else None
    for index in range(number):
        x = _X["tokens"] + index * step
        if index == gap:
            ax.text(x + step / 2, y, "…", ha="center", va="center", fontsize=7)
            continue
        ax.add_patch(Rectangle((x, y - 0.2), 0.8 * step, 0.4, facecolor=SEEN_COLOR, edgecolor="black", linewidth=0.5))


def _arrow(ax: Axes, start: float, end: float, y: float) -> None:
    ax.annotate(
        "",
        (end, y),
        (start, y),
        arrowprops={
            "arrowstyle": "-|>",
            "linewidth": 0.6,
            "mutation_scale": 5,
            "shrinkA": 0,
            "shrinkB": 0,
            "color": "black",
        },
    )


def _counted(number: str, noun: str) -> str:
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"
