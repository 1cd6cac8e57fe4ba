"""Train one model: pretraining on several sessions, training from scratch on one, or fine-tuning on one.

On several GPUs: python -m workflow_scripts.train_together --processes 4 ...

SIGTERM and SIGINT (Ctrl-C) make it save its state after the current step and leave with exit status 75.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from neds.ablations.changes import with_changes
from neds.training.distributed import joined
from neds.training.resume import Interrupted
from neds.training.stage import TrainingRun, run_training
from neds.tuning.best import with_best
from workflow_scripts._command import add_settings, run, settings_value, signalled_to_stop, validated

log = logging.getLogger(__name__)
TEMPORARY_FAILURE = 75
"""EX_TEMPFAIL of sysexits.h: start it again."""


def main(arguments: argparse.Namespace) -> None:
    with joined() as processes, signalled_to_stop() as should_stop:
        if not processes.is_first:
            logging.getLogger().setLevel(logging.ERROR)
        training = validated(TrainingRun, settings_value(arguments.settings))
        if arguments.tuned:
            training = with_best(training, arguments.tuned)
        changed = with_changes(training.model_dump(), json.loads(arguments.changes))
        try:
            run_training(
                run=validated(TrainingRun, changed),
                aligned=arguments.aligned,
                pretrained=arguments.pretrained,
                best=arguments.best,
                last=arguments.last,
                log_csv=arguments.log_csv,
                description=arguments.description,
                processes=processes,
                should_stop=should_stop,
                state_every_s=arguments.state_seconds,
            )
        except Interrupted as stopped:
            log.warning("%s", stopped)
            sys.exit(TEMPORARY_FAILURE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aligned", type=Path, nargs="+", required=True, help="aligned session files to train on")
    parser.add_argument("--pretrained", type=Path, help="checkpoint to fine-tune")
    parser.add_argument("--tuned", type=Path, help="best.yaml of a search, whose values replace those of the settings")
    parser.add_argument(
        "--changes",
        default="{}",
        metavar="JSON",
        help='values by dotted key that replace all others: {"model.layers": 4}',
    )
    parser.add_argument("--best", type=Path, required=True, help="checkpoint of the best validation, to write")
    parser.add_argument("--last", type=Path, required=True, help="checkpoint of the last epoch, to write")
    parser.add_argument("--log-csv", type=Path, required=True, help="table to write, one row per validation")
    parser.add_argument("--description", default="training", help="name of the run in progress messages")
    parser.add_argument(
        "--state-seconds", type=float, default=60.0, help="least time between two states to resume from"
    )
    add_settings(parser, help="mode, modalities, model, masking, training, seed")
    run(main, parser)
