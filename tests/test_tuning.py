"""A search finds values, survives being killed, and training takes what it found."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml
from ray import tune

from neds.config import Config, check_config
from neds.errors import UserError
from neds.figures.save import NothingToDraw
from neds.figures.search import search_figure
from neds.files.aligned import write_aligned
from neds.files.private import private_folder
from neds.model.checkpoint import read_checkpoint
from neds.model.settings import MaskingSettings, ModelSettings
from neds.training.settings import TrainingRun, TrainingSettings
from neds.tuning import stage
from neds.tuning.best import BestTrial, with_best, write_best
from neds.tuning.search import Outcome, Resources, run_search
from neds.tuning.settings import TuningRun
from neds.tuning.space import Domain, paper_space, space_faults
from neds.tuning.stage import run_tuning
from tests.aligned_sessions import make_session, unusable_session
from tests.test_config import ROOT, faults
from tests.test_training import settings
from tests.test_workflow import TINY, planned

BLOCKS = {"model": ModelSettings(), "masking": MaskingSettings(), "training": TrainingSettings()}
SPACE = {"model.mlp": {"choice": [8, 16]}, "training.lr": {"loguniform": [1e-4, 1e-2]}}


@pytest.fixture(autouse=True)
def state_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def tuning(method="random", space=SPACE, n_trials=4, **training) -> dict:
    search = {"method": method, "n_trials": n_trials, "seed": 0, "space": space}
    return {"run": settings(validate_every=1, **training), "search": search}


def command(folder, values: dict) -> list[str]:
    write_aligned(folder / "mouse1.h5", make_session())
    parts = [sys.executable, "-m", "workflow_scripts", "tune", "--aligned", folder / "mouse1.h5"]
    parts += ["--best", folder / "best.yaml", "--trials-csv", folder / "trials.csv", "--settings", json.dumps(values)]
    return [str(part) for part in parts]


def table_and_best(folder) -> tuple[pd.DataFrame, dict]:
    """The search's outputs, after checking that best.yaml holds the best row of the table."""
    trials = pd.read_csv(folder / "trials.csv", float_precision="round_trip")
    best = yaml.safe_load((folder / "best.yaml").read_text())
    row = trials.loc[trials["score"].where(trials["status"] != "failed").idxmax()]
    assert (best["score"], best["trial"]) == (row["score"], row["trial"])
    for key in (column for column in trials if "." in column):
        block, name = key.split(".")
        assert best[block][name] == row[key]
    return trials, best


def ended_trials(printed: str) -> set[str]:
    """Values of the trials that a search said to have ended."""
    return set(re.findall(r"trials ended: .*(\(model.*\))", printed))


def test_papers_space_is_valid():
    assert not space_faults(paper_space(), BLOCKS)
    check_config({"tune": {"stages": ["pretrain", "scratch", "finetuned"]}}, base=ROOT)


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({"space": {"model.dmi": {"choice": [8]}}}, "space.model.dmi: cannot be searched; did you mean model.dim?"),
        ({"space": {"training.trials_at_once": {"choice": [8]}}}, "space.training.trials_at_once: cannot be searched"),
        ({"space": {"training.epochs": {"choice": [8]}}}, "space.training.epochs: cannot be searched"),
        ({"space": {"model.dim": {"choice": [128, 100]}}}, "space.model: value {'dim': 100} cannot be used: dim (100)"),
        ({"space": {"model.layers": {"uniform": [1, 3.5]}}}, "space.model.layers: value 1.0 cannot be used"),
        ({"space": {"training.lr": {"choice": ["1e-4"]}}}, "space.training.lr: value '1e-4' cannot be used"),
        ({"space": {"training.lr": {"loguniform": ["1e-4", 1.0]}}}, "space.training.lr.loguniform.0: '1e-4' is text"),
        ({"space": {"training.lr": {"loguniform": [0.0, 1.0]}}}, "space.training.lr: loguniform needs values above 0"),
        ({"space": {"training.lr": {"uniform": [0.2, 0.1]}}}, "space.training.lr: the lowest value (0.2) must"),
        ({"space": {"training.lr": {}}}, "space.training.lr: give exactly one of choice, uniform and loguniform"),
        ({"space": {"training.lr": {"choices": [1.0]}}}, "space.training.lr.choices: unknown key"),
        ({"stages": [], "finetune_space": {"model.dim": {"choice": [8]}}}, "finetune_space.model.dim: cannot"),
        ({"stages": ["finetune"]}, "stages.0: must be pretrain, scratch or finetuned, not 'finetune'"),
    ],
)  # fmt: skip
def test_fault_of_a_space_is_named(tune, message):
    found = faults(tune={"stages": ["scratch"]} | tune)
    assert any(line.startswith(f"config key tune.{message}") for line in found), found


def test_stages_have_their_own_trials_and_space():
    tune = Config(tune={"n_trials": 7, "finetune_n_trials": 3, "space": SPACE}).tune
    assert (tune.search_for("scratch").n_trials, tune.search_for("finetuned").n_trials) == (7, 3)
    assert tune.search_for("pretrain").space["model.mlp"] == Domain(choice=[8, 16])
    assert not any(key.startswith("model.") for key in tune.search_for("finetuned").space)


@pytest.mark.slow
def test_asha_stops_poor_trials_and_outlives_failed_ones(tmp_path):
    """A width that no head divides fails in training; somebody else's Ray, named in the environment, is left alone."""
    space = SPACE | {"model.dim": {"choice": [16, 18]}}
    environment = os.environ | {"RAY_ADDRESS": "192.0.2.1:6379"}
    subprocess.run(command(tmp_path, tuning("asha", space, n_trials=8)), check=True, env=environment)
    trials, best = table_and_best(tmp_path)
    failed = trials["status"] == "failed"
    assert (trials.loc[failed, "model.dim"] == 18).all() and failed.any()
    assert trials.loc[failed, "reason"].str.contains("must be a multiple").all()
    stopped = trials["status"] == "stopped"
    assert (trials.loc[stopped, "epochs"] < 6).all() and stopped.any()
    assert (trials.loc[~failed & ~stopped, "epochs"] == 6).all()
    assert best["model"]["dim"] == 16
    assert not list(tmp_path.glob("state/neds/*"))


@pytest.mark.slow
def test_killed_search_goes_on_without_repeating_trials(tmp_path):
    """The whole process group is killed (SIGKILL) in the middle, and the search is started again."""
    parts = command(tmp_path, tuning(epochs=10))
    printed = tmp_path / "printed"
    # To a file: a pipe would end only with the last of Ray's processes, which are not all of the group.
    with open(printed, "w") as stderr:
        process = subprocess.Popen(parts, stderr=stderr, start_new_session=True)
    while "2 of 4 trials ended" not in printed.read_text():
        assert process.poll() is None, printed.read_text()
        time.sleep(0.05)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = printed.read_text()
    assert not (tmp_path / "best.yaml").exists()

    done = subprocess.run(parts, capture_output=True, text=True)
    again = done.stderr
    assert done.returncode == 0, again
    assert "resumed" in again and "4 of 4 trials ended" in again
    assert not ended_trials(before) & ended_trials(again)
    assert len(ended_trials(before) | ended_trials(again)) == 4
    trials, _ = table_and_best(tmp_path)
    assert trials["trial"].tolist() == [1, 2, 3, 4]
    assert (trials["status"] == "finished").all() and (trials["epochs"] == 10).all()
    assert not list(tmp_path.glob("state/neds/*"))


class Hostile:
    """Unpickled, it leaves a file."""

    def __init__(self, trace):
        self._trace = trace

    def __reduce__(self):
        return Path.touch, (self._trace,)


@pytest.mark.slow
def test_pickles_in_the_results_are_not_read(tmp_path):
    """Where an earlier version kept its state, under every name that a search could have."""
    parts, state = command(tmp_path, tuning(epochs=1, n_trials=1)), tmp_path / "unfinished" / "search"
    state.mkdir(parents=True)
    (state / "experiment_state-2026.json").write_text("{}")
    for name in ("tuner.pkl", "trainable.pkl"):
        (state / name).write_bytes(pickle.dumps(Hostile(tmp_path / "trace")))
    subprocess.run(parts, check=True, capture_output=True)
    assert (tmp_path / "best.yaml").exists() and not (tmp_path / "trace").exists()


def test_state_lies_where_nobody_else_can_write(tmp_path):
    folder = private_folder("search-1")
    assert folder == tmp_path / "state" / "neds" / "search-1"
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (folder, folder.parent))
    for changed in (folder, folder.parent):
        changed.chmod(0o770)
        with pytest.raises(UserError, match="not a folder that you alone can write"):
            private_folder("search-1")
        changed.chmod(0o700)
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(UserError, match=r"search-1: is not a folder that you alone can write.* XDG_STATE_HOME"):
        private_folder("search-1")


@pytest.mark.slow
def test_ray_listens_on_loopback_and_a_trial_without_gpus_sees_none(tmp_path, monkeypatch):
    """Nor does it write a token that others can read."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")

    # Other tests run beside this one, with servers of their own: only what this process starts from here on is Ray's.
    driver = psutil.Process().pid
    others = {p.pid for p in psutil.Process().children(recursive=True)}

    def trial(values):
        processes = [p for p in psutil.Process(driver).children(recursive=True) if p.pid not in others]
        listening = [c.laddr.ip for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
        found = {"listening": listening, "gpus": os.environ["CUDA_VISIBLE_DEVICES"]}
        (tmp_path / "found.json").write_text(json.dumps(found))
        tune.report({"score": 1.0, "epoch": 1, "validation": 1})

    run_search(
        trial,
        search=TuningRun.model_validate(tuning(n_trials=1)).search,
        n_validations=1,
        resources=Resources(cpus=1),
        state=tmp_path / "search",
        description="search",
    )
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["listening"] and all(ip.removeprefix("::ffff:").startswith("127.") for ip in found["listening"])
    assert found["gpus"] == ""
    assert not (tmp_path / "home" / ".ray").exists()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0" and "RAY_AUTH_TOKEN" not in os.environ


def failed_outcome(number: int) -> Outcome:
    return Outcome(number, {"model.mlp": 8, "training.lr": 0.1}, None, 0, "failed", f"reason {number}")


def test_search_without_any_score_says_why(tmp_path, monkeypatch):
    write_aligned(tmp_path / "mouse1.h5", make_session())
    outputs = {"best": tmp_path / "best.yaml", "trials_csv": tmp_path / "trials.csv"}
    monkeypatch.setattr(stage, "run_search", lambda *_, **__: [failed_outcome(1), failed_outcome(2)])
    with pytest.raises(UserError, match="no trial of 2 succeeded; the first: reason 1"):
        run_tuning(
            settings=TuningRun.model_validate(tuning()),
            aligned=[tmp_path / "mouse1.h5"],
            **outputs,
        )
    assert not any(path.exists() for path in outputs.values()) and not list(tmp_path.glob("state/neds/*"))


def test_trial_that_wants_more_cores_than_there_are_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"cpus_per_trial: a trial wants 4 cores, the search has 2"):
        run_search(
            lambda values: None,
            search=TuningRun.model_validate(tuning()).search,
            n_validations=1,
            resources=Resources(cpus=2, cpus_per_trial=4),
            state=tmp_path,
            description="search",
        )


def test_search_on_an_unusable_session_is_skipped(tmp_path):
    write_aligned(tmp_path / "mouse1.h5", unusable_session("mouse1", "no whisker"))
    run_tuning(
        settings=TuningRun.model_validate(tuning()),
        aligned=[tmp_path / "mouse1.h5"],
        best=tmp_path / "best.yaml",
        trials_csv=tmp_path / "trials.csv",
    )
    run = TrainingRun.model_validate(settings())
    assert with_best(run, tmp_path / "best.yaml") == run
    with pytest.raises(NothingToDraw, match="no session to train on"):
        search_figure(pd.read_csv(tmp_path / "trials.csv"))


def test_training_takes_the_best_values(tmp_path):
    write_aligned(tmp_path / "mouse1.h5", make_session())
    values = {"model": {"mlp": 24}, "masking": {"ratio": 0.3}, "training": {"lr": 0.002}}
    write_best(tmp_path / "tuned.yaml", BestTrial(score=0.1, trial=2, **values))
    parts = [sys.executable, "-m", "workflow_scripts", "train", "--aligned", tmp_path / "mouse1.h5"]
    parts += ["--best", tmp_path / "best.safetensors", "--last", tmp_path / "last.safetensors"]
    parts += ["--log-csv", tmp_path / "log.csv", "--settings", json.dumps(settings(epochs=1))]
    parts = [str(part) for part in [*parts, "--tuned", tmp_path / "tuned.yaml"]]
    subprocess.run(parts, check=True, capture_output=True)
    checkpoint, weights = read_checkpoint(tmp_path / "last.safetensors")
    run = checkpoint.record["run"]
    assert (run["model"]["mlp"], run["masking"]["ratio"], run["training"]["lr"]) == (24, 0.3, 0.002)
    assert weights["encoder.layers.0.up.weight"].shape[0] == 24

    write_best(tmp_path / "tuned.yaml", BestTrial(training={"lr": -1.0}))
    done = subprocess.run(parts, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ") and "training.lr: must be above 0" in done.stderr


def test_figure_has_a_panel_per_key_and_leaves_out_failed_trials():
    rows = [
        {"trial": n, "model.dim": 16 * n, "training.lr": 10.0**-n, "score": n / 10, "epochs": 6, "status": "finished"}
        for n in (1, 2, 3)
    ]
    fig, drawn = search_figure(pd.DataFrame([*rows, rows[0] | {"status": "failed", "score": None}]))
    assert [ax.get_xlabel() for ax in fig.axes] == ["model.dim", "training.lr"]
    assert fig.axes[1].get_xscale() == "log"
    assert drawn["trial"].tolist() == [1, 2, 3]


@pytest.mark.slow
def test_searched_stages_are_planned_before_their_training(tmp_path):
    config = TINY | {"baselines": ["psth"]}
    off = planned(tmp_path, config)
    scratch = planned(tmp_path, config | {"tune": {"stages": ["scratch"]}})
    assert scratch == off | {"tune_scratch": 2, "search_figure": 2}
    every = planned(tmp_path, config | {"tune": {"stages": ["pretrain", "scratch", "finetuned"]}})
    assert every == off | {"tune_pretrain": 1, "tune_scratch": 2, "tune_finetune": 2, "search_figure": 5}
    assert not any(rule.startswith("tune_") for rule in off)
