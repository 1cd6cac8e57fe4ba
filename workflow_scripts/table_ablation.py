"""Tabulate the variants of an ablation beside the unchanged model, mean and standard error over test sessions."""

import argparse
from pathlib import Path

from neds.ablations.paper import PaperRow
from neds.errors import UserError
from neds.evaluation.tables import metrics_table
from neds.tables.ablation import TrainedVariant, ablation_table, shared_parameters
from neds.tables.write import write_table
from workflow_scripts._command import run, validated
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given, metrics = Drawing(arguments), metrics_table([arguments.metrics])
    if len(arguments.checkpoints) != len(arguments.trainings):
        raise UserError("--trainings: name how each of --checkpoints was trained")
    models = map(TrainedVariant, arguments.checkpoints, arguments.trainings)
    table = ablation_table(
        metrics,
        given.modalities,
        title=given.values["title"],
        variants=given.values["variants"],
        parameters=shared_parameters(list(models)),
        paper=[validated(PaperRow, row) for row in given.values["paper_rows"]],
    )
    write_table(table, arguments.output)


if __name__ == "__main__":
    parser = drawing_parser(__doc__, settings=", `title`, `variants` (names), `paper_rows`")
    parser.add_argument(
        "--checkpoints", type=Path, nargs="+", required=True, help="models of the variants, for their size"
    )
    parser.add_argument("--trainings", nargs="+", required=True, help="scratch or scratch-<variant> of each checkpoint")
    run(main, parser)
