"""Draw how often decoded classes are right, against the probability that the models give them."""

import argparse
from pathlib import Path

from neds.errors import UserError
from neds.figures.calibration import calibration_figure
from neds.figures.comparison import Comparison, read_comparison
from neds.figures.save import NothingToDraw, draw
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    n_models = len(arguments.models)
    if len(arguments.predictions) != n_models * len(arguments.aligned):
        raise UserError("--predictions: give one file for each session and model")
    comparisons = []
    for index, aligned in enumerate(arguments.aligned):
        own = arguments.predictions[index * n_models : (index + 1) * n_models]
        comparisons += _usable(aligned, dict(zip(arguments.models, own, strict=True)))
    draw(lambda: calibration_figure(comparisons), arguments.output)


def _usable(aligned: Path, predictions: dict[str, Path]) -> list[Comparison]:
    """The decoded behaviour of a session; nothing where it cannot be used."""
    try:
        return [read_comparison(aligned=aligned, predictions=predictions, task="decoding")]
    except NothingToDraw:
        return []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aligned", type=Path, nargs="+", required=True, help="aligned session files")
    parser.add_argument(
        "--predictions", type=Path, nargs="+", required=True, help="of each model, those of a session after one another"
    )
    parser.add_argument("--models", nargs="+", required=True, help="name of each model")
    parser.add_argument("--output", type=Path, required=True, help="files to write, without .pdf, .png and .csv")
    run(main, parser)
