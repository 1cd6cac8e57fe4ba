"""A workflow that is killed, locked out or asked to leave goes on where it was."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from neds.model.checkpoint import read_checkpoint
from neds.training.settings import TrainingRun
from neds.training.stage import run_training
from tests.workflow_runs import TINY, has_ended, jobs_of, snakemake, start

pytestmark = pytest.mark.slow

PRETRAINED = Path("results/models/pretrained-all/mm/seed0")
LOG = Path("results/logs/pretrain/all-mm-seed0.log")
LONG = {"config": TINY | {"overrides": {"pretrain": {"training.epochs": 150, "training.validate_every": 50}}}}


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 900
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_training(folder: Path) -> bool:
    return (folder / LOG).exists() and "training trials" in (folder / LOG).read_text()


def start_pretraining(folder: Path):
    """Start the workflow, and wait until it trains."""
    (folder / LOG).unlink(missing_ok=True)
    process = start(folder, PRETRAINED / "best.safetensors", **LONG)
    wait_for(lambda: is_training(folder) or process.poll() is not None)
    assert process.poll() is None, (folder / "printed").read_text()
    return process


def test_pretraining_survives_kill_lock_and_signal(copy_of_finished, tmp_path):
    folder, target = copy_of_finished, PRETRAINED / "best.safetensors"
    state = folder / PRETRAINED / "unfinished.safetensors"

    # Somebody else starts the same workflow.
    process = start_pretraining(folder)
    assert "--unlock" in snakemake(folder, target, check=False, **LONG)

    # Snakemake alone is killed: the job does not outlive it, and what it did is saved.
    (job,) = jobs_of(process)
    process.kill()
    process.wait()
    wait_for(lambda: has_ended(job))
    assert state.exists() and not (folder / target).exists()
    assert "its state is saved" in (folder / LOG).read_text()

    # The lock is left. Its message names the command that removes it.
    assert "--unlock" in snakemake(folder, target, check=False, **LONG)
    snakemake(folder, "--unlock", **LONG)

    # All processes get SIGTERM, as from a scheduler.
    process = start_pretraining(folder)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait() == 1
    assert "resumed after epoch" in (folder / LOG).read_text()
    printed = (folder / "printed").read_text()
    assert "1 of 1 job failed:" in printed
    assert "pretrain, mm, all, seed 0\n      " in printed and f"log: {LOG}" in printed
    assert "its state is saved, start it again to go on" in printed

    snakemake(folder, target, **LONG)
    assert "resumed after epoch" in (folder / LOG).read_text()
    assert not state.exists()
    checkpoint, weights = read_checkpoint(folder / target)
    torch.set_num_threads(1)
    run_training(
        run=TrainingRun.model_validate(checkpoint.record["run"]),
        aligned=[folder / f"results/aligned/{session.eid}.h5" for session in checkpoint.sessions],
        best=tmp_path / "best.safetensors",
        last=tmp_path / "last.safetensors",
        log_csv=tmp_path / "log.csv",
    )
    undisturbed = read_checkpoint(tmp_path / "best.safetensors")[1]
    assert all(torch.equal(undisturbed[name], weights[name]) for name in undisturbed | weights)
