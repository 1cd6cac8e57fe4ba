"""docs/extending.md: each example is put into a copy of the project and does what the page says."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from neds.files.aligned import write_aligned
from tests.aligned_sessions import make_session

ROOT = Path(__file__).parents[1]
_EXAMPLE = re.compile(
    r"(?:New file `(?P<new>[^`]+)`|In `(?P<file>[^`]+)`, (?P<where>before|after) `(?P<line>[^`]+)`):\n\n"
    r"```\w+\n(?P<text>.*?)```",
    re.DOTALL,
)


@pytest.fixture(scope="module")
def extended(tmp_path_factory) -> Path:
    """A copy of the project with all examples in it."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("neds", "rules", "workflow_scripts", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    found = list(_EXAMPLE.finditer((ROOT / "docs" / "extending.md").read_text()))
    assert len(found) == 7
    for example in found:
        if example["new"]:
            (folder / example["new"]).write_text(example["text"])
            continue
        path, line = folder / example["file"], f"{example['line']}\n"
        text = path.read_text()
        assert text.count(line) == 1
        added = example["text"] + line if example["where"] == "before" else line + example["text"]
        path.write_text(text.replace(line, added))
    return folder


def run(extended: Path, folder: Path, *arguments: object) -> str:
    """Run a program of the extended project in a folder; what it printed."""
    environment = os.environ | {"PYTHONPATH": str(extended)}
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def aligned(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("aligned") / "mouse.h5"
    write_aligned(path, make_session("mouse"))
    return path


def test_a_baseline_in_one_file(extended, aligned, tmp_path):
    (tmp_path / "c.yaml").write_text("baselines: [psth, mean-rate]\n")
    assert "mean-rate" in run(extended, tmp_path, "workflow_scripts", "config", "--configfile", "c.yaml")
    outputs = ("--metrics", "m.csv", "--units", "u.parquet", "--predictions", "p.h5")
    run(extended, tmp_path, "workflow_scripts", "baseline", "--name", "mean-rate", "--aligned", aligned, *outputs)
    scores = pd.read_csv(tmp_path / "m.csv")
    bits = scores.loc[scores["metric"] == "bits_per_spike_train_null", "value"]
    assert scores["model"].unique() == ["mean-rate"] and abs(bits.iloc[0]) < 1e-6


def test_a_source_in_two_files(extended, tmp_path):
    rng = np.random.default_rng(0)
    onset = 3.0 + 3 * np.arange(30)
    content = {
        "subject": "mouse",
        "units": [np.sort(rng.uniform(0, 100, 900)).tolist() for _ in range(12)],
        "trials": {"cue": onset.tolist(), "choice": ["left", "right"] * 15},
        "series": {"running": [np.arange(0, 100, 0.02).tolist(), np.arange(5000.0).tolist()]},
    }
    (tmp_path / "mouse.json").write_text(json.dumps(content))
    (tmp_path / "sheet.tsv").write_text("eid\trole\tpath\nmouse\ttest\tmouse.json\n")
    (tmp_path / "c.yaml").write_text(
        "source: lab_json\nsessions: sheet.tsv\nregimes: [scratch]\nmodalities: [spikes, running, choice]\n"
        "custom_modalities: {running: {kind: continuous}}\n"
        "lab_json: {series: {running: running}, trials: {choice: choice}}\n"
        "partition: {align: cue, trial_rule: all, min_trials: 10}\n"
    )
    run(
        extended,
        tmp_path,
        "snakemake",
        "-s",
        extended / "Snakefile",
        "--cores",
        1,
        "sessions",
        "--configfile",
        "c.yaml",
    )
    with h5py.File(tmp_path / "results/aligned/mouse.h5") as handle:
        assert handle.attrs["reason"] == "" and handle["values/spikes"].shape[2] == 12


def test_a_figure_in_three_files(extended, aligned, tmp_path):
    entry = {"name": "spikes", "kind": "counts", "group": "neural"}
    settings = ("--settings", json.dumps({"modalities": [entry]}))
    run(extended, tmp_path, "workflow_scripts", "figure-rates", "--aligned", aligned, "--output", "rates", *settings)
    assert len(pd.read_csv(tmp_path / "rates.csv")) == 7
    planned = run(extended, tmp_path, "snakemake", "-s", extended / "Snakefile", "--cores", 1, "-np", "figures")
    assert "results/figures/rates.png" in planned
