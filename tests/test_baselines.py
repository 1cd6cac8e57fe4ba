"""What every baseline keeps to, and what chooses among its fits."""

import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model
from sklearn.linear_model import PoissonRegressor

from neds.baselines.fitting import Given
from neds.baselines.glm import PoissonRegression
from neds.baselines.psth import predict_psth
from neds.baselines.rates import ValidationBits, time_average
from neds.baselines.registry import module_of
from neds.baselines.ridge import Ridge, rotated
from neds.baselines.selection import MOST_EXTENSIONS, along_penalties
from neds.baselines.stage import run_baseline
from neds.evaluation.metrics import bits_per_spike, mean_of_known
from neds.evaluation.results import METRIC_COLUMNS, Predicted, read_predictions
from neds.evaluation.score import score
from neds.files.aligned import AlignedSession, write_aligned
from neds.modalities import Modality
from neds.partition.statistics import training_statistics
from tests.aligned_sessions import WITH_STIMULUS, make_session
from tests.test_evaluation import files_in

FITTED = ["psth", "linear", "glm", "rrr"]


def predicted(name: str, session: AlignedSession) -> list[Predicted]:
    found: list[Predicted] = import_module(f"neds.baselines.{module_of(name)}").predict(session, Given())
    return found


def session_of_all_kinds() -> AlignedSession:
    """Each kind in both groups, those of a user's own among them."""
    session, rng = make_session(n_trials=60, names=WITH_STIMULUS), np.random.default_rng(0)
    own = {
        "licks": (Modality(name="licks", kind="counts"), rng.poisson(0.3, (60, 10, 1)).astype(np.uint8)),
        "lfp": (Modality(name="lfp", kind="continuous", group="neural"), rng.normal(size=(60, 10, 1))),
        "state": (
            Modality(name="state", kind="categorical", group="neural", classes=["a", "b"]),
            rng.integers(0, 2, 60),
        ),
        "depth": (Modality(name="depth", kind="scalar", group="neural"), rng.normal(size=60)),
    }
    own["lfp"] = own["lfp"][0], own["lfp"][1].astype(np.float32)
    modalities = session.modalities | {name: modality for name, (modality, _) in own.items()}
    values = session.values | {name: array for name, (_, array) in own.items()}
    statistics = training_statistics(values, modalities, session.split == 0)
    return replace(session, modalities=modalities, values=values, statistics=statistics)


def with_other_test_trials(session: AlignedSession, group: str) -> AlignedSession:
    """All modalities of a group, and every column of the trials, are others in the test trials."""
    test, values = session.trials_of("test"), {name: array.copy() for name, array in session.values.items()}
    for name, modality in session.modalities.items():
        if modality.group == group:
            own = values[name]
            own[test] = 1 - own[test] % 2 if modality.kind == "categorical" else own[test] + 5
    trials = session.trials.assign(condition=np.arange(session.n_trials), choice=0)
    return replace(session, values=values, trials=trials)


@pytest.mark.parametrize("name", FITTED)
def test_baseline_is_given_only_what_its_task_observes(name):
    """Encoding no modality of the neural group, decoding none of behaviour, whatever their kinds."""
    session = session_of_all_kinds()
    first = {item.task.name: item.values for item in predicted(name, session)}
    for task, group in (("encoding", "neural"), ("decoding", "behaviour")):
        again = {item.task.name: item.values for item in predicted(name, with_other_test_trials(session, group))}
        for target, values in first.get(task, {}).items():
            np.testing.assert_array_equal(again[task][target], values, err_msg=f"{task} of {target}")
    assert "spikes" in first["encoding"]


@pytest.mark.parametrize("name", FITTED)
def test_few_trials_of_silent_units_are_predicted(name):
    """A unit that is silent in training, one that is silent in validation, and a session that is nearly silent."""
    session = make_session(n_trials=14, n_units=6)
    spikes = session.values["spikes"]
    spikes[session.trials_of("train"), :, 0] = 0
    spikes[session.trials_of("val"), :, 1] = 0
    for silent in (False, True):
        if silent:
            spikes[:] = 0
            spikes[session.trials_of("train")[0], 0, 2] = 1
        statistics = training_statistics(session.values, session.modalities, session.split == 0)
        for item in predicted(name, replace(session, statistics=statistics)):
            assert all(np.isfinite(values).all() for values in item.values.values())
            if item.task.name == "encoding":
                assert (item.values["spikes"] >= 0).all()


@pytest.mark.parametrize("name", ["linear", "glm", "rrr"])
def test_encoders_of_behaviour_that_says_nothing_are_as_good_as_the_average(name):
    """The noise of averages over few trials costs no bits."""
    session, rng = make_session(n_trials=60, n_units=8, n_bins=40), np.random.default_rng(0)
    for modality in ("wheel_speed", "whisker_motion_energy"):
        session.values[modality][:] = rng.normal(size=session.values[modality].shape)
    session.values["spikes"][:] = rng.poisson(0.2, session.values["spikes"].shape)
    session = replace(session, statistics=training_statistics(session.values, session.modalities, session.split == 0))
    rates = predicted(name, session)[0].values["spikes"]
    bits = score(session, "spikes", rates, session.trials_of("test"))["bits_per_spike_train_null"]
    assert bits > -0.01


def test_poisson_regression_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    columns = np.hstack([np.ones((2000, 1)), rng.normal(size=(2000, 6)) + 1])
    weights = 0.3 * rng.normal(size=(7, 4))
    counts = rng.poisson(np.exp(columns @ weights - 1))
    regression = PoissonRegression(*(own.astype(np.float32) for own in (columns, counts, np.zeros(counts.shape))))
    for penalty in (1000.0, 30.0):
        fitted = regression.fit(penalty)
        for unit in range(4):
            model = PoissonRegressor(alpha=penalty / 2000, max_iter=1000, tol=1e-8).fit(columns[:, 1:], counts[:, unit])
            np.testing.assert_allclose(fitted[1:, unit], model.coef_, atol=5e-3)
            assert fitted[0, unit] == pytest.approx(model.intercept_, abs=1e-2)


def test_poisson_regression_adds_to_its_offsets():
    """Offsets that are the true log rates leave nothing to the weights."""
    rng = np.random.default_rng(0)
    columns = np.hstack([np.ones((5000, 1)), rng.normal(size=(5000, 3))]).astype(np.float32)
    offsets = np.log(rng.uniform(0.2, 2, (5000, 2))).astype(np.float32)
    counts = rng.poisson(np.exp(offsets)).astype(np.float32)
    np.testing.assert_allclose(PoissonRegression(columns, counts, offsets).fit(10.0), 0, atol=0.06)


def test_bits_in_validation_are_those_of_the_metric():
    rng = np.random.default_rng(0)
    counts, trained = rng.poisson(0.3, (6, 5, 4)), np.array([True, True, False, True])
    counts[..., 1] = 0
    rates = rng.uniform(0.1, 1, counts.shape).astype(np.float32)
    expected = mean_of_known(bits_per_spike(rates, counts)[trained])
    assert ValidationBits(counts, trained)(rates) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(ValidationBits(np.zeros_like(counts), trained)(rates))


def test_average_over_time_lies_between_the_mean_of_each_bin_and_of_each_unit():
    mean = np.random.default_rng(0).uniform(size=(20, 3))
    np.testing.assert_allclose(time_average(mean, smoothing_bins=0, share=1), mean)
    np.testing.assert_allclose(time_average(mean, smoothing_bins=2, share=0), np.tile(mean.mean(0), (20, 1)))
    assert (time_average(mean, smoothing_bins=2, share=1).std(0) < 0.7 * mean.std(0)).all()


@pytest.mark.parametrize(
    ("best", "chosen"), [(10.0, 10.0), (1.0, 1.0), (1e4, 1e4), (1e-3, 1e-3), (1e9, 1e5), (1e-9, 1e-3), (None, 100.0)]
)
def test_grid_of_penalties_is_extended_where_its_end_is_chosen(best, chosen):
    """By three steps at most; without a preference the strongest penalty stays."""
    tried = []

    def validation(penalty: float) -> float:
        tried.append(penalty)
        return 0.0 if best is None else -abs(np.log10(penalty / best))

    grid = (100.0, 10.0, 1.0)
    found = along_penalties(make_session(), "spikes", grid, lambda penalty: [penalty], validation)
    assert found == pytest.approx(chosen)
    assert len(tried) <= len(grid) + MOST_EXTENSIONS


def test_job_loads_no_library_that_its_baseline_does_not_use():
    code = """
import sys
from importlib import import_module
for name in ("stage", "psth", "oracle", "glm", "rrr", "rrr_multi"):
    import_module(f"neds.baselines.{name}")
    assert not {"torch", "sklearn"} & sys.modules.keys(), name
import_module("neds.baselines.linear")
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["psth", "linear"])
def test_baselines_find_structure_and_write_the_common_form(name, tmp_path):
    session = make_session(n_trials=300, n_units=12)
    write_aligned(tmp_path / "s.h5", session)
    files = files_in(tmp_path)
    run_baseline(name=name, aligned=tmp_path / "s.h5", **vars(files))
    table = pd.read_csv(files.metrics, keep_default_na=False)
    assert list(table.columns) == METRIC_COLUMNS and set(table["model"]) == {name}
    value = table.set_index(["target", "metric"])["value"].astype(float)
    assert value["spikes", "bits_per_spike"] > 0
    if name == "linear":
        assert value["wheel_speed", "r2"] > 0.5
        assert value["choice", "balanced_accuracy"] > 0.7
    else:
        assert value["wheel_speed", "r2_residual"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("n_inputs", [10, 60])
@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_ridge_agrees_with_scikit_learn_fitted_to_what_is_known_of_each_output(unknown, n_inputs):
    """With fewer and more inputs than trials."""
    train, rng = np.arange(28), np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(40, n_inputs)), rng.normal(size=(40, 5))
    outputs[rng.random(outputs.shape) < unknown] = np.nan
    fitted = Ridge(rotated(inputs, train), outputs[train], train)
    for penalty in (1e-4, 1.0, 1e4):
        predicted = fitted.predict(penalty, np.arange(40))
        for column in range(5):
            known = train[np.isfinite(outputs[train, column])]
            ridge = linear_model.Ridge(alpha=penalty).fit(inputs[known], outputs[known, column])
            np.testing.assert_allclose(predicted[:, column], ridge.predict(inputs), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n_inputs", [10, 60])
def test_logistic_regression_is_the_same_on_rotated_inputs(n_inputs):
    rng, train = np.random.default_rng(0), np.arange(28)
    inputs, labels = rng.normal(size=(40, n_inputs)), rng.integers(0, 3, 40)
    probabilities = []
    for columns in (inputs, rotated(inputs, train).coordinates):
        model = linear_model.LogisticRegression(C=0.1, max_iter=1000, tol=1e-8).fit(columns[train], labels[train])
        probabilities.append(model.predict_proba(columns))
    np.testing.assert_allclose(*probabilities, atol=1e-4)


@pytest.mark.parametrize("name", ["psth", "linear"])
def test_baselines_do_not_see_test_trials(name, tmp_path):
    """Changing the test trials' targets changes no prediction (but the inputs' own)."""
    session, other = make_session(n_trials=80), make_session(n_trials=80)
    other.values["whisker_motion_energy"][other.trials_of("test")] += 50
    decoded = []
    for version in (session, other):
        write_aligned(tmp_path / "s.h5", version)
        run_baseline(name=name, aligned=tmp_path / "s.h5", **vars(files_in(tmp_path)))
        decoded.append(read_predictions(tmp_path / "predictions.h5")[1]["decoding", "whisker_motion_energy"])
    np.testing.assert_array_equal(*decoded)


@pytest.mark.parametrize("name", ["psth", "linear", "rrr"])
@pytest.mark.parametrize("unknown", ["last bins", "a bin of every trial", "a class of training"])
def test_baselines_train_on_what_is_known(name, unknown, tmp_path):
    """No trial is known in full, or no training trial has a known class: every bin that is scored is predicted."""
    session = make_session(n_trials=200, n_units=12)
    wheel, rng = session.values["wheel_speed"], np.random.default_rng(0)
    if unknown == "last bins":
        wheel[:, -3:] = np.nan
    elif unknown == "a bin of every trial":
        wheel[np.arange(200), rng.integers(0, 10, 200)] = np.nan
    else:
        session.values["block"][session.trials_of("train")] = -1
    statistics = training_statistics(session.values, session.modalities, session.split == 0)
    write_aligned(tmp_path / "s.h5", replace(session, statistics=statistics))
    run_baseline(name=name, aligned=tmp_path / "s.h5", **vars(files_in(tmp_path)))
    for predicted in read_predictions(tmp_path / "predictions.h5")[1].values():
        assert np.isfinite(predicted).all()
    value = pd.read_csv(tmp_path / "metrics.csv").set_index(["target", "metric"])["value"]
    if name != "psth":
        assert value["wheel_speed", "r2"] > 0.4
        assert value["choice", "balanced_accuracy"] > 0.7


def test_trial_average_is_told_only_what_its_task_observes(tmp_path):
    """Reward, which no model observes, helps it nothing; in decoding it is the same for all trials."""
    session = make_session(n_trials=200, n_units=12)
    encoding, decoding = predict_psth(session)
    assert (encoding.task.inputs, decoding.task.inputs) == ("condition", "time")
    other = replace(session, trials=session.trials.assign(condition=np.arange(200)))
    np.testing.assert_array_equal(predict_psth(other)[0].values["spikes"], encoding.values["spikes"])
    groups = (
        session.values["choice"][session.trials_of("test")] * 3 + session.values["block"][session.trials_of("test")]
    )
    for group in np.unique(groups):
        assert np.ptp(encoding.values["spikes"][groups == group], axis=0).max() == 0
    assert np.ptp(encoding.values["spikes"], axis=0).max() > 0
    assert np.ptp(decoding.values["wheel_speed"], axis=0).max() == 0
