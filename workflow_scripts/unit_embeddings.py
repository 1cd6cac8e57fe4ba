"""Extract what a trained network has learned of each unit: checkpoint -> embeddings."""

import argparse
from pathlib import Path

from neds.regions.embeddings import extract_embeddings
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    extract_embeddings(aligned=arguments.aligned, checkpoint=arguments.checkpoint, output=arguments.output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aligned", type=Path, nargs="+", required=True, help="aligned files of its sessions")
    parser.add_argument("--checkpoint", type=Path, required=True, help="trained model")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 to write")
    run(main, parser)
