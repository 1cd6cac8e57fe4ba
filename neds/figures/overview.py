"""Figure 1: the masking schemes and the network, drawn from the configuration in use."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from neds.figures.architecture import describe_network, plot_architecture
from neds.figures.drawing import OverviewDrawing
from neds.figures.masking_schemes import example_masks, mask_legend, plot_mask
from neds.figures.numbers import percent
from neds.figures.save import NothingToDraw, draw
from neds.figures.style import NOTE_COLOR, WIDTH_IN, figure_style
from neds.files.aligned import read_aligned
from neds.files.roles import FigureStem, InputFiles
from neds.modalities import Modality, by_name
from neds.model.modes import ModeName, preset
from neds.model.network import Design
from neds.model.settings import MaskingSettings, ModelSettings

_MODE_TITLES = {"mm": "multimodal", "encoding": "encoding only", "decoding": "decoding only"}
_PANELS_PER_ROW = 6


@figure_style()
def overview_figure(
    *,
    modes: list[ModeName],
    modalities: dict[str, Modality],
    model: ModelSettings,
    maskings: dict[ModeName, MaskingSettings],
    n_bins: int,
    n_context: int = 0,
) -> tuple[Figure, pd.DataFrame]:
    """An example trial of every masking scheme of every mode, and the network of the first mode, and what was drawn.

    Args:
        maskings: of each mode.
        n_bins: T, bins of a trial.
        n_context: bins before these that the network reads.

    Returns:
        The figure, and a table with a row per bin of each example (panel "masking"; columns mode, scheme, example, share,
        modality, bin, state) and per fact of the network (panel "network"; mode, modality, quantity, value).
    """
    kinds = {name: preset(name, modalities, maskings[name]) for name in modes}
    examples = {
        name: example_masks(modalities, mode, n_bins=n_bins, settings=maskings[name]) for name, mode in kinds.items()
    }
    design = Design(model, modalities, kinds[modes[0]], n_bins, n_context)
    facts = describe_network(design)
    panels = [
        (mode, scheme, example, rows)
        for mode, table in examples.items()
        for (scheme, example), rows in table.groupby(["scheme", "example"], sort=False)
    ]
    n_rows = -(-len(panels) // _PANELS_PER_ROW)
    mask_in, network_in = 0.85 + 0.16 * len(modalities), 0.45 + 0.36 * len(modalities)
    upper_in, lower_in = n_rows * mask_in + 0.45, network_in + 0.35
    fig = Figure(figsize=(WIDTH_IN, upper_in + lower_in), layout="constrained")
    upper, lower = fig.subfigures(2, 1, height_ratios=[upper_in, lower_in], squeeze=False)[:, 0]
    axes = upper.subplots(n_rows, _PANELS_PER_ROW, squeeze=False)
    for ax, (mode, scheme, example, rows) in zip(axes.flat, panels, strict=False):
        plot_mask(rows, modalities, ax)
        title = scheme.replace("_", " ") if mode == "mm" else f"{_MODE_TITLES[mode]} model"
        ax.set_title("\n".join([title, example, f"{percent(rows['share'].iloc[0])} of trials"]), fontsize=6.5)
    for position, ax in enumerate(axes.flat):
        if position >= len(panels):
            ax.remove()
        elif position % _PANELS_PER_ROW:
            ax.set_yticklabels([])
        if position == 0:
            ax.set_xlabel("time bin", labelpad=0)
    drawn = pd.concat(examples, names=["mode"]).reset_index("mode").reset_index(drop=True)
    upper.legend(handles=mask_legend(drawn), loc="outside lower center", ncols=4)
    plot_architecture(design, facts, lower.subplots())
    lower.suptitle(
        f"Network of the {_MODE_TITLES[modes[0]]} model. Dashed: weights of each session; the encoder is shared by all.",
        color=NOTE_COLOR,
    )
    upper.suptitle(
        f"Masking: one scheme is drawn per trial; random bins are hidden with probability {maskings[modes[0]].ratio:g}.",
        color=NOTE_COLOR,
    )
    table = [drawn.assign(panel="masking"), facts.assign(panel="network", mode=modes[0])]
    columns = ["panel", "mode", "scheme", "example", "share", "modality", "unit", "bin", "state", "quantity", "value"]
    return fig, pd.concat(table, ignore_index=True)[columns]


def draw_overview(*, settings: OverviewDrawing, output: FigureStem, aligned: InputFiles = ()) -> None:
    """Draw the masking schemes and the network from the configuration.

    Args:
        settings: modes, modalities, model, maskings by mode, n_bins (bins of a trial, or null), and n_context (bins before
            these).
        aligned: aligned files, where n_bins is null.
        output: files to write, without .pdf, .png and .csv.
    """

    def figure() -> tuple[Figure, pd.DataFrame]:
        return overview_figure(
            modes=settings.modes,
            modalities=by_name(settings.modalities),
            model=settings.model,
            maskings=settings.maskings,
            n_bins=settings.n_bins or _n_bins_of(aligned),
            n_context=settings.n_context,
        )

    draw(figure, output)


def _n_bins_of(paths: Sequence[Path]) -> int:
    """Bins of a trial of the first session that can be used.

    Raises:
        NothingToDraw: there is none.
    """
    for path in paths:
        session = read_aligned(path)
        if session.usable:
            return session.n_bins
    raise NothingToDraw("No session can be used, so the number of bins of a trial is not known.")
