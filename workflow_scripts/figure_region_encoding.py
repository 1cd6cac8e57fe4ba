"""Draw how well the units of each brain region are predicted, and from which behaviour alone."""

import argparse
from pathlib import Path

import pandas as pd

from neds.figures.region_encoding import region_encoding_figure
from neds.figures.save import draw
from neds.files.tables import read_parquet
from workflow_scripts._command import run
from workflow_scripts._drawing import Drawing, drawing_parser


def main(arguments: argparse.Namespace) -> None:
    given = Drawing(arguments)
    tables = [table for path in arguments.units if len(table := read_parquet(path))]
    units = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    chosen = {key: given.values[key] for key in ("model", "min_units")}
    draw(lambda: region_encoding_figure(units, given.modalities, **chosen), arguments.output)


if __name__ == "__main__":
    parser = drawing_parser(__doc__, settings=", `model` (label), `min_units` (of a region)", metrics=False)
    parser.add_argument(
        "--units", type=Path, nargs="+", required=True, help="scores of units of each evaluation, Parquet"
    )
    run(main, parser)
