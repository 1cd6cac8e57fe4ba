"""Turn one's own trial-aligned arrays (.npz or .h5) into an aligned file."""

import argparse
from pathlib import Path

from neds.modalities import Modality
from neds.partition.arrays import import_arrays
from neds.partition.settings import ArraySettings, PartitionSettings
from workflow_scripts._command import add_settings, run, settings_value, validated


def main(arguments: argparse.Namespace) -> None:
    settings = settings_value(arguments.settings)
    modalities = [validated(Modality, entry) for entry in settings["modalities"]]
    import_arrays(
        path=arguments.arrays,
        eid=arguments.eid,
        modalities={modality.name: modality for modality in modalities},
        settings=validated(PartitionSettings, settings["partition"]),
        arrays=validated(ArraySettings, settings["arrays"]),
        output=arguments.output,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arrays", type=Path, required=True, help="file with the arrays")
    parser.add_argument("--eid", required=True, help="session id")
    parser.add_argument("--output", type=Path, required=True, help="aligned session file to write")
    add_settings(parser, help="keys `modalities` (list of registry entries), `partition` and `arrays`")
    run(main, parser)
