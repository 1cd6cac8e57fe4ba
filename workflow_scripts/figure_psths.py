"""Draw true against predicted PSTHs of the best units of one session."""

import argparse

from neds.figures.psths import psths_figure
from workflow_scripts._command import run
from workflow_scripts._comparison import comparison_parser, draw_comparison


def main(arguments: argparse.Namespace) -> None:
    draw_comparison(psths_figure, arguments, task="encoding")


if __name__ == "__main__":
    run(main, comparison_parser(__doc__))
