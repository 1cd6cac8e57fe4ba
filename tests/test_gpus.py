"""GPUs of one computer that many jobs share, without one: which GPU a job gets is told by CUDA_VISIBLE_DEVICES."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from neds.gpus import counted_by_driver, take_gpus, visible_gpus
from tests.workflow_runs import ROOT, TINY, snakemake

TAKE = """
import os, sys
from neds.gpus import take_gpus
take_gpus(int(sys.argv[1]), processes=int(sys.argv[2]), count=lambda: 2)
{then}
"""
WAIT = "print(os.environ.get('CUDA_VISIBLE_DEVICES'), flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def without_gpus_given(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def job(percent: int, *, processes: int = 1, then: str = WAIT) -> Iterator[subprocess.Popen]:
    """A job that takes GPUs of a computer with two, and keeps them until the end of the block."""
    arguments = [sys.executable, "-c", TAKE.format(then=then), str(percent), str(processes)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.stdin.close()


def gpus_of(process: subprocess.Popen) -> str:
    return process.stdout.readline().strip()


def test_each_job_has_a_gpu_of_its_own_and_the_next_one_waits():
    with job(100) as first, job(100) as second:
        assert {gpus_of(first), gpus_of(second)} == {"0", "1"}
        with job(100) as third:
            first.kill()
            assert gpus_of(third) in "01", "a killed job holds nothing"


def test_jobs_that_ask_for_less_share_gpus_the_emptiest_first():
    with job(50) as first, job(50) as second, job(50) as third, job(50) as fourth:
        jobs = (first, second, third, fourth)
        taken = [gpus_of(process) for process in jobs]
        assert sorted(taken) == ["0", "0", "1", "1"]


def test_the_second_job_is_on_the_gpu_that_nobody_uses():
    with job(25) as first:
        gpu = gpus_of(first)
        with job(25) as second:
            assert {gpu, gpus_of(second)} == {"0", "1"}


def test_processes_that_train_together_have_whole_gpus():
    with job(25, processes=2) as together:
        assert gpus_of(together) == "0,1"
        with job(1) as other:
            together.kill()
            assert gpus_of(other) == "0"


def test_a_gpu_stays_taken_when_the_process_becomes_another_program():
    inner = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); sys.stdin.read()"
    with job(200, then=f"os.execv(sys.executable, [sys.executable, '-c', {inner!r}])") as other_program:
        assert gpus_of(other_program) == "0,1"
        with job(1) as waiting:
            other_program.kill()
            assert gpus_of(waiting) == "0"


@pytest.mark.parametrize(
    ("percent", "environment", "seen"),
    [
        (None, {}, None),
        (0, {}, ""),
        (100, {"SLURM_JOB_GPUS": "3", "CUDA_VISIBLE_DEVICES": "0"}, "0"),
        (0, {"SLURM_STEP_GPUS": "3"}, None),
        (100, {"CUDA_VISIBLE_DEVICES": "5,7"}, "5"),
        (100, {"CUDA_VISIBLE_DEVICES": "GPU-0a1b"}, "GPU-0a1b"),
        (100, {"CUDA_VISIBLE_DEVICES": ""}, ""),
        (100, {"CUDA_VISIBLE_DEVICES": "-1"}, "-1"),
        (300, {"CUDA_VISIBLE_DEVICES": "0,1"}, "0,1"),
    ],
)
def test_what_a_job_sees(percent, environment, seen):
    given = dict(environment)
    take_gpus(percent, environment=given, count=lambda: 2)
    assert given.get("CUDA_VISIBLE_DEVICES") == seen


def test_without_gpus_nothing_is_taken(tmp_path):
    given: dict[str, str] = {}
    take_gpus(100, environment=given, count=lambda: 0)
    assert given == {} and not list(tmp_path.iterdir())
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "1,0,-1,2"}, lambda: 9) == ["1", "0"]


def write_driver(folder: Path, n_gpus: int) -> None:
    """An nvidia-smi that lists so many GPUs, first on the PATH."""
    tool = folder / "nvidia-smi"
    lines = "\n".join(f"echo 'GPU {index}: Made up (UUID: GPU-{index})'" for index in range(n_gpus))
    tool.write_text(f"#!/bin/sh\n{lines}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)


def test_the_driver_counts_the_gpus_that_are_not_hidden(tmp_path, monkeypatch):
    write_driver(tmp_path, 3)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert counted_by_driver({}) == 3
    assert counted_by_driver({"CUDA_VISIBLE_DEVICES": "0"}) == 1
    monkeypatch.setenv("PATH", "/nowhere")
    assert counted_by_driver({}) == 0


@pytest.mark.slow
def test_the_workflow_asks_for_gpus_where_trainings_run_on_this_computer(tmp_path, monkeypatch):
    write_driver(tmp_path, 2)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asked = ["-n", "--set-resources", "finetune:gpu_percent=25", "pretrain:gpu_percent=400"]
    printed = snakemake(tmp_path, *asked, config=TINY)
    assert "GPUs: 2" in printed
    jobs = dict(re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", printed, re.MULTILINE))
    assert "gpu_percent=25" in jobs["finetune"] and "gpu_percent=100" in jobs["train_from_scratch"]
    assert "gpu_percent=200" in jobs["pretrain"], "no more than there are, or it would wait for ever"
    assert "gpu_percent" not in jobs["partition"] + jobs["baseline"]
