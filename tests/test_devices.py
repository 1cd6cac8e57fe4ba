"""Processes and the devices that they compute on: what they share, and what is said of a GPU that is not there."""

import multiprocessing
import os
import socket
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from neds.device import computing_device
from neds.errors import UserError
from neds.model import precision
from neds.model.precision import bf16_gain, faster_precision
from neds.model.settings import ModelSettings
from neds.training import distributed
from neds.training.distributed import Processes
from neds.training.resume import Progress, StateSaver, load_state, save_state

WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@WITHOUT_GPU
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, False),
        ({"SLURM_JOB_GPUS": "3"}, True),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, True),
        ({"CUDA_VISIBLE_DEVICES": ""}, False),
        ({"SLURM_JOB_GPUS": "3", "CUDA_VISIBLE_DEVICES": "-1"}, False),
    ],
)
def test_gpu_that_was_given_and_is_not_seen_is_said(environment, said, caplog):
    assert computing_device(environment).type == "cpu"
    assert ("a GPU was given" in caplog.text) == said


def test_auto_precision_does_not_emulate_bfloat16_on_a_gpu(monkeypatch):
    asked = {}

    def is_bf16_supported(including_emulation=True):
        asked["emulation"] = including_emulation
        return including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    cuda = torch.device("cuda")
    assert faster_precision(cuda, ModelSettings(), n_trials=16, n_tokens=500)[0] == "fp32"
    assert asked == {"emulation": False}
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    assert faster_precision(cuda, ModelSettings(), n_trials=16, n_tokens=500)[0] == "bf16"


@pytest.mark.parametrize(("gain", "chosen"), [(1.6, "bf16"), (1.1, "fp32"), (0.2, "fp32")])
def test_cpu_computes_in_bfloat16_where_that_is_clearly_faster(gain, chosen, monkeypatch):
    sizes = []
    monkeypatch.setattr(precision, "bf16_gain", lambda settings, *size: sizes.append(size) or gain)
    wide = ModelSettings(dim=256, heads=8, mlp=512)
    assert faster_precision(torch.device("cpu"), wide, n_trials=16, n_tokens=500) == (
        chosen,
        f"bf16 takes {1 / gain:.2f} of the time of fp32 on this CPU at this size",
    )
    assert sizes == [(4, 500)], "the measurement is short at any size"
    assert faster_precision(torch.device("cpu"), ModelSettings(), n_trials=16, n_tokens=500)[0] == "fp32"
    assert len(sizes) == 1, "a narrow network is not measured: a moment's noise must not decide on its numbers"


def test_measuring_leaves_the_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    assert bf16_gain(ModelSettings(dim=16, heads=2, mlp=16), 2, 20) > 0
    assert torch.equal(torch.rand(3), expected)


def test_more_processes_than_gpus_are_refused_by_one_of_them(monkeypatch):
    monkeypatch.setattr(distributed, "computing_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name, value in {"WORLD_SIZE": "3", "LOCAL_WORLD_SIZE": "3", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="3 processes were started on this computer, which has 2 GPUs"):
        distributed.joined().__enter__()
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(SystemExit):
        distributed.joined().__enter__()


def in_two_processes(target, folder: Path) -> None:
    """Run `target(rank, processes, folder)` in two processes joined over gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    members = [context.Process(target=_member, args=(target, rank, port, folder)) for rank in range(2)]
    for member in members:
        member.start()
    for member in members:
        member.join(60)
    assert [member.exitcode for member in members] == [0, 0]


def _member(target, rank: int, port: int, folder: Path) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    target(rank, Processes(rank, 2, torch.device("cpu")), folder)
    dist.destroy_process_group()


def parts(start: float) -> dict:
    model = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(model.weight, start)
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    return {"model": model, "optimizers": [optimizer], "schedulers": [scheduler]}


def resume_where_one_sees_the_state(rank: int, processes: Processes, folder: Path) -> None:
    path = folder / ("state.safetensors" if rank == 0 else "not there")
    if rank == 0:
        save_state(path, fingerprint="a", progress=Progress(epoch=5, batch=2), best={}, **parts(7.0))
    objects = parts(1.0)
    progress, _ = load_state(path, fingerprint="a", processes=processes, **objects)
    assert (progress.epoch, progress.batch) == (5, 2)
    assert (objects["model"].weight == 7.0).all()
    assert load_state(path, fingerprint="b", processes=processes, **objects) is None


def leave_after_the_state_is_saved(rank: int, processes: Processes, folder: Path) -> None:
    """The first process takes its time; the other one may not leave before."""

    def save() -> None:
        time.sleep(1)
        (folder / "saved").touch()

    saver = StateSaver(save, every_s=1e9, should_stop=lambda: rank == 1, processes=processes)
    assert saver.after_step()
    assert (folder / "saved").exists()


@pytest.mark.parametrize("target", [resume_where_one_sees_the_state, leave_after_the_state_is_saved])
def test_processes_resume_and_stop_together(target, tmp_path):
    in_two_processes(target, tmp_path)
