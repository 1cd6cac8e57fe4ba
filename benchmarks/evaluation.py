"""Evaluation of a session of 100 test trials and 400 units, all inputs and each alone, beside every trial in every task.

    python -m benchmarks.evaluation

The plain way runs the network on every trial for every task, and scores nothing. The limit is the time that the stage's own
arithmetic takes at the rate of a large product of matrices.
"""

import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.machine import flop_counter, matrix_flops
from benchmarks.measurement import Measurement, report, spent
from benchmarks.noise import noise_session
from benchmarks.training_step import PAPER_SIZE
from neds.data.store import TrialStore, stacked_valid
from neds.evaluation.stage import evaluate
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import AlignedSession, write_aligned
from neds.modalities import PAPER
from neds.model.checkpoint import Checkpoint, write_checkpoint
from neds.model.masking import observe
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings

N_UNITS, N_TEST, AT_ONCE = 400, 100, 64


def every_trial(model: NEDS, store: TrialStore, session: AlignedSession) -> None:
    """The network's predictions of all tasks."""
    for task in tasks_of(PAPER, inputs=tuple(PAPER), outputs=tuple(PAPER), each_input_alone=True):
        for batch in store.in_order(0, "test", batch_size=AT_ONCE):
            model(batch, observe(list(PAPER.values()), stacked_valid(batch, PAPER), set(task.observed)))


def main() -> None:
    """Report the stage."""
    session = noise_session(0, N_UNITS, n_test=N_TEST)
    store = TrialStore([session], names=list(PAPER), device=torch.device("cpu"))
    design = Design(PAPER_SIZE, PAPER, preset("mm", PAPER, MaskingSettings()), session.n_bins)
    model = NEDS(design, store.shapes).eval()
    with tempfile.TemporaryDirectory() as temporary, torch.inference_mode():
        folder = Path(temporary)
        write_aligned(folder / "session.h5", session)
        record = {"run": {"train_trials": None}}
        write_checkpoint(folder / "model", Checkpoint(design, store.shapes, record=record), model.state_dict())
        stage_of_session = partial(
            evaluate,
            aligned=folder / "session.h5",
            checkpoint=folder / "model",
            model="neds-mm",
            training="scratch",
            seed=0,
            metrics=folder / "metrics.csv",
            units=folder / "units.parquet",
            predictions=folder / "predictions.h5",
        )
        with spent() as stage:
            stage_of_session()
        with spent() as plain:
            every_trial(model, store, session)
        with flop_counter() as counter:
            stage_of_session()
    n_tasks = len(tasks_of(PAPER, inputs=tuple(PAPER), outputs=tuple(PAPER), each_input_alone=True))
    report(
        Measurement(
            section="Evaluation",
            what=f"{N_TEST} test trials, {N_UNITS} units, {n_tasks} tasks (L5 D256): the whole stage",
            value=stage.wall_s,
            unit="s",
            limit=counter.get_total_flops() / matrix_flops(),
            limited_by="matrix rate",
            plain=plain.wall_s,
            plain_way="the network alone, every trial in every task",
            further={"CPU s": stage.cpu_s},
        )
    )


if __name__ == "__main__":
    main()
