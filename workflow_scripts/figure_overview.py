"""Draw the masking schemes and the network from the configuration."""

import argparse
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from neds.figures.overview import overview_figure
from neds.figures.save import NothingToDraw, draw
from neds.files.aligned import read_aligned
from neds.modalities import Modality
from neds.model.settings import MaskingSettings, ModelSettings
from workflow_scripts._command import add_settings, run, settings_value, validated


def main(arguments: argparse.Namespace) -> None:
    settings = settings_value(arguments.settings)
    modalities = [validated(Modality, entry) for entry in settings["modalities"]]

    def figure() -> tuple[Figure, pd.DataFrame]:
        return overview_figure(
            modes=settings["modes"],
            modalities={modality.name: modality for modality in modalities},
            model=validated(ModelSettings, settings["model"]),
            masking=validated(MaskingSettings, settings["masking"]),
            n_bins=settings["n_bins"] or _bins_of(arguments.aligned),
        )

    draw(figure, arguments.output)


def _bins_of(paths: list[Path]) -> int:
    """Bins of the first session that can be used.

    Raises:
        NothingToDraw: there is none.
    """
    for path in paths:
        session = read_aligned(path)
        if session.usable:
            return session.n_bins
    raise NothingToDraw("No session can be used, so the number of bins of a trial is not known.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aligned", type=Path, nargs="*", default=[], help="aligned files, where n_bins is null")
    parser.add_argument("--output", type=Path, required=True, help="files to write, without .pdf, .png and .csv")
    add_settings(parser, help="modes, modalities, model, masking, and n_bins (bins of a trial, or null)")
    run(main, parser)
