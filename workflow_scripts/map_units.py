"""Lay the units of a model out in a plane by their embeddings (UMAP or PCA)."""

import argparse
from pathlib import Path

from neds.regions.settings import RegionSettings
from neds.regions.unit_map import map_units
from workflow_scripts._command import add_settings, run, settings_value, validated
from workflow_scripts._embeddings import embedded_models


def main(arguments: argparse.Namespace) -> None:
    settings = settings_value(arguments.settings)
    (model,) = embedded_models([arguments.embeddings], settings["models"])
    map_units(model, validated(RegionSettings, settings["regions"]), output=arguments.output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embeddings", type=Path, required=True, help="embeddings of a model")
    parser.add_argument("--output", type=Path, required=True, help="Parquet to write, one row per unit")
    add_settings(parser, help="config block `regions`, and `models`: model, training, seed, space of the file")
    run(main, parser)
