"""Turn one session of another format (NWB, brainsets) into a raw session file."""

import argparse
from importlib import import_module
from pathlib import Path

from neds.conversion.settings import BrainsetsMapping, NwbMapping
from neds.conversion.stage import convert
from neds.modalities import Modality
from workflow_scripts._command import add_settings, run, settings_value, validated

# A reader is imported only where it is used: pynwb takes long to.
MAPPINGS = {"nwb": NwbMapping, "brainsets": BrainsetsMapping}


def main(arguments: argparse.Namespace) -> None:
    settings = settings_value(arguments.settings)
    modalities = [validated(Modality, entry) for entry in settings["modalities"]]
    convert(
        path=arguments.file,
        eid=arguments.eid,
        reader=import_module(f"neds.conversion.{arguments.format}").opened,
        key=arguments.format,
        mapping=validated(MAPPINGS[arguments.format], settings["mapping"]).filled(),
        modalities={modality.name: modality for modality in modalities},
        output=arguments.output,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--format", required=True, choices=list(MAPPINGS))
    parser.add_argument("--file", type=Path, required=True, help="the session's file")
    parser.add_argument("--eid", required=True, help="session id")
    parser.add_argument("--output", type=Path, required=True, help="raw session file to write")
    add_settings(parser, help="keys `modalities` (list of registry entries) and `mapping` (block nwb or brainsets)")
    run(main, parser)
