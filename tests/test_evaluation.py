"""Scores mean what their definitions say, and every model's results take the same form."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson
from sklearn.linear_model import Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score

from neds.baselines.linear import _ridge_path
from neds.baselines.stage import run_baseline
from neds.errors import UserError
from neds.evaluation import metrics
from neds.evaluation.results import METRIC_COLUMNS, EvaluationFiles, read_predictions
from neds.evaluation.stage import evaluate
from neds.evaluation.tables import metrics_table
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import write_aligned
from neds.modalities import PAPER
from tests.aligned_sessions import make_session, unusable_session
from tests.test_training import settings, train_to


def files_in(folder) -> EvaluationFiles:
    return EvaluationFiles(folder / "metrics.csv", folder / "units.parquet", folder / "predictions.h5")


def test_bits_per_spike_equals_the_poisson_likelihood_ratio():
    rng = np.random.default_rng(0)
    rates, counts = rng.uniform(0.1, 2, (20, 5, 3)), rng.poisson(0.8, (20, 5, 3))
    expected = []
    for n in range(3):
        gain = poisson.logpmf(counts[..., n], rates[..., n]).sum()
        gain -= poisson.logpmf(counts[..., n], counts[..., n].mean()).sum()
        expected.append(gain / counts[..., n].sum() / np.log(2))
    np.testing.assert_allclose(metrics.bits_per_spike(rates, counts), expected)


def test_bits_per_spike_of_the_mean_is_zero_and_of_a_silent_unit_unknown():
    counts = np.random.default_rng(0).poisson(0.5, (10, 4, 2))
    counts[..., 1] = 0
    score = metrics.bits_per_spike(np.broadcast_to(counts.mean((0, 1)), counts.shape), counts)
    assert score[0] == pytest.approx(0)
    assert np.isnan(score[1])


def test_r2_and_balanced_accuracy_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(10, 4))
    guess = truth + rng.normal(size=(10, 4))
    assert metrics.r2(truth, guess) == pytest.approx(r2_score(truth.ravel(), guess.ravel()))
    labels, guessed = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    assert metrics.balanced_accuracy(labels, guessed) == pytest.approx(balanced_accuracy_score(labels, guessed))


def test_expected_accuracy_is_the_balanced_accuracy_of_guesses_drawn_from_the_probabilities():
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 40, p=[0.6, 0.3, 0.1])
    probabilities = rng.dirichlet([1.0, 1.0, 1.0], 40)
    guesses = [[rng.choice(3, p=row) for row in probabilities] for _ in range(500)]
    drawn = [metrics.balanced_accuracy(truth, np.array(guess)) for guess in guesses]
    assert metrics.expected_accuracy(truth, probabilities) == pytest.approx(np.mean(drawn), abs=0.02)


def test_unknown_values_are_left_out_of_r2():
    truth, guess = np.array([1.0, 2.0, np.nan, 4.0]), np.array([1.0, 2.5, 100.0, 4.0])
    assert metrics.r2(truth, guess) == pytest.approx(r2_score([1, 2, 4], [1, 2.5, 4]))


def test_residual_r2_sees_single_trials_and_psth_r2_sees_conditions():
    rng = np.random.default_rng(0)
    condition = np.repeat([0, 1], 20)
    averages = rng.normal(size=(2, 6))[condition]
    deviations = rng.normal(size=(40, 6))
    truth = averages + deviations
    only_condition = metrics.condition_averages(truth, condition)[condition]
    assert metrics.r2_psth(truth, only_condition, condition) == pytest.approx(1)
    assert metrics.r2_residual(truth, only_condition, condition) == pytest.approx(0)
    assert metrics.r2_residual(truth, deviations, condition) == pytest.approx(1)
    assert metrics.r2_residual(truth, truth + averages * 5, condition) == pytest.approx(1)


def test_a_condition_with_one_trial_has_no_average():
    values, condition = np.arange(12.0).reshape(3, 4), np.array([0, 0, 1])
    assert metrics.condition_averages(values, condition).shape == (1, 4)
    assert np.isnan(metrics.r2_residual(values, values, np.array([0, 1, 2])))


def test_tasks_follow_from_inputs_and_outputs():
    every = tuple(PAPER)
    both = tasks_of(PAPER, inputs=every, outputs=every, each_input_alone=True)
    assert [(t.name, t.inputs) for t in both] == [
        ("encoding", "wheel_speed+whisker_motion_energy+choice+block"),
        ("encoding", "wheel_speed"),
        ("encoding", "whisker_motion_energy"),
        ("encoding", "choice"),
        ("encoding", "block"),
        ("decoding", "spikes"),
    ]
    decoder = tasks_of(PAPER, inputs=("spikes",), outputs=("wheel_speed", "choice"))
    assert [(t.name, t.targets) for t in decoder] == [("decoding", ("wheel_speed", "choice"))]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_to(tmp_path_factory.mktemp("trained"), settings(epochs=4), make_session())


def test_evaluation_writes_scores_units_and_predictions(trained, tmp_path):
    session = make_session()
    files = files_in(tmp_path)
    evaluate(
        aligned=trained / "mouse1.h5",
        checkpoint=trained / "best.safetensors",
        model="neds-mm",
        training="scratch",
        seed=3,
        **vars(files),
    )
    table = pd.read_csv(files.metrics)
    test_trials = session.trials_of("test")
    assert list(table.columns) == METRIC_COLUMNS
    assert set(table["n_test_trials"]) == {len(test_trials)}
    assert set(table["seed"]) == {3} and set(table["training"]) == {"scratch"}
    decoded = table[table["task"] == "decoding"]
    assert set(decoded["target"]) == {"wheel_speed", "whisker_motion_energy", "choice", "block"}

    units = pd.read_parquet(files.units)
    everything = units[units["inputs"] == "wheel_speed+whisker_motion_energy+choice+block"]
    assert everything["uuid"].tolist() == session.units["uuid"].tolist()
    mean = table.query("target == 'spikes' and metric == 'bits_per_spike'")["value"].iloc[0]
    assert everything["bits_per_spike"].mean() == pytest.approx(mean)

    trials, predictions = read_predictions(files.predictions)
    np.testing.assert_array_equal(trials, test_trials)
    wheel = predictions["decoding", "wheel_speed"]
    row = decoded.query("target == 'wheel_speed' and metric == 'r2'")
    assert metrics.r2(session.values["wheel_speed"][trials], wheel) == pytest.approx(row["value"].iloc[0], abs=1e-4)
    assert predictions["encoding", "spikes"].shape == (len(trials), 10, 7)
    np.testing.assert_allclose(predictions["decoding", "block"].sum(-1), 1, atol=1e-5)


def test_a_model_is_not_scored_on_a_session_it_was_not_trained_on(trained, tmp_path):
    write_aligned(tmp_path / "other.h5", make_session("mouse2"))
    with pytest.raises(UserError, match="trained on mouse1, not on session mouse2"):
        evaluate(
            aligned=tmp_path / "other.h5",
            checkpoint=trained / "best.safetensors",
            model="neds-mm",
            training="scratch",
            seed=0,
            **vars(files_in(tmp_path)),
        )


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


def test_ridge_path_agrees_with_scikit_learn():
    session = make_session(n_trials=40)
    train, rng = session.trials_of("train"), np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(40, 60)), rng.normal(size=(40, 5))
    for strength, predicted in _ridge_path(session, inputs, outputs):
        scale = outputs[train].std(0)
        ridge = Ridge(alpha=strength).fit(inputs[train], outputs[train] / scale)
        np.testing.assert_allclose(predicted, ridge.predict(inputs) * scale, rtol=1e-3, atol=1e-4)


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


def test_unusable_session_gets_empty_results_and_no_row_in_the_table(tmp_path):
    write_aligned(tmp_path / "s.h5", unusable_session("mouse9", "no whisker"))
    run_baseline(name="linear", aligned=tmp_path / "s.h5", **vars(files_in(tmp_path)))
    assert len(metrics_table([tmp_path / "metrics.csv"])) == 0
    assert read_predictions(tmp_path / "predictions.h5")[1] == {}


def test_half_written_metrics_file_is_named(tmp_path):
    (tmp_path / "metrics.csv").write_text("eid,subj")
    with pytest.raises(UserError, match=r"metrics\.csv: damaged .* delete it"):
        metrics_table([tmp_path / "metrics.csv"])
