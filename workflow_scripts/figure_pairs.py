"""Draw models against one another, session by session, with their paired difference and its test."""

import argparse

from neds.evaluation.tables import metrics_table
from neds.figures.pairs import pairs_figure
from neds.figures.save import draw
from workflow_scripts._command import run
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given, metrics = Drawing(arguments), metrics_table([arguments.metrics])
    rows = [[(ours, other) for ours, other in pairs] for pairs in given.values["rows"]]
    draw(lambda: pairs_figure(metrics, given.modalities, rows=rows, paper=given.paper), arguments.output)


if __name__ == "__main__":
    run(main, drawing_parser(__doc__, settings=", `rows` (of pairs of labels: ours, other), `paper` (its numbers)"))
