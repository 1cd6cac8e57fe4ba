"""Which weights become the model, and how sure of themselves its predictions are."""

import numpy as np
import pytest
import torch

from neds.data.store import TrialStore
from neds.evaluation.predict import predict
from neds.evaluation.tasks import tasks_of
from neds.modalities import PAPER
from neds.model.checkpoint import read_checkpoint
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.training.calibration import LARGEST_FACTOR, calibrate, recalibrated
from neds.training.deviance import unexplained_deviance
from neds.training.loop import _optimizers
from neds.training.settings import TrainingSettings
from neds.training.state import TrainingState
from neds.training.validate import Validation
from tests.aligned_sessions import WITH_STIMULUS, make_session
from tests.test_training import settings, train_to

KINDS = WITH_STIMULUS


def network(session, *, names=tuple(PAPER)) -> tuple[NEDS, TrialStore]:
    store = TrialStore([session], names=list(names), device=torch.device("cpu"))
    mode = preset("mm", store.modalities, MaskingSettings())
    torch.manual_seed(0)
    return NEDS(
        Design(ModelSettings(dim=16, layers=1, heads=2, mlp=16), store.modalities, mode, store.n_bins), store.shapes
    ), store


def kept_epoch(keep: str, deviances: list[np.ndarray], scores: list[float]) -> int:
    """The epoch whose weights a training keeps that was validated once an epoch."""
    model, store = network(make_session(n_trials=12))
    optimizer = torch.optim.AdamW([{"params": list(model.parameters()), "lr": 1e-3, "part": "session"}])
    values = TrainingSettings(keep=keep, epochs=len(scores), validate_every=1)
    state = TrainingState(model, [optimizer], values, steps_per_epoch=1, device=store.device)
    for deviance, score in zip(deviances, scores, strict=True):
        state.progress.epoch += 1
        with torch.no_grad():
            model.mask_vector.fill_(state.progress.epoch)
        state.judge(Validation({"score": score}, np.atleast_2d(deviance)))
    state.settle()
    assert state.best["mask_vector"][0] == state.progress.best_epoch
    return state.progress.best_epoch


def test_last_weights_are_kept_unless_earlier_ones_left_clearly_less_deviance():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.5, 1.0, 40)
    noise = rng.normal(0, 0.1, 40)
    noise -= noise.mean()
    within_error, beyond_error = base + noise + 0.01, base + noise + 0.03
    scores = [0.1, 0.3, 0.2]
    assert kept_epoch("last_unless_worse", [base + 0.2, base, within_error], scores) == 3
    assert kept_epoch("last_unless_worse", [base + 0.2, base, beyond_error], scores) == 2
    assert kept_epoch("best", [base, base + 0.2, base], scores) == 2
    assert kept_epoch("last", [base, base, base + 0.2], scores) == 3


def test_a_validation_without_a_score_is_never_kept():
    base = np.full(10, 0.5)
    for keep in ("best", "last_unless_worse", "last"):
        assert kept_epoch(keep, [base, base], [0.2, np.nan]) == 1


def null_and_perfect(session, target, trials):
    """The prediction of training means alone, and the truth."""
    truth, statistics = session.values[target][trials], session.statistics[target]
    if session.modalities[target].kind == "categorical":
        return np.broadcast_to(statistics["frequency"], (len(trials), len(statistics["frequency"]))), np.eye(
            len(statistics["frequency"])
        )[truth]
    return np.broadcast_to(statistics["mean"], truth[..., None].shape if truth.ndim == 1 else truth.shape).reshape(
        truth.shape
    ), truth


@pytest.mark.parametrize("target", KINDS)
def test_unexplained_deviance_is_1_for_the_null_model_and_0_for_a_perfect_prediction(target):
    session = make_session(names=KINDS)
    trials = session.trials_of("val")
    null, perfect = null_and_perfect(session, target, trials)
    assert unexplained_deviance(session, {target: null}, trials)[target].mean() == pytest.approx(1)
    assert unexplained_deviance(session, {target: perfect}, trials)[target] == pytest.approx(0, abs=1e-5)


def test_no_trial_that_is_predicted_wrongly_with_confidence_outweighs_the_others():
    session = make_session(names=KINDS)
    trials = session.trials_of("val")
    null, perfect = null_and_perfect(session, "choice", trials)
    wrong = perfect.copy()
    wrong[0] = np.roll(perfect[0], 1)
    of_null = 1 - (perfect * null).sum(1) * 2 + (null**2).sum(1)
    left = unexplained_deviance(session, {"choice": wrong}, trials)["choice"]
    assert left[0] == pytest.approx(2 / of_null.mean())
    assert left[1:] == pytest.approx(0)


def test_what_is_unknown_in_a_trial_counts_as_the_other_trials_do():
    session = make_session()
    trials = session.trials_of("val")
    predicted = {name: null_and_perfect(session, name, trials)[0] for name in ("wheel_speed", "choice")}
    session.values["choice"][trials[:2]] = -1
    session.values["wheel_speed"][trials[1], :4] = np.nan
    left = unexplained_deviance(session, predicted, trials)
    assert left["choice"][:2] == pytest.approx(left["choice"][2:].mean())
    assert left["choice"].mean() == pytest.approx(1) and np.isfinite(left["wheel_speed"]).all()
    session.values["choice"][trials] = -1
    assert not unexplained_deviance(session, predicted, trials)["choice"].any(), "known nowhere"


def test_a_target_that_is_lost_is_not_outweighed_by_one_that_can_be_explained_better():
    """Of spikes a tenth of the deviance is explained at best, of the wheel most."""
    rng = np.random.default_rng(0)
    spikes, wheel = rng.normal(0.9, 0.02, 40), rng.normal(0.3, 0.05, 40)
    before, after = np.stack([spikes, wheel]), np.stack([spikes + 0.1, wheel - 0.15])
    assert after.mean() < before.mean()
    assert kept_epoch("last_unless_worse", [before + 0.1, before, after], [0.1, 0.2, 0.3]) == 2


def test_a_target_that_nothing_explains_decides_nothing_by_chance():
    """A little more is left of it in every trial, and clearly less of the wheel."""
    rng = np.random.default_rng(0)
    nothing, wheel = rng.normal(0, 0.5, 40), rng.normal(0.3, 0.05, 40)
    nothing += 1 - nothing.mean()
    assert (
        kept_epoch("last_unless_worse", [np.stack([nothing, wheel]), np.stack([nothing + 0.02, wheel - 0.1])], [0, 0])
        == 2
    )


def predictions(model, store, split="val") -> dict[str, np.ndarray]:
    design = model.design
    tasks = tasks_of(design.modalities, inputs=design.mode.inputs, outputs=design.mode.outputs)
    return {k: v for task in tasks for k, v in predict(model, store, 0, split, task).items()}


@pytest.fixture
def overconfident():
    """A network whose readouts are far from flat and know nothing, on a session with every kind of modality."""
    session = make_session(names=KINDS, n_trials=120)
    model, store = network(session, names=KINDS)
    with torch.no_grad():
        for name, readout in model.stitchers.readouts.items():
            # What is read from the mean of many tokens varies less, and is too sure only with larger weights.
            readout.map.weight.normal_(0, 1.5 if name == "stimulus" else 0.3)
    return model, store, session


def test_calibration_draws_together_what_predicts_nothing_and_keeps_means(overconfident):
    model, store, session = overconfident
    trials = session.trials_of("val")
    before = predictions(model, store)
    (factors,) = calibrate(model, store, [session]).values()
    after = predictions(model, store)
    assert set(factors) == set(KINDS)
    assert factors["spikes"] < 0.5 and factors["wheel_speed"] < 0.5 and all(f >= 0 for f in factors.values())
    for name in KINDS:
        left = [unexplained_deviance(session, {name: each[name]}, trials)[name].mean() for each in (before, after)]
        assert left[1] < left[0], name
    np.testing.assert_allclose(after["spikes"].mean((0, 1)), before["spikes"].mean((0, 1)), rtol=1e-4)
    np.testing.assert_allclose(after["wheel_speed"].mean(0).mean(), before["wheel_speed"].mean(0).mean(), rtol=1e-4)


def test_calibration_multiplies_deviations_by_the_recorded_factor(overconfident):
    model, store, session = overconfident
    before = predictions(model, store, "test")
    (factors,) = calibrate(model, store, [session]).values()
    after = predictions(model, store, "test")
    spread = {name: (np.log(v) if name == "spikes" else v).std() for name, v in before.items()}
    for name in ("spikes", "wheel_speed", "stimulus"):
        deviations = [(np.log(v) if name == "spikes" else v) for v in (before[name], after[name])]
        first, second = (v - v[:1] for v in deviations)
        np.testing.assert_allclose(second, factors[name] * first, atol=1e-4 * spread[name])


def test_a_prediction_that_is_not_sure_enough_is_spread_out_only_so_far(overconfident):
    model, store, session = overconfident
    trials = session.trials_of("val")
    shrunk = predictions(model, store)["wheel_speed"]
    session.values["wheel_speed"][trials] = shrunk.mean(0) + 3 * (shrunk - shrunk.mean(0))
    assert calibrate(model, store, [session])[session.eid]["wheel_speed"] == LARGEST_FACTOR


def test_checkpoints_say_what_was_kept_and_how_it_was_calibrated(tmp_path):
    train_to(tmp_path / "plain", settings(), make_session())
    train_to(tmp_path / "calibrated", settings(calibration=True), make_session())
    plain, calibrated = (read_checkpoint(tmp_path / name / "last.safetensors") for name in ("plain", "calibrated"))
    assert plain[0].record["calibration"] == {}
    factors = calibrated[0].record["calibration"]["mouse1"]
    assert set(factors) == {"spikes", "wheel_speed", "whisker_motion_energy", "choice", "block"}
    weights = [each[1]["stitchers.readouts.wheel_speed.map.weight"] for each in (plain, calibrated)]
    torch.testing.assert_close(weights[1], factors["wheel_speed"] * weights[0], rtol=1e-3, atol=1e-6)
    kept = read_checkpoint(tmp_path / "calibrated" / "best.safetensors")[0].record
    assert 0 < kept["epoch"] <= kept["of_epochs"] == 6


def test_input_noise_is_for_training_alone():
    session = make_session()
    model, store = network(session)
    plain = predictions(model, store)
    model.stitchers.tokens["spikes"].input_noise = 1.0
    for name, values in predictions(model, store).items():
        np.testing.assert_array_equal(values, plain[name])
    model.train()
    batch = next(iter(store.in_order(0, "val", batch_size=4)))
    tokens = [model.stitchers.tokens["spikes"](batch) for _ in range(2)]
    assert not torch.equal(*tokens)


def test_patience_without_a_measure_is_refused():
    with pytest.raises(ValueError, match="patience needs a measure"):
        TrainingSettings(keep="last", patience=2)


def test_weight_decay_is_of_all_matrices_whatever_a_modality_is_called():
    """Those of layers' norms are no matrices."""
    session = make_session(names=("spikes", "wheel_speed"))
    for part in (session.values, session.statistics, session.modalities):
        part["speed_norm"] = part.pop("wheel_speed")
    session.modalities["speed_norm"] = session.modalities["speed_norm"].model_copy(update={"name": "speed_norm"})
    model, _ = network(session, names=("spikes", "speed_norm"))
    values = TrainingSettings(weight_decay=0.1)
    decayed = {
        id(p)
        for optimizer in _optimizers(model, values)
        for group in optimizer.param_groups
        for p in group["params"]
        if group["weight_decay"]
    }
    names = {name for name, parameter in model.named_parameters() if id(parameter) in decayed}
    assert {"stitchers.tokens.speed_norm.maps.0.weight", "stitchers.readouts.speed_norm.map.weight"} <= names
    assert "encoder.norm.weight" not in names and "encoder.layers.0.mlp_norm.weight" not in names


def test_calibration_by_few_trials_leaves_what_is_right_and_mends_what_is_not():
    """Of noisy values around right predictions, chance alone would change the factor in every session."""
    session, rng = make_session(n_trials=60), np.random.default_rng(0)
    trials = session.trials_of("val")
    std = session.statistics["wheel_speed"]["std"]

    def factor(slope: float) -> float:
        predicted = rng.normal(size=(len(trials), session.n_bins, 1))
        noise = rng.normal(size=predicted.shape) + rng.normal(size=(len(trials), 1, 1))
        session.values["wheel_speed"][trials] = std * (slope * predicted + noise)
        found = recalibrated(session, "wheel_speed", std * predicted, trials)
        return float(np.std(found) / np.std(std * predicted))

    right = np.array([factor(1.0) for _ in range(40)])
    assert np.mean(np.isclose(right, 1)) > 0.5
    assert np.mean([factor(0.3) for _ in range(40)]) == pytest.approx(0.3, abs=0.15)
