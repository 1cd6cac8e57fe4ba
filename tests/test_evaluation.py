"""Scores mean what their definitions say, and every model's results take the same form."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import poisson
from sklearn.metrics import balanced_accuracy_score, d2_tweedie_score, r2_score

from neds.baselines.stage import run_baseline
from neds.data.store import TrialStore, stacked_valid
from neds.errors import UserError
from neds.evaluation import metrics
from neds.evaluation.predict import predict
from neds.evaluation.results import METRIC_COLUMNS, EvaluationFiles, read_predictions
from neds.evaluation.score import all_scores, unit_scores
from neds.evaluation.stage import evaluate
from neds.evaluation.summary import over_sessions, session_scores
from neds.evaluation.tables import metrics_table
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import write_aligned
from neds.modalities import PAPER
from neds.model.masking import observe
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.partition.statistics import training_statistics
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


def benchmark_example() -> tuple[np.ndarray, np.ndarray]:
    """Rates and counts (6, 5, 4) by a formula, for which other packages' scores are written down below."""
    k, t, n = np.ogrid[:6, :5, :4]
    return np.exp(np.sin(1 + k + 2 * t + 3 * n) - 0.5), (7 * k + 3 * t + 5 * n) % 4 * ((k + t + n) % 3 > 0)


def test_pooled_bits_and_d2_are_those_of_the_benchmarks():
    """Reference: `bits_per_spike` of nlb_tools 0.0.4, `BPS` and `PoissonD2Score` of ibl-bwb-eval 0.1.0 (32-bit floats)."""
    rates, counts = benchmark_example()
    bits = metrics.bits_per_spike(rates, counts)
    pooled = metrics.pooled_bits_per_spike(bits, counts.sum((0, 1)))
    assert pooled == pytest.approx(-0.40540476719333907, abs=1e-12)
    assert pooled == pytest.approx(-0.40540486574172974, abs=1e-5)
    assert metrics.poisson_d2(rates, counts).mean() == pytest.approx(-0.3679754137992859, abs=1e-5)
    assert abs(bits.mean() - pooled) > 0.001, "the paper's mean over units is another score"


def test_a_unit_that_always_fires_alike_has_no_d2():
    """Of a mean over many bins rounding leaves a little deviance."""
    counts = np.full((5, 40, 1), 3)
    assert np.isnan(metrics.poisson_d2(np.random.default_rng(0).uniform(0.5, 2, counts.shape), counts)).all()


def test_poisson_d2_agrees_with_scikit_learn_and_leaves_out_what_has_no_deviance():
    rates, counts = benchmark_example()
    counts[..., 2], counts[..., 3] = 0, 1
    expected = [d2_tweedie_score(counts[..., n].ravel(), rates[..., n].ravel(), power=1) for n in range(2)]
    np.testing.assert_allclose(metrics.poisson_d2(rates, counts), [*expected, np.nan, np.nan])
    np.testing.assert_allclose(metrics.poisson_d2(np.maximum(counts, 1e-9), counts)[:2], 1, atol=1e-6)


def test_silent_unit_takes_no_part_in_pooled_bits():
    rates, counts = benchmark_example()
    fewer = metrics.pooled_bits_per_spike(
        metrics.bits_per_spike(rates[..., :3], counts[..., :3]), counts[..., :3].sum((0, 1))
    )
    counts[..., 3] = 0
    bits = metrics.bits_per_spike(rates, counts)
    assert metrics.pooled_bits_per_spike(bits, counts.sum((0, 1))) == pytest.approx(fewer)
    assert np.isnan(metrics.pooled_bits_per_spike(bits[3:], counts.sum((0, 1))[3:]))


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


@pytest.mark.parametrize("share_unknown", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("seed", range(5))
def test_perfect_prediction_scores_one_whatever_is_unknown(seed, share_unknown):
    """Single bins, whole trials, whole conditions and whole bins."""
    rng = np.random.default_rng(seed)
    truth, condition = rng.normal(size=(40, 8)) * rng.uniform(1e-3, 1e3) + rng.normal(), rng.integers(0, 5, 40)
    guess = truth + 0.0
    truth[rng.random(truth.shape) < share_unknown] = np.nan
    truth[rng.random(40) < share_unknown / 2] = np.nan
    truth[condition == rng.integers(5)] = np.nan
    truth[:, rng.integers(8)] = np.nan
    for score in (metrics.r2, metrics.r2_psth, metrics.r2_residual):
        args = () if score is metrics.r2 else (condition,)
        assert score(truth, guess, *args) == pytest.approx(1, abs=1e-9)
        assert score(truth, guess + rng.normal(size=guess.shape) * np.nanstd(truth), *args) < 1


def test_unknown_values_are_left_out_of_the_averages_of_prediction_and_truth_alike():
    truth, condition = np.array([[1.0, 2.0], [3.0, 5.0], [np.nan, 4.0], [7.0, np.nan]]), np.array([0, 0, 1, 1])
    guess = np.array([[1.0, 2.0], [4.0, 5.0], [100.0, 4.0], [7.0, 100.0]])
    assert metrics.r2_psth(truth, guess, condition) == pytest.approx(r2_score([2, 3.5], [2.5, 3.5]))


@pytest.mark.parametrize("value", [0.0, 0.1, 1000.1, 1e-12])
def test_trace_that_does_not_vary_has_no_r2(value):
    rng, condition = np.random.default_rng(0), np.repeat([0, 1], 10)
    truth = np.full((20, 6), value, np.float32)
    guess = truth + 1e-3 * rng.normal(size=truth.shape)
    rounding = truth + np.spacing(truth) * rng.integers(-2, 3, truth.shape)
    for constant in (truth, rounding):
        scores = [metrics.r2(constant, guess)]
        scores += [score(constant, guess, condition) for score in (metrics.r2_psth, metrics.r2_residual)]
        assert np.isnan(scores).all()


def test_trace_at_rest_in_the_test_trials_is_not_scored():
    """What is left of it is noise, small against how it moved in training."""
    session, rng = make_session(n_trials=80), np.random.default_rng(0)
    test = session.trials_of("test")
    session.values["wheel_speed"][test] = 1e-7 * rng.normal(size=(len(test), 10, 1))
    found = all_scores(session, "wheel_speed", np.full((len(test), 10, 1), 0.1), test)
    assert set(found) == {"r2", "r2_psth", "r2_residual"}
    assert all(np.isnan(one.value) and one.n_scored == 0 for one in found.values())


def test_units_that_count_depend_on_the_data_alone():
    session = make_session(n_trials=80)
    spikes, train, test = session.values["spikes"], session.trials_of("train"), session.trials_of("test")
    spikes[train, :, 0] = 0
    spikes[test, :, 1] = 0
    session = replace(session, statistics=training_statistics(session.values, session.modalities, session.split == 0))
    rates = np.broadcast_to(spikes[train].mean((0, 1)), spikes[test].shape).copy()
    units = unit_scores(session, "spikes", rates, test)
    scores = units[["bits_per_spike", "bits_per_spike_train_null", "r2_psth"]]
    assert scores.iloc[:2].isna().all(axis=None) and scores.iloc[2:, :2].notna().all(axis=None)
    found = all_scores(session, "spikes", rates, test)["bits_per_spike"]
    assert (found.value, found.n_scored) == (pytest.approx(scores["bits_per_spike"].mean()), 5)
    pooled = all_scores(session, "spikes", rates, test)["bits_per_spike_pooled"]
    among_the_scored = np.average(scores["bits_per_spike"][2:], weights=units["n_spikes"][2:])
    assert (pooled.value, pooled.n_scored) == (pytest.approx(among_the_scored), 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("target", ["spikes", "wheel_speed", "choice"])
def test_model_gains_nothing_by_predictions_that_are_not_finite(target, bad, caplog):
    session = make_session(n_trials=80)
    test = session.trials_of("test")
    shape = (len(test), 2) if target == "choice" else session.values[target][test].shape
    predicted = np.full(shape, 0.5)
    predicted[0, ..., 0] = bad
    found = all_scores(session, target, predicted, test)
    assert all(np.isnan(one.value) and one.n_scored == 0 for one in found.values())
    assert f"{target}: not scored" in caplog.text and "not finite" in caplog.text


def test_of_a_single_class_accuracy_alone_is_scored():
    session = make_session(n_trials=80)
    test = session.trials_of("test")
    session.values["block"][test] = 2
    probabilities = np.tile([0.2, 0.3, 0.5], (len(test), 1))
    found = all_scores(session, "block", probabilities, test)
    assert (found["accuracy"].value, found["accuracy"].n_scored) == (1.0, len(test))
    for name in ("balanced_accuracy", "expected_accuracy"):
        assert np.isnan(found[name].value) and (found[name].n_scored, found[name].n_classes) == (0, 1)


def test_means_leave_out_sessions_of_a_single_class(tmp_path):
    """In one of them any model that says its class would be right in all trials."""
    for eid, classes in (("one", [0]), ("two", [0, 1])):
        (tmp_path / eid).mkdir()
        session = make_session(eid, n_trials=80, names=("spikes", "choice"))
        session.values["choice"][session.trials_of("test")] = np.resize(classes, len(session.trials_of("test")))
        write_aligned(tmp_path / f"{eid}.h5", session)
        run_baseline(name="linear", aligned=tmp_path / f"{eid}.h5", **vars(files_in(tmp_path / eid)))
    table = metrics_table([tmp_path / eid / "metrics.csv" for eid in ("one", "two")])
    assert table[(table["metric"] == "accuracy")]["value"].notna().all()
    means = over_sessions(session_scores(table)).set_index(["target", "metric"])["n_sessions"]
    assert means["choice", "accuracy"] == means["choice", "balanced_accuracy"] == 1
    assert means["spikes", "bits_per_spike"] == 2


def test_scores_that_are_not_defined_have_rows_and_are_said(tmp_path, caplog):
    session = make_session(n_trials=80, names=("spikes", "choice", "block"))
    session.values["block"][session.trials_of("test")] = 0
    write_aligned(tmp_path / "s.h5", session)
    run_baseline(name="linear", aligned=tmp_path / "s.h5", **vars(files_in(tmp_path)))
    table = metrics_table([tmp_path / "metrics.csv"]).set_index(["target", "metric"])
    assert table.loc[("block", "balanced_accuracy"), ["n_scored", "n_classes"]].tolist() == [0, 1]
    assert np.isnan(table.loc[("block", "balanced_accuracy"), "value"])
    assert "block: not defined on its test trials: balanced_accuracy, expected_accuracy" in caplog.text
    assert "choice: not defined" not in caplog.text


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
    counted = table.set_index(["target", "metric"])[["n_scored", "n_classes"]].sort_index()
    assert counted.loc[("spikes", "bits_per_spike"), "n_scored"].eq(7).all()
    assert counted.loc[("wheel_speed", "r2")].iloc[0].tolist() == pytest.approx([1, np.nan], nan_ok=True)
    assert counted.loc[("choice", "accuracy")].iloc[0].tolist() == [len(test_trials), 2]
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


def test_unusable_session_gets_empty_results_and_no_row_in_the_table(tmp_path):
    write_aligned(tmp_path / "s.h5", unusable_session("mouse9", "no whisker"))
    run_baseline(name="linear", aligned=tmp_path / "s.h5", **vars(files_in(tmp_path)))
    assert len(metrics_table([tmp_path / "metrics.csv"])) == 0
    assert read_predictions(tmp_path / "predictions.h5")[1] == {}


def test_half_written_metrics_file_is_named(tmp_path):
    (tmp_path / "metrics.csv").write_text("eid,subj")
    with pytest.raises(UserError, match=r"metrics\.csv: damaged .* delete it"):
        metrics_table([tmp_path / "metrics.csv"])


def test_trials_that_look_the_same_are_predicted_once_and_as_if_alone():
    session = make_session(n_trials=60)
    session.values["choice"][session.trials_of("test")[:2]] = -1
    store = TrialStore([session], names=list(PAPER), device=torch.device("cpu"))
    torch.manual_seed(0)
    size = ModelSettings(dim=16, layers=1, heads=2, mlp=32)
    model = NEDS(Design(size, PAPER, preset("mm", PAPER, MaskingSettings()), session.n_bins), store.shapes)
    torch.nn.init.normal_(model.mask_vector)
    ran = []
    model.register_forward_hook(lambda module, given, _: ran.append(given[0].n_trials))
    tasks = tasks_of(PAPER, inputs=tuple(PAPER), outputs=tuple(PAPER), each_input_alone=True)
    for task in tasks:
        ran.clear()
        together, n_ran = predict(model, store, 0, "test", task), sum(ran)
        alone = []
        for trial in session.trials_of("test"):
            batch = store.batch(np.zeros(1, int), np.array([trial]))
            hidden = observe(list(PAPER.values()), stacked_valid(batch, PAPER), set(task.observed))
            alone.append(model.eval()(batch, hidden))
        n_test = len(session.trials_of("test"))
        assert n_ran == (n_test if task.observed not in (("choice",), ("block",)) else 3), task
        if task.name == "encoding":
            rates = torch.cat([one.log_rates["spikes"] for one in alone]).exp().detach().numpy()
            np.testing.assert_allclose(together["spikes"], rates, rtol=1e-5)
            assert len(together["spikes"]) == n_test
