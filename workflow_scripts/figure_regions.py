"""Draw the units by region, how well their regions are told apart, and which regions are confused."""

import argparse
from pathlib import Path

from neds.figures.regions import regions_figure
from neds.figures.save import draw
from neds.files.tables import read_csv, read_parquet
from neds.regions.settings import RegionSettings
from workflow_scripts._command import add_settings, run, settings_value, validated


def main(arguments: argparse.Namespace) -> None:
    settings = settings_value(arguments.settings)
    regions = validated(RegionSettings, settings["regions"])
    draw(
        lambda: regions_figure(
            read_parquet(arguments.map),
            read_csv(arguments.scores),
            read_parquet(arguments.units),
            classes=regions.classes,
            projection=regions.projection,
            paper=settings["paper"],
        ),
        arguments.output,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--map", type=Path, required=True, help="units in a plane, Parquet")
    parser.add_argument("--scores", type=Path, required=True, help="how well regions are told apart, CSV")
    parser.add_argument("--units", type=Path, required=True, help="region and predicted region of every unit, Parquet")
    parser.add_argument("--output", type=Path, required=True, help="files to write, without .pdf, .png and .csv")
    add_settings(parser, help="config block `regions`, and `paper`: accuracy that the paper reports, or null")
    run(main, parser)
