"""Draw the models' scores: a panel per modality, a bar per model."""

import argparse

from neds.evaluation.tables import metrics_table
from neds.figures.bars import metrics_figure
from neds.figures.save import draw
from workflow_scripts._command import run
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given, metrics = Drawing(arguments), metrics_table([arguments.metrics])
    models = given.values.get("models")
    draw(lambda: metrics_figure(metrics, given.modalities, models=models, paper=given.paper), arguments.output)


if __name__ == "__main__":
    run(main, drawing_parser(__doc__, settings=", `models` (labels to draw; all if absent), `paper` (its numbers)"))
