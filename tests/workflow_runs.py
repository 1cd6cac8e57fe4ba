"""The workflow as users run it: Snakemake itself, on a tiny synthetic data set."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
import yaml

from neds.files.atomic import write_text

ROOT = Path(__file__).parents[1]
TINY = {
    "synthetic": {"n_train": 2, "n_test": 2, "n_trials": 90, "units_min": 12, "units_max": 16, "noise_units": 2},
    "partition": {"bin_s": 0.1, "min_units": 5},
    "model": {"dim": 16, "layers": 1, "heads": 2, "mlp": 16},
    "training": {"epochs": 2, "validate_every": 1},
    "overrides": {"pretrain": {"training.epochs": 10}, "finetuned": {"training.shared_lr": 0.3}},
    "baselines": ["psth", "oracle"],
    "regions": {"projection": "pca"},
}
TARGETS = {"all", "sessions", "models", "baselines", "tables", "figures", "ablations", "pages"}
"""Rules that do nothing."""
LISTED = {"configuration_table", "software_table", "table_page"}
"""Rules of what a report lists, which follow every change of the configuration or of a score."""


def command(folder: Path, *arguments: object, config: dict = TINY, project: Path = ROOT) -> list[str]:
    """Command that runs the workflow of `project` in `folder`."""
    text = yaml.safe_dump(config)
    # The table of the configuration names the file, so the same configuration has the same name.
    file = Path(folder, f".config-{sha256(text.encode()).hexdigest()[:8]}.yaml")
    if not file.exists():
        write_text(file, text)
    parts = [Path(sys.executable).with_name("snakemake"), "--snakefile", project / "Snakefile", "--directory", folder]
    # Of a dry run every job is wanted, and not the table of them.
    full = ["--printshellcmds"] if "-n" in arguments else []
    return [str(part) for part in [*parts, "--configfile", str(file), "--cores", 2, *full, *arguments]]


def environment(folder: Path, project: Path = ROOT) -> dict[str, str]:
    """No settings of the user's; the logger is the project's. The list of fonts is kept, which is slow to make."""
    fonts = str(ROOT / ".pytest_cache/matplotlib")
    return os.environ | {"HOME": str(folder), "MPLCONFIGDIR": fonts, "PYTHONPATH": str(project)}


def snakemake(folder: Path, *arguments: object, check: bool = True, **options) -> str:
    """Run Snakemake in `folder`; what it printed. Options as for `command`."""
    parts = command(folder, *arguments, **options)
    done = subprocess.run(parts, capture_output=True, text=True, env=environment(folder))
    printed = done.stdout + done.stderr
    assert done.returncode == 0 or not check, printed
    return printed


def planned(folder: Path, config: dict = TINY, *, project: Path = ROOT, arguments: Sequence[object] = ()) -> Counter:
    """Jobs that a dry run would start, by rule; without those of `TARGETS` and `LISTED`."""
    printed = snakemake(folder, "-n", *arguments, config=config, project=project)
    jobs = Counter(re.findall(r"^(?:local)?rule (\w+):", printed, re.MULTILINE))
    return Counter({rule: n for rule, n in jobs.items() if rule not in TARGETS | LISTED})


def start(folder: Path, *arguments: object, **options) -> subprocess.Popen:
    """Start Snakemake as the leader of a process group of its own; what it prints goes to the file `printed`."""
    with open(folder / "printed", "w") as printed:
        return subprocess.Popen(
            command(folder, *arguments, **options),
            stdout=printed,
            stderr=subprocess.STDOUT,
            env=environment(folder),
            start_new_session=True,
        )


def jobs_of(process: subprocess.Popen) -> list[psutil.Process]:
    """The commands of the rules that run at the moment under a started Snakemake."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if child.cmdline()[1:2] == ["-m"]:
                    found.append(child)
    return found


def has_ended(process: psutil.Process) -> bool:
    """Whether it is gone, or dead and not yet taken note of, which nobody may do for an orphan."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """Folder of a finished run of TINY, to look at. All processes that run tests share one."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = base / "finished"
    with open(base / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            running = base / "unfinished"
            shutil.rmtree(running, ignore_errors=True)
            running.mkdir()
            snakemake(running)
            running.rename(folder)
    return folder


@pytest.fixture
def copy_of_finished(finished, tmp_path) -> Path:
    """The same, to change."""
    return shutil.copytree(finished, tmp_path / "copy")
