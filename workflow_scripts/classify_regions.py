"""Tell the regions of units from their embeddings in several models, by classifiers that did not see the units."""

import argparse
from pathlib import Path

from neds.regions.settings import RegionSettings
from neds.regions.stage import classify_regions
from workflow_scripts._command import add_settings, run, settings_value, validated
from workflow_scripts._embeddings import embedded_models


def main(arguments: argparse.Namespace) -> None:
    settings = settings_value(arguments.settings)
    classify_regions(
        embedded_models(arguments.embeddings, settings["models"]),
        validated(RegionSettings, settings["regions"]),
        scores=arguments.scores,
        units=arguments.units,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--embeddings", type=Path, nargs="+", required=True, help="embeddings of each model")
    parser.add_argument("--scores", type=Path, required=True, help="CSV to write, one row per model and session")
    parser.add_argument("--units", type=Path, required=True, help="Parquet to write, one row per unit and model")
    add_settings(parser, help="config block `regions`, and `models`: model, training, seed, space of each file")
    run(main, parser)
