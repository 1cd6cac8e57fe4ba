"""How the SLURM profile finds out which command tells that a job has ended, with made-up commands."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.workflow_runs import ROOT

READ = "import sys, yaml; from yte import process_yaml; print(yaml.safe_dump(process_yaml(open(sys.argv[1]))))"
DISABLED = "echo 'Slurm accounting storage is disabled' >&2; exit 1"


def profile(folder: Path, **commands: str) -> subprocess.CompletedProcess:
    """Read the profile on a computer with these commands, each a script for a shell."""
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(stat.S_IRWXU)
    arguments = [sys.executable, "-c", READ, str(ROOT / "profiles/slurm/config.yaml")]
    environment = os.environ | {"PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run(arguments, capture_output=True, text=True, env=environment)


def test_accounting_is_asked_where_it_works(tmp_path):
    done = profile(tmp_path, sacct="exit 0", scontrol="exit 1")
    assert yaml.safe_load(done.stdout)["slurm-status-command"] == "sacct" and not done.stderr


@pytest.mark.parametrize(("age", "seconds"), [("300 sec", 40), ("60 sec", 20), ("15 sec", 5)])
def test_without_accounting_the_queue_is_asked_often_enough_and_it_is_said(age, seconds, tmp_path):
    done = profile(
        tmp_path, sacct=DISABLED, scontrol=f"echo 'MaxJobCount = 10'; echo 'MinJobAge               = {age}'"
    )
    values = yaml.safe_load(done.stdout)
    assert values["slurm-status-command"] == "squeue"
    assert values["slurm-init-seconds-before-status-checks"] == seconds
    assert "sacct does not work here" in done.stderr and "squeue tells which jobs have ended" in done.stderr


def test_without_sacct_the_queue_is_asked(tmp_path):
    assert yaml.safe_load(profile(tmp_path).stdout)["slurm-status-command"] == "squeue"


def test_a_queue_that_forgets_at_once_is_one_line(tmp_path):
    done = profile(tmp_path, sacct=DISABLED, scontrol="echo 'MinJobAge = 2 sec'")
    assert done.returncode and "ended jobs leave the queue after 2 s" in done.stderr and "Traceback" not in done.stderr
