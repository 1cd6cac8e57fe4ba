"""What the commands share that draw several models' predictions of one session."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from neds.errors import UserError
from neds.figures.comparison import Comparison, read_comparison
from neds.figures.save import draw


def comparison_parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--aligned", type=Path, required=True, help="aligned session file")
    parser.add_argument("--predictions", type=Path, nargs="+", required=True, help="predictions of each model")
    parser.add_argument(
        "--models",
        nargs="+",
        required=True,
        help="name of the model of each predictions file, e.g. neds-mm-scratch-seed0",
    )
    parser.add_argument("--output", type=Path, required=True, help="files to write, without .pdf, .png and .csv")
    return parser


def draw_comparison(
    figure: Callable[[Comparison], tuple[Figure, pd.DataFrame]], arguments: argparse.Namespace, *, task: str | None
) -> None:
    """Save a figure of the predictions of one task, None for all.

    Raises:
        UserError: not one model name per file, or damaged inputs.
    """
    if len(arguments.models) != len(arguments.predictions) or len(set(arguments.models)) != len(arguments.models):
        raise UserError("--models: give each file of --predictions one name of its own")
    predictions = dict(zip(arguments.models, arguments.predictions, strict=True))
    draw(
        lambda: figure(read_comparison(aligned=arguments.aligned, predictions=predictions, task=task)), arguments.output
    )
