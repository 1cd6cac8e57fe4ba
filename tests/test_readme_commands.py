"""Every command of the README is run: here, or by the test that is named."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import other_formats as formats
from tests.workflow_runs import ROOT, TINY, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = {
    "make run": "workflow_runs.py:def finished",
    "make docs": "../.ci/run:make test",
    "make test": "../.ci/run:make test",
    "make bench": "test_study.py:benchmarks",
    "source .venv/bin/activate": "../Makefile:BIN := .venv/bin",
    "snakemake --cores all --configfile docs/examples/paper_figures.yaml": "test_paper_figures.py:paper_figures.yaml",
    "mkdir -p ~/.config/snakemake && cp -r profiles/slurm ~/.config/snakemake/": "test_slurm.py:.config/snakemake/slurm",
    "snakemake --profile slurm": 'test_slurm.py:"--profile", "slurm"',
    "neds import --source https://huggingface.co/OWNER/NAME --output their-model": "test_sharing.py:import_model",
}
"""Commands that take long or need what is not here: where they are run, and words of that file."""
NEDS = [sys.executable, "-m", "workflow_scripts"]


def commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [" ".join(line.partition(" #")[0].split()) for line in lines if line.strip()]


def test_commands_that_are_run_elsewhere_are():
    assert set(ELSEWHERE) <= set(commands())
    for place in ELSEWHERE.values():
        file, _, words = place.partition(":")
        assert words in (ROOT / "tests" / file).read_text(encoding="utf-8"), place


@pytest.mark.slow
def test_all_other_commands_run(copy_of_finished):
    (copy_of_finished / "recordings").mkdir()
    formats.write_nwb(copy_of_finished / "recordings/mouse1.nwb")
    eid = next(path.name for path in (copy_of_finished / "results/evaluation").iterdir())
    snakemake = [str(Path(sys.executable).with_name("snakemake")), "--snakefile", str(ROOT / "Snakefile")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = environment(copy_of_finished) | {"PATH": path}
    here = [command for command in commands() if command not in ELSEWHERE]
    assert len(here) > 6
    for command in here:
        program, *words = shlex.split(command.replace("<eid>", eid).replace("--cores all", "--cores 2"))
        # Snakemake takes all words behind some options for these, so that targets stay in front.
        parts = [snakemake[0], *words, *snakemake[1:]] if program == "snakemake" else [*NEDS, *words]
        done = subprocess.run(parts, cwd=copy_of_finished, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, command + done.stdout + done.stderr
        if words[0] == "init":
            assert "source: nwb" in (copy_of_finished / "mine.yaml").read_text()
            (copy_of_finished / "mine.yaml").write_text(yaml.safe_dump(TINY))
    for made in ("report.html", "decoded.h5", "my-model/README.md"):
        assert (copy_of_finished / made).exists()
