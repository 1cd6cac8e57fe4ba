"""What the commands share that draw figures, or make tables, of the models' scores."""

import argparse
from pathlib import Path

from neds.figures.paper import PaperNumbers
from neds.modalities import Modality
from workflow_scripts._command import add_settings, settings_value, validated


def drawing_parser(description: str, *, settings: str, metrics: bool = True) -> argparse.ArgumentParser:
    """Options of such a command; `settings` says what is in its settings besides the modalities."""
    parser = argparse.ArgumentParser(description=description)
    if metrics:
        parser.add_argument("--metrics", type=Path, required=True, help="metrics table of all evaluations, CSV")
    parser.add_argument("--output", type=Path, required=True, help="files to write, without their suffixes")
    add_settings(parser, help=f"`modalities` (list of registry entries){settings}")
    return parser


class Drawing:
    """The settings of a drawing command.

    Attributes:
        values: all of them.
        modalities: the registry, by name.
        paper: the paper's numbers, where they are wanted.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.values = settings_value(arguments.settings)
        entries = [validated(Modality, entry) for entry in self.values["modalities"]]
        self.modalities = {modality.name: modality for modality in entries}
        paper = self.values.get("paper")
        self.paper = validated(PaperNumbers, paper) if paper else None
