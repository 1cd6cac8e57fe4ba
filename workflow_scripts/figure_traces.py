"""Draw true against predicted traces of every continuous modality of one session."""

import argparse

from neds.figures.traces import traces_figure
from workflow_scripts._command import run
from workflow_scripts._comparison import comparison_parser, draw_comparison


def main(arguments: argparse.Namespace) -> None:
    draw_comparison(traces_figure, arguments, task=None)


if __name__ == "__main__":
    run(main, comparison_parser(__doc__))
