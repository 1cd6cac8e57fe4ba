"""Draw single trials of a few units of one session, true and predicted."""

import argparse

from neds.figures.raster import raster_figure
from workflow_scripts._command import run
from workflow_scripts._comparison import comparison_parser, draw_comparison


def main(arguments: argparse.Namespace) -> None:
    draw_comparison(raster_figure, arguments, task="encoding")


if __name__ == "__main__":
    run(main, comparison_parser(__doc__))
