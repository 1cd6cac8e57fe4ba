"""Score one trained model on one session's test trials."""

import argparse
from pathlib import Path

from neds.evaluation.results import EvaluationFiles, Identity
from neds.evaluation.stage import evaluate
from workflow_scripts._command import run


def main(arguments: argparse.Namespace) -> None:
    evaluate(
        aligned=arguments.aligned,
        checkpoint=arguments.checkpoint,
        identity=Identity(model=arguments.model, training=arguments.training, seed=arguments.seed),
        files=EvaluationFiles(arguments.metrics, arguments.units, arguments.predictions),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aligned", type=Path, required=True, help="aligned session file")
    parser.add_argument("--checkpoint", type=Path, required=True, help="model trained on this session")
    parser.add_argument("--model", required=True, help="name of the model in tables, e.g. neds-mm")
    parser.add_argument("--training", required=True, help="scratch or finetuned")
    parser.add_argument("--seed", type=int, required=True, help="seed of the training")
    parser.add_argument("--metrics", type=Path, required=True, help="CSV to write, one row per score")
    parser.add_argument("--units", type=Path, required=True, help="Parquet to write, one row per unit and task")
    parser.add_argument("--predictions", type=Path, required=True, help="HDF5 to write")
    run(main, parser)
