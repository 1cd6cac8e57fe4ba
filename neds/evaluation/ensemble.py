"""The ensemble of several seeds: the mean of their predictions, scored as a model of its own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neds.errors import UserError
from neds.evaluation.results import EvaluationFiles, Identity, Predicted, read_predicted, write_evaluation
from neds.files.aligned import read_aligned
from neds.files.roles import InputFile, InputFiles, OutputFile


def evaluate_ensemble(
    *,
    aligned: InputFile,
    predictions: InputFiles,
    model: str,
    training: str,
    metrics: OutputFile,
    units: OutputFile,
    output: OutputFile,
) -> None:
    """Score the mean of the predictions of several seeds on the session's test trials.

    Expected spikes per bin, continuous values and probabilities of classes are averaged as they are. Encoding from one
    behaviour alone, of which evaluations keep no predictions, is not scored.

    Args:
        aligned: aligned session file.
        predictions: predictions of each seed, of its evaluation.
        model: name of the model in tables, e.g. neds-mm.
        training: how its members were trained, and that it is an ensemble, e.g. scratch-ensemble.
        metrics: CSV to write, one row per score.
        units: Parquet to write, one row per unit and task.
        output: HDF5 to write, the mean predictions.

    Raises:
        UserError: damaged inputs, or predictions of other trials or targets than those of the first seed.
    """
    session = read_aligned(aligned)
    predicted = _means(predictions, session.trials_of("test")) if session.usable else []
    # The seed is that of a baseline: the row is of no one seed.
    write_evaluation(session, Identity(model, training, seed=0), predicted, EvaluationFiles(metrics, units, output))


def _means(paths: Sequence[Path], trials: np.ndarray) -> list[Predicted]:
    """The mean predictions of each task; none where training of the members was skipped."""
    members = []
    for path in paths:
        own_trials, predicted = read_predicted(path)
        members.append(predicted)
        if [item.task for item in predicted] != [item.task for item in members[0]] or (
            predicted and not np.array_equal(own_trials, trials)
        ):
            raise UserError(f"{path}: its trials or targets are not those of {paths[0]}; evaluate its model again")
    return [
        Predicted(item.task, {t: np.mean([own[place].values[t] for own in members], axis=0) for t in item.values})
        for place, item in enumerate(members[0])
    ]
