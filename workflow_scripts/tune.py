"""Search hyper-parameters of one training: of pretraining, of training from scratch, or of fine-tuning."""

import argparse
from pathlib import Path

from neds.tuning.search import Resources
from neds.tuning.stage import TuningRun, run_tuning
from workflow_scripts._command import add_settings, run, settings_value, validated


def main(arguments: argparse.Namespace) -> None:
    run_tuning(
        tuning=validated(TuningRun, settings_value(arguments.settings)),
        aligned=arguments.aligned,
        pretrained=arguments.pretrained,
        best=arguments.best,
        trials_csv=arguments.trials_csv,
        resources=Resources(
            cpus=arguments.cpus,
            cpus_per_trial=arguments.cpus_per_trial,
            gpus_per_trial=arguments.gpu_percent_per_trial / 100,
        ),
        description=arguments.description,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aligned", type=Path, nargs="+", required=True, help="aligned session files to train on")
    parser.add_argument("--pretrained", type=Path, help="checkpoint to fine-tune")
    parser.add_argument("--best", type=Path, required=True, help="YAML to write: the values of the best trial")
    parser.add_argument("--trials-csv", type=Path, required=True, help="table to write, one row per trial")
    parser.add_argument("--cpus", type=int, default=1, help="CPU cores of the whole search")
    parser.add_argument("--cpus-per-trial", type=int, default=1, help="CPU cores of a trial")
    parser.add_argument("--gpu-percent-per-trial", type=int, default=0, help="share of a GPU for a trial; 0: CPU only")
    parser.add_argument("--description", default="search", help="name of the search in progress messages")
    add_settings(parser, help="run (mode, modalities, model, ...) and search (method, n_trials, space, seed)")
    run(main, parser)
