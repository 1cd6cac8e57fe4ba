"""One model against another, session by session (paper: Fig. 2B and 3): scatter, paired difference and its test."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neds.evaluation.paired import FEWEST_FOR_A_RATIO, FEWEST_SESSIONS, WELL_ABOVE_ZERO, Difference, compare
from neds.evaluation.summary import drawn_metrics, session_scores, unscored_note, with_unit_tasks
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import PairsDrawing
from neds.figures.names import METRIC_TITLES, labels_of, model_family, model_title
from neds.figures.numbers import over_seeds, rounded, signed
from neds.figures.panels import is_leftmost, note_above, panel_grid, panel_title
from neds.figures.paper import PAPER_NOTE, PaperNumbers, PaperScore
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import NOTE_COLOR, figure_style, model_style, paper_marker
from neds.files.roles import FigureStem, InputFile
from neds.modalities import Modality, by_name


def plot_pairs(
    ax: Axes,
    ours: np.ndarray,
    other: np.ndarray,
    *,
    color: str,
    paper: tuple[PaperScore, PaperScore] | None = None,
) -> None:
    """A dot per session, ours upwards against the other's to the right, and the line on which they are equal.

    Args:
        paper: our and the other's score in the paper.
    """
    values = [*ours, *other, *(score.mean for score in paper or ())]
    margin = 0.08 * (max(values) - min(values)) or 0.05
    limits = (min(values) - margin, max(values) + margin)
    ax.plot(limits, limits, color=NOTE_COLOR, linewidth=0.6, linestyle=(0, (3, 2)), zorder=1)
    ax.scatter(other, ours, s=14, color=color, edgecolor="black", linewidth=0.4, zorder=3)
    if paper:
        up, right = paper
        ax.errorbar(right.mean, up.mean, xerr=right.sem, yerr=up.sem, zorder=2, **paper_marker())
    # Close values have long labels.
    locator = MaxNLocator(3 if limits[1] - limits[0] > 0.01 else 2)
    ticks = [tick for tick in locator.tick_values(*limits) if limits[0] <= tick <= limits[1]]
    ax.set(xlim=limits, ylim=limits, xticks=ticks, yticks=ticks, aspect="equal")


@figure_style()
def pairs_figure(
    metrics: pd.DataFrame,
    modalities: dict[str, Modality],
    *,
    rows: Sequence[Sequence[tuple[str, str]]],
    paper: PaperNumbers | None = None,
) -> tuple[Figure, pd.DataFrame]:
    """A row of panels, one per target, for each comparison of two models; and what was plotted.

    Args:
        metrics: the metrics table of all evaluations.
        rows: the pairs (our model, other model) of each row. A target is drawn for the first pair of which both have it,
            because a unimodal model has some targets only.
        paper: numbers to draw beside one's own, which are then plain accuracy for categorical targets.

    Raises:
        NothingToDraw: no two models were scored on the same session.
    """
    scores, modalities = session_scores(metrics), with_unit_tasks(modalities, metrics)
    scores = scores.assign(label=labels_of(scores))
    metric_of = drawn_metrics(modalities, plain_accuracy=paper is not None)
    panels = []
    for pairs in rows:
        for target, metric in metric_of.items():
            chosen = scores[(scores["target"] == target) & (scores["metric"] == metric)]
            by_model = chosen.pivot(index="eid", columns="label", values="value")
            found = [pair for pair in pairs if set(pair) <= set(by_model.columns)]
            both = by_model[list(found[0])].dropna() if found else by_model[[]]
            if len(both) and found:
                panels.append((target, found[0], both))
    if not panels:
        raise NothingToDraw("No two of these models were scored on the same test session.")

    n_columns = min(5, len({target for target, *_ in panels}))
    fig, axes = panel_grid(len(panels), panels_per_row=max(3, n_columns), panel_height_in=2.3, extra_height_in=0.4)
    plotted: list[pd.DataFrame] = []
    for ax, (target, (ours, other), both) in zip(axes, panels, strict=True):
        metric, difference = metric_of[target], compare(both[ours].to_numpy(), both[other].to_numpy())
        published = _paper_pair(paper, ours, other, target, metric)
        plot_pairs(ax, both[ours], both[other], color=model_style(ours).color, paper=published)
        verdict = _verdict(difference, _paper_gain(paper, ours, other, target))
        panel_title(ax, modalities[target].title, verdict)
        ax.set_xlabel(textwrap.fill(model_title(other), 20, break_on_hyphens=False) + f"\n({METRIC_TITLES[metric]})")
        if not plotted or is_leftmost(ax) or plotted[-1]["ours"].iloc[0] != ours:
            ax.set_ylabel(model_title(ours))
        known = {"target": target, "metric": metric, "ours": ours, "other": other, **vars(difference)}
        if published:
            known |= {"paper_ours": published[0].mean, "paper_other": published[1].mean}
        values = pd.DataFrame({"eid": both.index, "value_ours": both[ours], "value_other": both[other]})
        plotted.append(values.assign(**known))
    note = (
        f"Dots: test sessions{over_seeds(scores['n_seeds'].max())}. Δ: mean paired difference ± s.e.m. over sessions."
    )
    note += " Percent: ratio of the"
    note += f" means, from {FEWEST_FOR_A_RATIO} sessions on, where both lie {WELL_ABOVE_ZERO:.0f} s.e.m. above 0."
    compared = {label for pairs in rows for pair in pairs for label in pair}
    unscored = unscored_note(metrics[labels_of(metrics).isin(compared)], modalities)
    test = f" p: Wilcoxon signed-rank test, two-sided, from {FEWEST_SESSIONS} sessions on."
    note_above(fig, note + test + unscored + (f"\n{PAPER_NOTE}" if paper else ""))
    return fig, pd.concat(plotted, ignore_index=True)


def _verdict(difference: Difference, paper_percent: float | None) -> str:
    error = f" ± {rounded(difference.difference_sem, 3)}" if difference.n_sessions > 1 else ""
    ratio = f" ({signed(100 * difference.relative_gain, 0)} %)" if np.isfinite(difference.relative_gain) else ""
    lines = [f"Δ {signed(difference.difference, 3)}{error}", f"n = {difference.n_sessions}{ratio}"]
    further = []
    if np.isfinite(difference.wilcoxon_p):
        further.append(f"p = {difference.wilcoxon_p:.2g}")
    if paper_percent is not None:
        further.append(f"paper {signed(paper_percent, 0)} %")
    return "\n".join([*lines, *([", ".join(further)] if further else [])])


def _paper_pair(
    paper: PaperNumbers | None, ours: str, other: str, target: str, metric: str
) -> tuple[PaperScore, PaperScore] | None:
    families = model_family(ours), model_family(other)
    # The paper has one number for a family: nothing to compare among models that differ in their pretraining set alone.
    if paper is None or families[0] == families[1]:
        return None
    first, second = (paper.score(family, target, metric) for family in families)
    return (first, second) if first and second else None


def _paper_gain(paper: PaperNumbers | None, ours: str, other: str, target: str) -> float | None:
    """The paper's gain of its multi-session over its single-session model, in percent, where that is compared."""
    if paper is None or (model_family(ours), model_family(other)) != ("neds-mm-finetuned", "neds-mm-scratch"):
        return None
    return paper.gain_percent.get(target)


def draw_pairs(*, metrics: InputFile, settings: PairsDrawing, output: FigureStem) -> None:
    """Draw models against one another, session by session, with their paired difference and its test.

    Args:
        metrics: metrics table of all evaluations, CSV.
        settings: `modalities` (list of registry entries), `rows` (of pairs of labels: ours, other), `paper` (its numbers).
        output: files to write, without .pdf, .png and .csv.
    """
    scores, modalities = metrics_table([metrics]), by_name(settings.modalities)
    rows = [[(ours, other) for ours, other in pairs] for pairs in settings.rows]
    draw(lambda: pairs_figure(scores, modalities, rows=rows, paper=settings.paper), output)
