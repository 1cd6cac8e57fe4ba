"""TensorBoard and Weights & Biases are told of each validation, where asked for, and nothing else changes."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from neds.config import check_config
from neds.errors import UserError
from neds.files.aligned import write_aligned
from neds.plan.plan import Plan
from neds.training.command import train_model
from neds.training.loggers import row_loggers
from neds.training.settings import TrainingRun
from tests.aligned_sessions import make_session
from tests.test_training import settings

ROWS = [{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 2.0, "val_score": 0.5}]


class FakeWandb(SimpleNamespace):
    """Keeps what it is given, as the real one does offline."""

    def __init__(self):
        super().__init__(started=[], rows=[])

    def init(self, **options):
        self.started.append(options)
        return SimpleNamespace(log=lambda row, step: self.rows.append((step, row)))


@pytest.fixture
def wandb(monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb())
    return sys.modules["wandb"]


def test_weights_and_biases_sends_nothing_unless_the_environment_says_so(wandb, tmp_path, monkeypatch):
    log = row_loggers(["wandb"], tmp_path, description="pretraining", settings={"seed": 3})
    log(ROWS[:1])
    log(ROWS)
    assert wandb.rows == [(1, {"loss": 3.0}), (2, {"loss": 2.0, "val_score": 0.5})]
    assert wandb.started[0]["mode"] == "offline" and wandb.started[0]["dir"] == str(tmp_path / "wandb")
    assert (wandb.started[0]["name"], wandb.started[0]["config"]) == ("pretraining", {"seed": 3})
    monkeypatch.setenv("WANDB_MODE", "online")
    row_loggers(["wandb"], tmp_path, description="", settings={})
    assert wandb.started[1]["mode"] == "online"


def test_training_tells_tensorboard_of_each_validation(tmp_path):
    session = make_session("mouse1")
    write_aligned(tmp_path / "mouse1.h5", session)
    run = TrainingRun.model_validate(settings(epochs=2, validate_every=1))
    outputs = {name: tmp_path / f"{name}.safetensors" for name in ("best", "last")} | {"log_csv": tmp_path / "log.csv"}
    train_model(aligned=[tmp_path / "mouse1.h5"], settings=run, loggers=["tensorboard"], **outputs)
    (events,) = (tmp_path / "tensorboard").iterdir()
    content = events.read_bytes()
    assert b"val_score" in content and b"loss" in content
    assert len(pd.read_csv(tmp_path / "log.csv")) == 2


def test_loggers_are_off_by_default_and_change_no_result():
    def trainings(config):
        return [step for step in Plan(*check_config(config, base=Path())).steps if step.rule == "pretrain"]

    (silent,), (told,) = trainings({}), trainings({"loggers": ["tensorboard", "wandb"]})
    assert silent.operational["loggers"] == [] and told.operational["loggers"] == ["tensorboard", "wandb"]
    assert silent.values == told.values
    with pytest.raises(UserError, match="loggers"):
        check_config({"loggers": ["mlflow"]}, base=Path())
