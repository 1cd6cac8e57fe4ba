"""Draw a search: the score of every trial against each hyper-parameter."""

import argparse
from pathlib import Path

from neds.figures.save import draw
from neds.figures.search import search_figure
from neds.files.tables import read_csv
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    trials = read_csv(arguments.trials)
    draw(lambda: search_figure(trials), arguments.output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=Path, required=True, help="table of a search's trials, CSV")
    parser.add_argument("--output", type=Path, required=True, help="files to write, without .pdf, .png and .csv")
    run(main, parser)
