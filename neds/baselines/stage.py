"""The baseline stage: an aligned file -> scores and predictions of one baseline model, in the form of any other model."""

from collections.abc import Callable
from importlib import import_module

from neds.baselines.fitting import Given, is_usable
from neds.baselines.names import BaselineName
from neds.baselines.registry import module_of
from neds.evaluation.results import EvaluationFiles, Identity, Predicted, write_evaluation
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.roles import InputFile, InputFiles, OutputFile


def run_baseline(
    *,
    name: BaselineName,
    aligned: InputFile,
    metrics: OutputFile,
    units: OutputFile,
    predictions: OutputFile,
    truth: InputFile | None = None,
    others: InputFiles = (),
) -> None:
    """Fit one baseline on the training trials and score it on the test trials; nothing for an unusable session.

    Args:
        name: the baseline.
        aligned: aligned session file.
        metrics: CSV to write, one row per score.
        units: Parquet to write, one row per unit and task.
        predictions: HDF5 to write.
        truth: the true rates of a synthetic session, for the oracle.
        others: aligned files of the sessions to fit with, for rrr-multi; unusable ones are left out.

    Raises:
        UserError: a file that the baseline needs is not given, or damaged inputs.
    """
    files = EvaluationFiles(metrics, units, predictions)
    session = read_aligned(aligned)
    predict: Callable[[AlignedSession, Given], list[Predicted]]
    predict = import_module(f"neds.baselines.{module_of(name)}").predict
    can_be_scored = is_usable(session) and len(session.trials_of("test"))
    predicted = predict(session, Given(truth, others)) if can_be_scored else []
    write_evaluation(session, Identity(model=name, training="", seed=0), predicted, files)
