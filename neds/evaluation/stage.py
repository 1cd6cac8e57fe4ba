"""The evaluation stage: a checkpoint and an aligned file -> scores and predictions on the test trials."""

import logging

import torch

from neds.data.store import TrialStore
from neds.data.subset import with_training_trials
from neds.errors import UserError
from neds.evaluation.predict import predict
from neds.evaluation.results import EvaluationFiles, Identity, Predicted, write_evaluation
from neds.evaluation.settings import SCHEME_OF, UNIT_TASKS, UnitTasks
from neds.evaluation.tasks import tasks_of_network
from neds.evaluation.unit_tasks import unit_tasks_of
from neds.files.aligned import read_aligned
from neds.files.roles import InputFile, OutputFile
from neds.model.checkpoint import load_network, read_checkpoint

log = logging.getLogger(__name__)


def evaluate(
    *,
    aligned: InputFile,
    checkpoint: InputFile,
    model: str,
    training: str,
    seed: int,
    unit_tasks: UnitTasks | None = None,
    metrics: OutputFile,
    units: OutputFile,
    predictions: OutputFile,
) -> None:
    """Run every task that the model can do on the session's test trials and write the results.

    A session that cannot be used, or whose training was skipped for want of one, gets empty results.

    Args:
        aligned: aligned session file.
        checkpoint: model trained on this session.
        model: name of the model in tables, e.g. neds-mm.
        training: how it was trained, e.g. scratch or finetuned-all.
        seed: seed of the training.
        unit_tasks: co-smoothing and forecasting, where they are asked for: `held_out` (share, seed, column, uuids),
            `forecast_ratio`.
        metrics: CSV to write, one row per score.
        units: Parquet to write, one row per unit and task.
        predictions: HDF5 to write.

    Raises:
        UserError: damaged inputs, a checkpoint that was not trained on this session, or a rule of held-out units that does
            not fit its units.
    """
    identity = Identity(model=model, training=training, seed=seed)
    files = EvaluationFiles(metrics, units, predictions)
    session = read_aligned(aligned)
    no_test = "" if len(session.trials_of("test")) else "no test trials in its file"
    skipped = session.reason or no_test or read_checkpoint(checkpoint, with_weights=False)[0].skipped
    if skipped:
        log.warning("session %s is not evaluated: %s", session.eid, skipped)
        write_evaluation(session, identity, [], files)
        return
    network, description = load_network(checkpoint)
    eids = [shape.eid for shape in description.sessions]
    if eids != [session.eid]:
        raise UserError(f"{checkpoint}: was trained on {', '.join(eids)}, not on session {session.eid}")
    session = with_training_trials(session, description.record["run"]["train_trials"])
    design = network.design
    # Not on a GPU: a pass over few trials is not worth waiting for one, and trainings hold them.
    store = TrialStore([session], names=list(design.modalities), device=torch.device("cpu"))
    tasks = tasks_of_network(design, each_input_alone=True)
    tasks += unit_tasks_of(session, unit_tasks or UnitTasks(), inputs=design.mode.inputs, outputs=design.mode.outputs)
    weights = design.mode.scheme_weights
    trained_for = {task: bool(weights.get(SCHEME_OF[name])) for task, name in UNIT_TASKS.items()}
    predicted = [
        Predicted(task, predict(network, store, 0, "test", task), trained_for=trained_for.get(task.name, True))
        for task in tasks
    ]
    write_evaluation(session, identity, predicted, files)
