"""The masking schemes of a model: what one trial of each shows and hides, as training draws it.

Shapes: M modalities, T bins.
"""

import itertools
from typing import Any, get_args

import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from neds.figures.style import HIDDEN_COLOR, PREDICTED_COLOR, SEEN_COLOR
from neds.modalities import Modality
from neds.model.masking import draw_masks
from neds.model.modes import Mode
from neds.model.settings import MaskingSettings, Scheme

STATES: dict[str, dict[str, Any]] = {
    "seen": {"facecolor": SEEN_COLOR},
    "predicted": {"facecolor": PREDICTED_COLOR},
    "hidden": {"facecolor": HIDDEN_COLOR},
    "predicted, no token": {"facecolor": "white", "edgecolor": PREDICTED_COLOR, "hatch": "//////"},
}
"""How a bin of a modality is drawn: read by the model; hidden and to be predicted; hidden but not to be predicted; to be
predicted by a model that never reads its modality."""

_DRAWN_TRIALS = 32
_DRAWN_UNITS = 8
_MOST_BINS_WITH_BORDERS = 50


def example_masks(
    modalities: dict[str, Modality], mode: Mode, *, n_bins: int, settings: MaskingSettings
) -> pd.DataFrame:
    """One trial of every scheme that trains a model, drawn by the function that draws them in training.

    Schemes come in the order of `neds.model.settings.Scheme`. The encoding scheme has two examples where it shows sometimes
    all behaviours and sometimes one alone, the scheme units where behaviours are sometimes seen beside the other units.

    Returns:
        A row per example, modality, unit and bin: scheme, example (a few words, or ""), share (of the trials), modality,
        unit (one of a few where the scheme hides units, else NA: all of the modality), bin and state (of `STATES`).
    """
    total = sum(mode.scheme_weights.values())
    n_behaviours = sum(modality.group == "behaviour" for modality in modalities.values())
    tables = []
    for scheme in filter(mode.scheme_weights.get, get_args(Scheme)):
        weight = mode.scheme_weights[scheme]
        for example, (share, drawn) in _examples(scheme, settings, n_behaviours).items():
            if share > 0:
                rows = _example(modalities, mode, scheme, n_bins=n_bins, settings=drawn)
                rows.insert(0, "scheme", scheme)
                rows.insert(1, "example", example)
                rows.insert(2, "share", share * weight / total)
                tables.append(rows)
    return pd.concat(tables, ignore_index=True)


def _examples(scheme: Scheme, settings: MaskingSettings, n_behaviours: int) -> dict[str, tuple[float, MaskingSettings]]:
    """By a few words, what a scheme shows in a share of its trials, and settings by which it always shows this."""
    single, without = settings.single_behaviour, settings.units_without_behaviour
    if scheme == "encoding" and n_behaviours > 1:
        return {
            "all behaviours seen": (1 - single, settings.model_copy(update={"single_behaviour": 0.0})),
            "one behaviour alone": (single, settings.model_copy(update={"single_behaviour": 1.0})),
        }
    if scheme == "units" and n_behaviours:
        return {
            "behaviours seen": (1 - without, settings.model_copy(update={"units_without_behaviour": 0.0})),
            "units alone": (without, settings.model_copy(update={"units_without_behaviour": 1.0})),
        }
    return {"": (1.0, settings)}


def _example(
    modalities: dict[str, Modality], mode: Mode, scheme: Scheme, *, n_bins: int, settings: MaskingSettings
) -> pd.DataFrame:
    mask = draw_masks(
        list(modalities.values()),
        n_trials=_DRAWN_TRIALS,
        n_bins=n_bins,
        n_units=dict.fromkeys(modalities, _DRAWN_UNITS),
        scheme_weights={scheme: 1.0},
        settings=settings,
        generator=torch.Generator().manual_seed(0),
    )
    # A random scheme hides nothing in some trials, above all with few bins. Those would be poor examples.
    has_target = mask.target.flatten(1).any(1)
    for units in mask.hidden_units.values():
        has_target &= units.any(1) & ~units.all(1)
    trial = int(has_target.int().argmax())
    rows = []
    for row, name in enumerate(modalities):
        hidden_units = mask.hidden_units[name][trial].tolist() if name in mask.hidden_units else [None]
        for unit, is_hidden_unit in enumerate(hidden_units):
            for time_bin in range(n_bins):
                hidden, target = bool(mask.hidden[trial, row, time_bin]), bool(mask.target[trial, row, time_bin])
                if is_hidden_unit is not None:
                    hidden, target = is_hidden_unit, target and is_hidden_unit
                target = target and name in mode.outputs
                if name not in mode.inputs:
                    state = "predicted, no token" if target else None
                else:
                    state = "predicted" if target else "hidden" if hidden else "seen"
                if state:
                    of_unit = pd.NA if is_hidden_unit is None else unit
                    rows.append({"modality": name, "unit": of_unit, "bin": time_bin, "state": state})
    return pd.DataFrame(rows).astype({"unit": "Int64"})


def plot_mask(rows: pd.DataFrame, modalities: dict[str, Modality], ax: Axes) -> None:
    """One example as a grid: modalities from top to bottom, their units where these differ, bins from left to right.

    Args:
        rows: of one example of `example_masks`.
        modalities: all of them, in the order of the model's tokens; one without rows stays empty.
    """
    n_bins = int(rows["bin"].max()) + 1
    for row, name in enumerate(modalities):
        units = [own for _, own in rows.loc[rows["modality"] == name].groupby("unit", dropna=False)]
        height = 0.84 / max(len(units), 1)
        for place, own in enumerate(units):
            top, first = row + 0.08 + place * height, 0
            for state, run in itertools.groupby(own.sort_values("bin")["state"]):
                length = len(list(run))
                ax.add_patch(Rectangle((first, top), length, height, **{"linewidth": 0} | STATES[state]))
                first += length
        if n_bins <= _MOST_BINS_WITH_BORDERS:
            ax.vlines(range(1, n_bins), row + 0.08, row + 0.92, color="white", linewidth=0.25)
    ax.set_xlim(0, n_bins)
    ax.set_ylim(len(modalities), 0)
    ax.set_yticks([row + 0.5 for row in range(len(modalities))], [m.title for m in modalities.values()])
    ax.set_xticks([0, n_bins])
    ax.tick_params(left=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def mask_legend(rows: pd.DataFrame) -> list[Patch]:
    """A legend entry for each state that is drawn."""
    words = {
        "seen": "seen",
        "predicted": "hidden and predicted",
        "hidden": "hidden, not predicted",
        "predicted, no token": "predicted, never read",
    }
    drawn = set(rows["state"])
    return [Patch(label=words[state], **{"linewidth": 0} | look) for state, look in STATES.items() if state in drawn]
