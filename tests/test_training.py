"""Training learns, is a function of its seed, and survives being killed."""

import json
import re
import signal
import subprocess
import sys
import time
from itertools import count

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from neds.data.store import TrialStore
from neds.data.subset import with_training_trials
from neds.errors import Interrupted, UserError
from neds.evaluation.predict import predict
from neds.files.aligned import write_aligned
from neds.model.checkpoint import load_network, read_checkpoint
from neds.provenance import read_stamp
from neds.training.distributed import alone
from neds.training.resume import Progress, load_state, save_state
from neds.training.settings import MemorySettings, TrainingRun
from neds.training.stage import run_training
from neds.words import in_short
from tests.aligned_sessions import make_session, unusable_session

TINY = {"dim": 16, "layers": 1, "heads": 2, "mlp": 16}
TIMES = ["seconds", "trials_per_second"]
NAMES = ["spikes", "wheel_speed", "whisker_motion_energy", "choice", "block"]


NO_DROPOUT = {"token_dropout": 0.0, "mlp_dropout": 0.0, "unit_dropout": 0.0}


def settings(*, mode="mm", seed=0, model=(), **training) -> dict:
    defaults = {"epochs": 6, "batch_size": 8, "lr": 3e-3, "validate_every": 2}
    return {
        "mode": mode,
        "modalities": NAMES,
        "model": TINY | dict(model),
        "training": defaults | training,
        "seed": seed,
    }


def train_to(folder, values: dict, *sessions, **how):
    """Train in a folder.

    Args:
        how: further arguments of `run_training`.
    """
    folder.mkdir(exist_ok=True)
    paths = []
    for session in sessions:
        paths.append(folder / f"{session.eid}.h5")
        write_aligned(paths[-1], session)
    run_training(
        run=TrainingRun.model_validate(values),
        aligned=paths,
        best=folder / "best.safetensors",
        last=folder / "last.safetensors",
        log_csv=folder / "log.csv",
        **how,
    )
    return folder


def last_weights(folder) -> dict[str, torch.Tensor]:
    return read_checkpoint(folder / "last.safetensors")[1]


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def after(n_steps: int):
    """A `should_stop` that says so after that many steps."""
    steps = count(1)
    return lambda: next(steps) >= n_steps


def assert_same_run(first, second) -> None:
    """Same weights, best and last, and the same log but for times, bit for bit."""
    for name in ("best.safetensors", "last.safetensors"):
        assert_same(*(read_checkpoint(folder / name)[1] for folder in (first, second)))
    logs = [pd.read_csv(folder / "log.csv").drop(columns=TIMES) for folder in (first, second)]
    pd.testing.assert_frame_equal(*logs, check_exact=True)


def test_model_learns_to_encode_and_decode(tmp_path):
    """On a session whose latent drives everything, validation beats the null model for every output."""
    session = make_session(n_trials=120, n_units=12)
    train_to(
        tmp_path, settings(epochs=60, validate_every=10, model={"token_dropout": 0.0, "mlp_dropout": 0.0}), session
    )
    log = pd.read_csv(tmp_path / "log.csv")
    assert log["val_spikes_bits_per_spike"].max() > 0.05
    assert log["val_wheel_speed_r2"].max() > 0.4
    assert log["val_choice_balanced_accuracy"].max() > 0.7
    assert log["loss"].iloc[-1] < log["loss"].iloc[0]


def test_one_batch_can_be_learned_by_heart(tmp_path):
    """Enough capacity and no regularisation drive the training loss of few trials far down."""
    session = make_session(n_trials=12)
    values = settings(
        mode="decoding",
        epochs=150,
        validate_every=50,
        lr=1e-2,
        weight_decay=0.0,
        model=NO_DROPOUT | {"dim": 32},
    )
    train_to(tmp_path, values, session)
    log = pd.read_csv(tmp_path / "log.csv")
    assert log["loss_wheel_speed"].iloc[-1] < 0.1
    assert log["loss_choice"].iloc[-1] < 0.05


def test_same_seed_same_weights_and_other_seed_others(tmp_path):
    sessions = make_session(), make_session("mouse2", n_units=4)
    first = last_weights(train_to(tmp_path / "a", settings(), *sessions))
    assert_same(first, last_weights(train_to(tmp_path / "b", settings(), *sessions)))
    other = last_weights(train_to(tmp_path / "c", settings(seed=1), *sessions))
    assert not torch.equal(first["position"], other["position"])


def test_killed_run_ends_with_the_weights_of_an_undisturbed_one(tmp_path):
    """The process is killed for real (SIGKILL) once it has saved a state, and started again."""
    values = settings(epochs=40, validate_every=1)
    train_to(tmp_path / "calm", values, make_session())
    folder = tmp_path / "killed"
    folder.mkdir()
    write_aligned(folder / "mouse1.h5", make_session())
    command = [sys.executable, "-m", "workflow_scripts", "train", "--aligned", folder / "mouse1.h5"]
    command += ["--best", folder / "best.safetensors", "--last", folder / "last.safetensors"]
    command += ["--log-csv", folder / "log.csv", "--settings", json.dumps(values), "--state-seconds", 0]
    state = folder / "unfinished.safetensors"
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.DEVNULL)
    while not state.exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert state.exists() and not (folder / "last.safetensors").exists()

    again = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    assert "resumed after epoch" in again.stderr
    assert not state.exists()
    assert_same_run(tmp_path / "calm", folder)


@pytest.mark.parametrize("changes", [{}, {"cycled_beta1": True, "loss_scaling": "unit_range"}])
def test_run_that_is_stopped_after_any_step_ends_like_one_that_is_not(changes, tmp_path):
    """Six batches an epoch: in the middle of an epoch, at its end, before and after a validation, and twice."""
    values, session = settings(epochs=4, **changes), make_session()
    calm = train_to(tmp_path / "calm", values, session)
    for steps in ([3], [6], [12], [13], [1, 22]):
        folder = tmp_path / "-".join(map(str, steps))
        for n_steps in steps:
            with pytest.raises(Interrupted, match="its state is saved"):
                train_to(folder, values, session, should_stop=after(n_steps))
            assert (folder / "unfinished.safetensors").exists() and not (folder / "last.safetensors").exists()
        assert_same_run(calm, train_to(folder, values, session))
        assert not (folder / "unfinished.safetensors").exists()


def test_precision_is_chosen_once_and_on_record(tmp_path, monkeypatch):
    """A run that goes on keeps its precision, even where another one would be chosen there."""
    measured = iter([("bf16", "faster"), ("bf16", "faster"), ("fp32", "slower")])
    monkeypatch.setattr("neds.training.loop.faster_precision", lambda *given, **size: next(measured))
    calm = train_to(tmp_path / "calm", settings(), make_session())
    with pytest.raises(Interrupted):
        train_to(tmp_path / "stopped", settings(), make_session(), should_stop=after(7))
    assert_same_run(calm, train_to(tmp_path / "stopped", settings(), make_session()))
    assert read_checkpoint(tmp_path / "stopped" / "best.safetensors")[0].record["precision"] == "bf16"
    other = train_to(tmp_path / "other", settings(), make_session())
    assert read_checkpoint(other / "best.safetensors")[0].record["precision"] == "fp32"
    assert not torch.equal(last_weights(other)["position"], last_weights(calm)["position"])


def test_state_of_another_run_is_not_resumed(tmp_path):
    (tmp_path / "garbage").write_bytes(b"not a state")
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    parts = {"model": model, "optimizers": [optimizer], "schedulers": [scheduler]}
    assert load_state(tmp_path / "absent", fingerprint="a", processes=alone(), **parts) is None
    assert load_state(tmp_path / "garbage", fingerprint="a", processes=alone(), **parts) is None

    train_to(tmp_path / "a", settings(), make_session())
    undisturbed = last_weights(tmp_path / "a")
    other_state = tmp_path / "a" / "unfinished.safetensors"
    save_state(other_state, fingerprint="of another run", progress=Progress(epoch=5), best={}, **parts)
    assert_same(undisturbed, last_weights(train_to(tmp_path / "a", settings(), make_session())))


@pytest.mark.parametrize("same_torch", [False, True])
def test_state_of_another_torch_goes_on_with_a_warning_or_not_at_all(same_torch, tmp_path, monkeypatch, caplog):
    values, session = settings(epochs=4), make_session()
    with monkeypatch.context() as patched:
        patched.setattr(torch, "__version__", "1.13.1")
        with pytest.raises(Interrupted):
            train_to(tmp_path / "a", values, session, should_stop=after(12))
    caplog.set_level("INFO")
    train_to(tmp_path / "a", values, session, same_torch=same_torch)
    said = [record.getMessage() for record in caplog.records]
    assert any("began with torch 1.13.1" in line for line in said)
    assert any("resumed after epoch" in line for line in said) != same_torch


def test_resumed_run_holds_as_many_trials_at_once_as_it_began_with(tmp_path, caplog):
    """Dropout draws other values with another number, and on another GPU another number may fit."""
    caplog.set_level("INFO")
    values, session = settings(epochs=4), make_session()
    in_parts = MemorySettings(trials_at_once=3)
    calm = train_to(tmp_path / "calm", values, session, memory=in_parts)
    with pytest.raises(Interrupted):
        train_to(tmp_path / "stopped", values, session, memory=in_parts, should_stop=after(12))
    assert_same_run(calm, train_to(tmp_path / "stopped", values, session))
    assert "goes through the 8 trials of a batch with 3 at once" in caplog.text


def test_best_checkpoint_is_the_one_of_the_best_validation(tmp_path):
    train_to(tmp_path, settings(epochs=20, lr=2e-2, keep="best"), make_session())
    log = pd.read_csv(tmp_path / "log.csv")
    record = read_checkpoint(tmp_path / "best.safetensors")[0].record
    assert record["epoch"] == log.loc[log["val_score"].idxmax(), "epoch"]
    assert record["validation_score"] == pytest.approx(log["val_score"].max())


def test_patience_stops_early(tmp_path):
    values = settings(epochs=200, lr=5e-2, patience=2, validate_every=1, keep="best")
    train_to(tmp_path, values, make_session(n_trials=20))
    log = pd.read_csv(tmp_path / "log.csv")
    assert len(log) < 200
    assert log["val_score"].idxmax() == len(log) - 3


def test_unusable_sessions_are_left_out_and_said(tmp_path):
    sessions = make_session(), unusable_session("mouse2", "no whisker")
    train_to(tmp_path / "some", settings(epochs=1), *sessions)
    assert [s.eid for s in read_checkpoint(tmp_path / "some" / "best.safetensors")[0].sessions] == ["mouse1"]

    train_to(tmp_path / "none", settings(), sessions[1])
    assert "no usable session" in read_checkpoint(tmp_path / "none" / "best.safetensors")[0].skipped
    with pytest.raises(UserError, match="training was skipped"):
        load_network(tmp_path / "none" / "best.safetensors")


def test_sessions_with_different_bins_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"mouse2 has 8 bins .* need the same bins"):
        train_to(tmp_path, settings(), make_session(), make_session("mouse2", n_bins=8))


def training_together(folder, values: dict, number: int, *sessions) -> list[str]:
    """Command that trains in `number` processes, over gloo, with 20 trials at once in each."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{session.eid}.h5" for session in sessions]
    for path, session in zip(paths, sessions, strict=True):
        write_aligned(path, session)
    command = [sys.executable, "-m", "workflow_scripts", "train-together", "--processes", number]
    command += ["--aligned", *paths, "--settings", json.dumps(values)]
    command += ["--best", folder / "best.safetensors", "--last", folder / "last.safetensors"]
    command += ["--log-csv", folder / "log.csv", "--state-seconds", 0, "--memory", '{"trials_at_once": 20}']
    return [str(part) for part in command]


@pytest.fixture(scope="module")
def unequal_sessions() -> tuple[dict, list]:
    """Settings with a last batch of one trial, and the sessions."""
    sessions = [make_session(n_trials=60), make_session("mouse2", n_units=4, n_trials=33)]
    n_train = sum(len(session.trials_of("train")) for session in sessions)
    return settings(epochs=30, batch_size=n_train - 1, model=NO_DROPOUT), sessions


@pytest.fixture(scope="module")
def trained_by_two(unequal_sessions, tmp_path_factory):
    values, sessions = unequal_sessions
    folder = tmp_path_factory.mktemp("two")
    subprocess.run(training_together(folder, values, 2, *sessions), check=True, capture_output=True)
    return folder


def test_two_processes_train_as_one_does(unequal_sessions, trained_by_two, tmp_path):
    """Same loss curve and weights up to rounding: unequal sessions, batches in parts that the one process does not make, and
    a last batch of one trial for two processes.
    """
    values, sessions = unequal_sessions
    one = train_to(tmp_path, values, *sessions)
    logs = [pd.read_csv(folder / "log.csv").drop(columns=TIMES) for folder in (one, trained_by_two)]
    pd.testing.assert_frame_equal(*logs, rtol=1e-3, atol=1e-4)
    assert read_stamp(trained_by_two / "best.safetensors").output == "best"
    assert not list(trained_by_two.glob(".*")), "processes other than the first leave nothing"
    weights = last_weights(one), last_weights(trained_by_two)
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-4) for name in weights[0])


@pytest.mark.slow
def test_all_processes_leave_when_one_is_asked_to(unequal_sessions, trained_by_two, tmp_path):
    """SIGTERM to the second process: the first saves the state, none waits, and the run started again ends as if calm."""
    values, sessions = unequal_sessions
    command = training_together(tmp_path, values, 2, *sessions)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    state = tmp_path / "unfinished.safetensors"
    while not state.exists() and process.poll() is None:
        time.sleep(0.005)
    workers = {int(worker.environ()["RANK"]): worker for worker in psutil.Process(process.pid).children()}
    workers[1].terminate()
    printed = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert len(re.findall("its state is saved", printed)) == 1, printed
    assert state.exists() and not (tmp_path / "last.safetensors").exists()
    subprocess.run(command, check=True, capture_output=True)
    assert_same_run(trained_by_two, tmp_path)


def test_fewer_training_trials_are_nested_and_change_no_other_split():
    session = make_session(n_trials=60)
    few, more = with_training_trials(session, 10), with_training_trials(session, 20)
    assert len(few.trials_of("train")) == 10
    assert set(few.trials_of("train")) < set(more.trials_of("train")) < set(session.trials_of("train"))
    np.testing.assert_array_equal(few.trials_of("test"), session.trials_of("test"))
    np.testing.assert_allclose(
        few.statistics["spikes"]["mean"], session.values["spikes"][few.trials_of("train")].mean((0, 1))
    )


def test_balanced_sampling_draws_sessions_equally():
    sessions = [make_session(n_trials=60), make_session("mouse2", n_trials=20)]
    store = TrialStore(sessions, names=NAMES, device=torch.device("cpu"))
    for balanced, expected in ((False, [42, 14]), (True, [28, 28])):
        batches = list(store.shuffled("train", batch_size=10, balanced=balanced, rng=np.random.default_rng(0)))
        assert len(batches) == store.n_batches("train", batch_size=10, balanced=balanced)
        drawn = np.concatenate([sessions for sessions, _ in batches])
        assert np.bincount(drawn).tolist() == expected


@pytest.mark.parametrize("stitcher", ["linear", "mlp"])
def test_training_runs_in_bfloat16_with_every_regularisation_on(stitcher, tmp_path):
    dropouts = {"attention_dropout": 0.1, "unit_dropout": 0.5, "stitcher": stitcher}
    values = settings(epochs=30, precision="bf16", model=dropouts)
    train_to(tmp_path, values, make_session(), make_session("mouse2", n_units=4))
    log = pd.read_csv(tmp_path / "log.csv")
    assert np.isfinite(log.to_numpy()).all()
    assert log["loss"].iloc[-1] < log["loss"].iloc[0]


@pytest.mark.parametrize("validate_every", [1, 100])
def test_training_that_diverges_fails_and_says_what_to_change(validate_every, tmp_path):
    values = settings(epochs=3, lr=1e12, gradient_clip=1e6, validate_every=validate_every)
    with pytest.raises(UserError, match=r"after epoch 1: training diverged.* lower training\.lr \(now 1000000000000"):
        train_to(tmp_path, values, make_session())
    assert not {"best.safetensors", "last.safetensors"} & {path.name for path in tmp_path.iterdir()}


def test_predictions_that_are_never_finite_are_no_result(tmp_path, monkeypatch):
    def rates_beyond_floats(*given):
        return {name: np.full_like(v, np.inf) for name, v in predict(*given).items()}

    monkeypatch.setattr("neds.training.validate.predict", rates_beyond_floats)
    with pytest.raises(
        UserError, match="predictions are not finite in any validation up to epoch 4: training diverged"
    ):
        train_to(tmp_path, settings(epochs=4), make_session())
    assert not (tmp_path / "best.safetensors").exists()


def test_last_weights_are_kept_where_validation_can_score_nothing(tmp_path, caplog):
    """A single class and a trace that does not move in the validation trials."""
    session = make_session(names=("spikes", "wheel_speed", "choice"))
    val = session.trials_of("val")
    session.values["wheel_speed"][val], session.values["choice"][val] = 5.0, 1
    values = settings(mode="decoding", patience=1) | {"modalities": ["spikes", "wheel_speed", "choice"]}
    train_to(tmp_path, values, session)
    assert "nothing in the validation trials can be scored, so the last weights are the best" in caplog.text
    (best, weights), (last, last_weights) = (read_checkpoint(tmp_path / f"{n}.safetensors") for n in ("best", "last"))
    assert_same(weights, last_weights)
    assert (best.record["epoch"], best.record["validation_score"]) == (6, None) and last.record["epoch"] == 6


def test_log_has_the_learning_rates_of_both_parts_of_the_network(tmp_path):
    train_to(tmp_path, settings(epochs=4, shared_lr=0.1, validate_every=1), make_session())
    log = pd.read_csv(tmp_path / "log.csv")
    np.testing.assert_allclose(log["lr_shared"], 0.1 * log["lr"], rtol=1e-6)
    assert log["lr"].max() > 2e-3
    pretrained = tmp_path / "best.safetensors"
    train_to(tmp_path / "tuned", settings(epochs=2, freeze="shared"), make_session(), pretrained=pretrained)
    assert pd.read_csv(tmp_path / "tuned" / "log.csv")["lr_shared"].eq(0).all()


def test_log_tells_the_size_of_small_networks(tmp_path, caplog):
    caplog.set_level("INFO")
    folder = train_to(tmp_path, settings(epochs=1), make_session())
    sizes = read_checkpoint(folder / "best.safetensors")[0].record["parameters"]
    assert 0 < sizes["shared"] < 10_000 and 0 < sizes["stitchers"] < 10_000
    assert f"{in_short(sizes['shared'])} shared and {in_short(sizes['stitchers'])} stitcher parameters" in caplog.text
