"""Chaos: jobs and Snakemake itself are killed at random; the results are those of an undisturbed run, byte for byte."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from safetensors import safe_open

from tests.workflow_runs import has_ended, jobs_of, snakemake, start

pytestmark = pytest.mark.slow

SEED = 0
KILLS = {
    "job": 5,  # SIGKILL to one job, e.g. for want of memory
    "job asked to leave": 2,  # SIGTERM
    "snakemake": 3,  # SIGKILL to Snakemake alone; its jobs live on for a moment
    "everything": 2,  # SIGKILL to all processes, as when the machine goes down
}
LONGEST_CPU_S = 1.5
"""About what a job takes. A job is killed after a random share, of CPU time: on a slow machine it gets as far."""
TIMES = ["seconds", "trials_per_second"]


def kill(how: str, process: subprocess.Popen, rng: np.random.Generator) -> bool:
    """Wait for a job and kill; False when the workflow ended before."""
    n_to_pass, cpu_s = int(rng.integers(0, 3)), rng.uniform(0, LONGEST_CPU_S)
    passed: set[int] = set()
    while process.poll() is None:
        jobs = jobs_of(process)
        fresh = [job for job in jobs if job.pid not in passed]
        if len(passed) < n_to_pass:
            passed |= {job.pid for job in fresh}
        elif fresh:
            victim = fresh[int(rng.integers(len(fresh)))]
            try:
                what = victim.cmdline()[2]
                while sum(victim.cpu_times()[:2]) < cpu_s and not has_ended(victim):
                    time.sleep(0.01)
                if has_ended(victim):
                    raise psutil.NoSuchProcess(victim.pid)
                if how.startswith("job"):
                    victim.send_signal(signal.SIGKILL if how == "job" else signal.SIGTERM)
                elif how == "snakemake":
                    process.kill()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
                print(f"{how}: {what} after {cpu_s:.1f} s")
                return True
            except psutil.NoSuchProcess:
                passed.add(victim.pid)
        time.sleep(0.01)
    return False


def test_killed_at_random_the_workflow_ends_as_if_undisturbed(finished, tmp_path):
    rng = np.random.default_rng(SEED)
    kills = [how for how, number in KILLS.items() for _ in range(number)]
    rng.shuffle(kills)
    process = start(tmp_path)
    while kills:
        if not kill(kills[-1], process, rng):
            if process.wait() == 0:
                break
            # What a killed job left undone is for the next run.
            process = start(tmp_path)
        elif not kills.pop().startswith("job"):
            process.wait()
            snakemake(tmp_path, "--unlock")
            process = start(tmp_path)
    assert len(kills) <= sum(KILLS.values()) - 10, "ended before there were ten kills"
    if process.wait() != 0:
        snakemake(tmp_path)
    assert_same_results(finished / "results", tmp_path / "results")


def assert_same_results(calm: Path, disturbed: Path) -> None:
    """All files there are, and nothing else; only times may differ: logs, how long trainings and other jobs took.

    Snakemake's own files of times lack where it was killed after a job had ended.
    """
    names = [
        {
            str(path.relative_to(folder))
            for path in folder.rglob("*")
            if path.is_file() and path.name != ".snakemake_timestamp" and folder / "benchmarks" not in path.parents
        }
        for folder in (calm, disturbed)
    ]
    assert names[0] == names[1]
    for name in sorted(names[0]):
        if not name.startswith(("logs/", "figures/learning/", "tables/budgets.")):
            assert content(calm / name) == content(disturbed / name), name


def content(path: Path) -> object:
    """What must be the same of a file: all of it, or of files that record times the rest."""
    if path.name == "log.csv":
        return pd.read_csv(path, dtype=str).drop(columns=TIMES).to_csv()
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as handle:
            header = json.loads(handle.metadata()["neds"])
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 (not a dict)
        raw = {n: (str(t.dtype), tuple(t.shape), t.numpy().tobytes()) for n, t in tensors.items()}
        return header, raw
    return path.read_bytes()
