"""Modalities of one number per trial: read from every source, learned, decoded by every baseline, scored and drawn."""

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from neds.baselines.inputs import standardised
from neds.baselines.linear import predict_linear
from neds.baselines.psth import predict_psth
from neds.baselines.rrr import predict_rrr, predict_rrr_multi
from neds.config.load import check_config
from neds.data.store import TrialStore
from neds.data.subset import with_training_trials
from neds.errors import UserError
from neds.evaluation.metrics import r2
from neds.evaluation.predict import predict
from neds.evaluation.results import EvaluationFiles
from neds.evaluation.score import all_scores, score
from neds.evaluation.stage import evaluate
from neds.evaluation.tasks import Task
from neds.figures.bars import metrics_figure
from neds.files.aligned import AlignedSession, read_aligned, write_aligned
from neds.modalities import PAPER, Modality, resolve
from neds.model.checkpoint import load_network
from neds.model.settings import ModelSettings
from neds.partition.statistics import training_statistics
from neds.plan.figures import FIGURES
from neds.plan.plan import Plan
from neds.tables.benchmark import score_columns
from tests import other_formats as formats
from tests import test_arrays, test_conversion, test_partition
from tests.aligned_sessions import STIMULUS, WITH_STIMULUS, make_session
from tests.test_overview import drawn as overview
from tests.test_training import settings, train_to

NAMES = ("spikes", "wheel_speed", "stimulus")
OF_TASK = resolve(["spikes", "stimulus"], {"stimulus": STIMULUS})


def test_array_of_one_number_per_trial(tmp_path):
    given = np.linspace(-1, 1, test_arrays.N_TRIALS)
    given[[3, 7]] = np.nan
    session = test_arrays.run(tmp_path, test_arrays.example() | {"stimulus": given}, custom=(STIMULUS,))
    np.testing.assert_array_equal(session.values["stimulus"], given.astype(np.float32))
    assert session.modalities["stimulus"] == STIMULUS
    known = given[(session.split == 0) & np.isfinite(given)]
    assert session.statistics["stimulus"]["mean"] == pytest.approx([known.mean()], rel=1e-5)
    assert session.statistics["stimulus"]["std"] == pytest.approx([known.std()], rel=1e-5)
    assert "stimulus: unknown in 2 of 60 trials" in session.remarks


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((60, 20)), r"key stimulus: expected one value per trial, found shape \(60, 20\)"),
        (np.array(["low", "high"] * 30), "key stimulus: must be numbers, found type"),
        (np.array([np.inf, 0] * 30), "key stimulus: holds infinite values"),
        (np.zeros(59), "key stimulus: expected 60 trials"),
    ],
)
def test_array_of_anything_else_is_refused_in_one_line(tmp_path, given, message):
    with pytest.raises(UserError, match=message) as caught:
        test_arrays.run(tmp_path, test_arrays.example() | {"stimulus": given}, custom=(STIMULUS,))
    assert "\n" not in str(caught.value)


def test_constant_number_is_kept_with_a_remark(tmp_path):
    session = test_arrays.run(tmp_path, test_arrays.example() | {"stimulus": np.full(60, 7)}, custom=(STIMULUS,))
    assert session.statistics["stimulus"] == {"mean": [7.0], "std": [1.0]}
    assert "stimulus: 1 of 1 column constant in the training trials" in session.remarks


def with_columns(path, **columns):
    """A brainsets file with more columns of trials."""
    formats.write_brainsets(path)
    with h5py.File(path, "r+") as handle:
        for name, values in columns.items():
            handle["trials"][name] = values
    return path


STRENGTH = np.arange(formats.N_TRIALS) % 7 / 7
MAPPING = {"series": {}, "trials": {"stimulus": "strength"}, "units": {}}


def test_column_of_trials_of_a_brainsets_file(tmp_path):
    path = with_columns(tmp_path / "session.h5", strength=STRENGTH)
    test_conversion.converted(path, "brainsets", MAPPING, OF_TASK)
    session = test_conversion.aligned(path, OF_TASK, **test_conversion.CUE)
    np.testing.assert_allclose(session.values["stimulus"], STRENGTH, rtol=1e-6)
    assert session.settings["sources"] == {"stimulus": "trials.stimulus"}


@pytest.mark.parametrize(("name", "mapped"), [("stimulus", {"stimulus": "signed_contrast"}), ("signed_contrast", {})])
def test_column_of_trials_of_an_nwb_file(tmp_path, name, mapped):
    path, of_task = tmp_path / "session.nwb", {"spikes": PAPER["spikes"], name: Modality(name=name, kind="scalar")}
    formats.write_nwb(path)
    test_conversion.converted(path, "nwb", {"trials": mapped}, of_task)
    session = test_conversion.aligned(path, of_task, **test_conversion.CUE)
    np.testing.assert_allclose(session.values[name], formats.CONTRASTS, rtol=1e-6)
    assert f"{name}: unknown in 6 of 60 trials" in session.remarks


def test_text_stands_for_the_numbers_that_the_mapping_gives_it(tmp_path):
    names = np.array([b"low", b"high", b"none"] * (formats.N_TRIALS // 3))
    path = with_columns(tmp_path / "session.h5", strength=names)
    values = {"stimulus": {"low": 0.1, "high": 0.9, "none": ""}}
    test_conversion.converted(path, "brainsets", MAPPING | {"values": values}, OF_TASK)
    session = test_conversion.aligned(path, OF_TASK, **test_conversion.CUE)
    np.testing.assert_array_equal(session.values["stimulus"][:3], np.array([0.1, 0.9, np.nan], np.float32))
    assert "stimulus: unknown in 20 of 60 trials" in session.remarks


def test_text_and_absent_columns_are_refused_with_the_ways_to_say_it(tmp_path):
    path = with_columns(tmp_path / "session.h5", strength=np.array([b"low", b"high"] * (formats.N_TRIALS // 2)))
    told = (
        "brainsets.trials.stimulus: column strength holds text .high, low.; give each a number under brainsets.values"
    )
    with pytest.raises(UserError, match=told):
        test_conversion.converted(path, "brainsets", MAPPING, OF_TASK)
    with pytest.raises(
        UserError, match=r"brainsets.trials.stimulus: name the column of stimulus; there are .*strength"
    ):
        test_conversion.converted(path, "brainsets", MAPPING | {"trials": {}}, OF_TASK)


def test_column_of_trials_of_the_ibl(tmp_path):
    raw = test_partition.recording()
    volume = np.arange(60) % 4 / 2
    raw.trials["rewardVolume"] = volume.copy()
    raw.trials.loc[5, "rewardVolume"], raw.trials.loc[8, "rewardVolume"] = np.nan, np.inf
    reward = Modality(name="rewardVolume", kind="scalar", unit="µL")
    session = test_partition.run(tmp_path, raw, modalities=PAPER | {"rewardVolume": reward})
    unknown = np.isin(np.arange(60), (5, 8))
    np.testing.assert_array_equal(session.values["rewardVolume"], np.where(unknown, np.nan, volume).astype(np.float32))
    assert "rewardVolume: 1 infinite value taken as unknown" in session.remarks
    assert "rewardVolume: unknown in 2 of 60 trials" in session.remarks

    raw.trials["rewardVolume"] = np.nan
    session = test_partition.run(tmp_path, raw, modalities=PAPER | {"rewardVolume": reward})
    assert session.reason == "rewardVolume is unknown in all trials of train, val, test"
    raw.trials["rewardVolume"] = "much"
    with pytest.raises(UserError, match="trials column rewardVolume: must be numbers"):
        test_partition.run(tmp_path, raw, modalities=PAPER | {"rewardVolume": reward})


def test_aligned_file_keeps_it(tmp_path):
    session = make_session(names=WITH_STIMULUS)
    session.values["stimulus"][4] = np.nan
    write_aligned(tmp_path / "s.h5", session)
    read = read_aligned(tmp_path / "s.h5")
    assert read.modalities == session.modalities
    np.testing.assert_array_equal(read.values["stimulus"], session.values["stimulus"])
    np.testing.assert_array_equal(read.statistics["stimulus"]["std"], session.statistics["stimulus"]["std"])


def decoded(session: AlignedSession, predicted: list) -> float:
    test = session.trials_of("test")
    values = next(item.values for item in predicted if item.task.name == "decoding")["stimulus"]
    assert values.shape == (len(test),)
    return score(session, "stimulus", values, test)["r2"]


def test_network_learns_it_and_learns_from_it(tmp_path):
    """It is decoded from spikes, and spikes are encoded by it alone."""
    session = make_session(n_trials=200, n_units=12, names=("spikes", "stimulus"))
    loss = {"count_loss": "per_value", "loss_weights": {"spikes": 50.0}, "optimiser": "adamw"}
    values = settings(epochs=25, lr=1e-2, validate_every=25, model={"dim": 32}, **loss)
    folder = train_to(tmp_path / "run", values | {"modalities": ["spikes", "stimulus"]}, session)
    files = EvaluationFiles(tmp_path / "metrics.csv", tmp_path / "units.parquet", tmp_path / "predictions.h5")
    checkpoint = folder / "best.safetensors"
    evaluate(
        aligned=folder / "mouse1.h5",
        checkpoint=checkpoint,
        model="neds-mm",
        training="scratch",
        seed=0,
        **vars(files),
    )
    table = pd.read_csv(files.metrics).set_index(["target", "metric"])
    assert table.loc[("stimulus", "r2"), "value"] > 0.6
    assert table.loc[("stimulus", "r2"), "n_scored"] == len(session.trials_of("test"))
    assert table.loc[("spikes", "bits_per_spike"), "value"] > 0.02


def test_prediction_is_in_the_modalitys_own_unit(tmp_path):
    """A model at its start predicts the training mean, whatever the scale."""
    session = make_session(names=NAMES)
    folder = train_to(tmp_path / "run", settings(epochs=1, lr=1e-12) | {"modalities": list(NAMES)}, session)
    model, _ = load_network(folder / "last.safetensors")
    store = TrialStore([session], names=list(NAMES), device=torch.device("cpu"))
    task = Task("decoding", ("spikes",), ("stimulus",))
    predicted = predict(model, store, 0, "test", task)["stimulus"]
    np.testing.assert_allclose(predicted, session.statistics["stimulus"]["mean"][0], rtol=1e-4)


def test_baselines_decode_it_and_encode_by_it():
    session = make_session(n_trials=200, n_units=12, names=("spikes", "stimulus"))
    session.values["stimulus"][session.trials_of("train")[:20]] = np.nan
    other = make_session("mouse2", n_trials=100, n_units=9, names=("spikes", "stimulus"))
    for predicted in (predict_linear(session), predict_rrr(session), predict_rrr_multi(session, [other])):
        assert decoded(session, predicted) > 0.6
        rates = predicted[0].values["spikes"]
        assert score(session, "spikes", rates, session.trials_of("test"))["bits_per_spike"] > 0.02
    average = predict_psth(session)[1].values["stimulus"]
    known = session.values["stimulus"][session.trials_of("train")]
    np.testing.assert_allclose(average, np.nanmean(known), rtol=1e-5)


def test_regressions_read_it_as_one_column():
    """A copy in every bin would be penalised less than other inputs."""
    session = make_session(names=NAMES)
    assert standardised(session, "stimulus").shape == (session.n_trials, 1)


def test_baselines_encode_a_neural_one():
    """Per trial a measure of the neural group, which is read beside spikes and predicted from behaviour."""
    session = make_session(n_trials=200, n_units=12, names=NAMES)
    modalities = session.modalities | {"stimulus": STIMULUS.model_copy(update={"group": "neural"})}
    session, test = replace(session, modalities=modalities), session.trials_of("test")
    for regress in (predict_linear, predict_rrr):
        encoding, decoding = regress(session)
        assert r2(session.values["stimulus"][test], encoding.values["stimulus"]) > 0.8
        assert r2(session.values["wheel_speed"][test], decoding.values["wheel_speed"]) > 0.5
    assert predict_psth(session)[0].values["stimulus"].shape == (len(test),)


def test_few_training_trials_may_know_none():
    session = make_session(names=NAMES)
    session.values["stimulus"][session.trials_of("train")] = np.nan
    statistics = training_statistics(session.values, session.modalities, session.split == 0)
    session = with_training_trials(replace(session, statistics=statistics), 20)
    for regress in (predict_linear, predict_rrr, predict_psth):
        for item in regress(session):
            assert all(np.isfinite(values).all() for values in item.values.values())


def test_score_is_r2_over_the_trials_that_are_known():
    session = make_session(names=WITH_STIMULUS)
    test = session.trials_of("test")
    truth = session.values["stimulus"][test].copy()
    guess = truth + np.random.default_rng(0).normal(size=len(test)).astype(np.float32)
    session.values["stimulus"][test[0]] = np.nan
    found = all_scores(session, "stimulus", guess, test)
    assert set(found) == {"r2"} and found["r2"].n_scored == len(test) - 1
    assert found["r2"].value == pytest.approx(r2(truth[1:], guess[1:]))
    at_mean = np.full(len(test), truth[1:].mean())
    assert score(session, "stimulus", at_mean, test)["r2"] == pytest.approx(0, abs=1e-5)
    guess[1] = np.nan
    assert np.isnan(score(session, "stimulus", guess, test)["r2"])
    session.values["stimulus"][test] = 50.0
    constant = all_scores(session, "stimulus", at_mean, test)["r2"]
    assert np.isnan(constant.value) and constant.n_scored == 0


def faults(tmp_path, **values) -> str:
    with pytest.raises(UserError) as caught:
        check_config({"modalities": ["spikes", "stimulus"], **values}, base=tmp_path)
    return str(caught.value)


CUSTOM = {"custom_modalities": {"stimulus": {"kind": "scalar", "unit": "%"}}}
WINDOWS = {"align": "none", "window_start_s": 0.0, "window_end_s": 1.0, "split": "blocks"}


def test_configuration_declares_it_without_code(tmp_path):
    config, sessions = check_config({"modalities": ["spikes", "stimulus"], **CUSTOM}, base=tmp_path)
    plan = Plan(config, sessions)
    assert plan.modalities["stimulus"] == STIMULUS
    left_out = {figure.name for figure in FIGURES if "add a continuous behaviour" in figure.missing(plan)}
    assert left_out == {"{eid}/traces"}


def test_configuration_that_cannot_be_is_refused(tmp_path):
    assert "there is one value per trial of stimulus" in faults(tmp_path, partition=WINDOWS, **CUSTOM)
    wide = {"custom_modalities": {"stimulus": {"kind": "scalar", "width": 2}}}
    assert "custom_modalities.stimulus" in faults(tmp_path, **wide) and "remove width" in faults(tmp_path, **wide)


@pytest.mark.parametrize("kind", ["counts", "categorical"])
@pytest.mark.parametrize("width", [None, 3])
def test_a_width_is_for_continuous_modalities_alone(tmp_path, kind, width):
    entry = {"kind": kind, "width": width} | ({"classes": ["a", "b"]} if kind == "categorical" else {})
    told = faults(tmp_path, custom_modalities={"cue": entry}, modalities=["spikes", "cue"])
    assert (
        told
        == f"config key custom_modalities.cue: width is for kind continuous; remove it from this modality of kind {kind}"
    )


@pytest.mark.parametrize("name", ["a/b", "../x", "a.b", "<img>", "-x", ""])
def test_a_name_that_would_be_a_path_or_more_is_refused(tmp_path, name):
    told = faults(tmp_path, custom_modalities={name: {"kind": "continuous"}}, modalities=["spikes", name])
    assert "the name of a modality may hold letters, digits, - and _ only" in told


@pytest.mark.parametrize("stitcher", ["linear", "mlp"])
def test_overview_draws_it_as_one_fact(stitcher):
    table = overview(modalities=OF_TASK, model=ModelSettings(dim=16, heads=2, stitcher=stitcher))
    rows = table[(table["panel"] == "masking") & (table["modality"] == "stimulus")]
    assert rows.groupby(["scheme", "example"])["state"].nunique().eq(1).all()
    said = table[table["panel"] == "network"].set_index(["modality", "quantity"])["value"]["stimulus"].to_dict()
    assert said == {
        "values": "one value",
        "stitcher": {"linear": "linear 1 → 16", "mlp": "1 → 2 × 12 → 16"}[stitcher],
        "tokens": "12",
        "readout": "mean of bins, 16 → 1",
        "output": "value, squared error",
    }


def test_bars_and_tables_take_its_r2():
    known = {"model": "linear", "training": "", "seed": 0, "task": "decoding", "inputs": "spikes", "n_classes": np.nan}
    known["trained_for"] = True
    rows = [{"eid": eid, "target": "stimulus", "metric": "r2", "value": 0.5, **known} for eid in "ab"]
    _, plotted = metrics_figure(pd.DataFrame(rows), OF_TASK)
    assert plotted["target"].tolist() == ["stimulus"] * 2 and plotted["metric"].eq("r2").all()
    assert score_columns(OF_TASK)["stimulus", "r2"] == "stimulus: R²"
