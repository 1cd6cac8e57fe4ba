"""Draw the models' scores: a panel per modality, a bar per model."""

import argparse
from pathlib import Path

from neds.evaluation.tables import metrics_table
from neds.figures.bars import metrics_figure
from neds.figures.save import draw
from neds.modalities import Modality
from workflow_scripts._command import add_settings, run, settings_value, validated


def main(arguments: argparse.Namespace) -> None:
    entries = [validated(Modality, entry) for entry in settings_value(arguments.settings)["modalities"]]
    modalities = {modality.name: modality for modality in entries}
    draw(lambda: metrics_figure(metrics_table([arguments.metrics]), modalities), arguments.output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=Path, required=True, help="metrics table of all evaluations, CSV")
    parser.add_argument("--output", type=Path, required=True, help="files to write, without .pdf, .png and .csv")
    add_settings(parser, help="key `modalities` (list of registry entries)")
    run(main, parser)
