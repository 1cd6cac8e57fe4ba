"""Cut one recording into trials and bins: raw file -> aligned file."""

import argparse
from pathlib import Path

from neds.modalities import Modality
from neds.partition.settings import PartitionSettings
from neds.partition.stage import partition
from workflow_scripts._command import add_settings, run, settings_value, validated


def main(arguments: argparse.Namespace) -> None:
    settings = settings_value(arguments.settings)
    modalities = [validated(Modality, entry) for entry in settings["modalities"]]
    partition(
        raw=arguments.raw,
        modalities={modality.name: modality for modality in modalities},
        settings=validated(PartitionSettings, settings["partition"]),
        output=arguments.output,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="raw session file")
    parser.add_argument("--output", type=Path, required=True, help="aligned session file to write")
    add_settings(parser, help="keys `modalities` (list of registry entries) and `partition`")
    run(main, parser)
