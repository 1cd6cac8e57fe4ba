"""Draw true against decoded traces of every continuous behaviour of one session."""

import argparse

from neds.figures.traces import traces_figure
from workflow_scripts._command import run
from workflow_scripts._comparison import comparison_parser, draw_comparison


def main(arguments: argparse.Namespace) -> None:
    draw_comparison(traces_figure, arguments, task="decoding")


if __name__ == "__main__":
    run(main, comparison_parser(__doc__))
