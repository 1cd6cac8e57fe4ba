"""Scores against an amount of data: the plotting that such figures share."""

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

_SPAN_OF_A_LOG_AXIS = 4


def plot_scaling(ax: Axes, table: pd.DataFrame, *, color: str, label: str) -> pd.DataFrame:
    """Score against an amount: a thin line per session, and the mean over sessions with s.e.m.

    Args:
        table: columns eid, step (which amounts of different sessions belong together), amount, value.

    Returns:
        The table with the `mean`, `sem` and `n_sessions` of its step.
    """
    for _, own in table.groupby("eid"):
        own = own.sort_values("amount")
        ax.plot(own["amount"], own["value"], color=color, linewidth=0.5, alpha=0.45, zorder=1)
    steps = table.groupby("step").agg(
        amount=("amount", "mean"), mean=("value", "mean"), sem=("value", "sem"), n_sessions=("eid", "nunique")
    )
    drawn = steps.sort_values("amount")
    ax.errorbar(
        drawn["amount"], drawn["mean"], yerr=drawn["sem"], color=color, label=label, marker="o", markersize=3, capsize=2
    )
    return table.merge(steps.drop(columns="amount"), left_on="step", right_index=True)


def scale_amounts(ax: Axes, amounts: Iterable[float]) -> None:
    """A tick at each amount; a logarithmic axis where they span a wide range. Zero has its own place on it."""
    ticks = sorted(set(amounts))
    positive = [tick for tick in ticks if tick > 0]
    if positive and positive[-1] / positive[0] > _SPAN_OF_A_LOG_AXIS:
        ax.set_xscale("symlog", linthresh=positive[0], linscale=0.5)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.margins(x=0.1)
