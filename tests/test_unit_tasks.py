"""Co-smoothing and forecasting: what is held out stays unseen, what is scored is that alone, and who is asked for it."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge

from neds.baselines.fitting import Given
from neds.baselines.from_units import SharedOverBins
from neds.baselines.registry import module_of
from neds.config import check_config
from neds.data.store import TrialStore
from neds.errors import UserError
from neds.evaluation import metrics
from neds.evaluation.ensemble import evaluate_ensemble
from neds.evaluation.predict import predict
from neds.evaluation.results import read_predictions, read_unit_predictions
from neds.evaluation.settings import UNIT_TASKS, EvaluationSettings, HeldOut
from neds.evaluation.stage import evaluate
from neds.evaluation.unit_tasks import held_out_units, scored_part, unit_tasks_of
from neds.files.aligned import AlignedSession, write_aligned
from neds.model.checkpoint import load_network
from neds.partition.sessions_table import sessions_table
from tests.aligned_sessions import WITH_STIMULUS, make_session
from tests.test_evaluation import files_in
from tests.test_training import settings, train_to

BOTH = EvaluationSettings(forecast_ratio=0.2).of(["co_smoothing", "forecasting"])
RULE = HeldOut(share=0.25, seed=0)
WEIGHTS = {"encoding": 1.0, "decoding": 1.0, "units": 1.0, "future": 1.0}
MASKING = {"weights": WEIGHTS, "future_ratio": 0.2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = settings(epochs=4) | {"masking": MASKING, "modalities": list(WITH_STIMULUS)}
    return train_to(tmp_path_factory.mktemp("trained"), run, make_session(names=WITH_STIMULUS))


@pytest.fixture(scope="module")
def evaluated(trained, tmp_path_factory):
    files = files_in(tmp_path_factory.mktemp("evaluated"))
    run = {"model": "neds-mm", "training": "scratch", "seed": 0, "unit_tasks": BOTH}
    evaluate(aligned=trained / "mouse1.h5", checkpoint=trained / "best.safetensors", **run, **vars(files))
    return files


def tasks(session: AlignedSession):
    names = tuple(session.modalities)
    return {task.name: task for task in unit_tasks_of(session, BOTH, inputs=names, outputs=names)}


def test_tasks_observe_what_they_say():
    found = tasks(make_session(names=WITH_STIMULUS))
    assert {name: task.observed for name, task in found.items()} == {
        "co_smoothing": ("spikes",),
        "co_smoothing_with_behaviour": WITH_STIMULUS,
        "forecasting": ("spikes",),
        "forecasting_with_behaviour": ("spikes", "wheel_speed", "whisker_motion_energy"),
    }
    assert found["forecasting"].last_bins == 2 and len(found["co_smoothing"].held_out) == 2
    decoder = unit_tasks_of(make_session(), BOTH, inputs=("spikes",), outputs=("wheel_speed", "choice"))
    assert decoder == [], "a model that does not predict spikes has none of these tasks"


def changed_where_hidden(session: AlignedSession, name: str) -> AlignedSession:
    """Other values of all that a task may not see."""
    task, values = tasks(session)[name], {key: value.copy() for key, value in session.values.items()}
    for key, value in values.items():
        if key not in task.observed:
            value[:] = np.roll(value, 1, axis=0)
        elif task.last_bins:
            value[:, -task.last_bins :] = np.roll(value[:, -task.last_bins :], 1, axis=0)
    if task.held_out:
        held_out = list(task.held_out)
        values["spikes"][..., held_out] = np.roll(values["spikes"][..., held_out], 1, axis=0) + 1
    return replace(session, values=values)


@pytest.mark.parametrize("name", UNIT_TASKS)
def test_what_is_hidden_changes_no_prediction(trained, name):
    network, _ = load_network(trained / "best.safetensors")
    session = make_session(names=WITH_STIMULUS)
    other, task = changed_where_hidden(session, name), tasks(session)[name]
    rates = []
    for each in (session, other, replace(other, values=other.values | {"spikes": session.values["spikes"][::-1]})):
        store = TrialStore([each], names=list(WITH_STIMULUS), device=torch.device("cpu"))
        rates.append(predict(network, store, 0, "test", task)["spikes"])
    np.testing.assert_array_equal(rates[0], rates[1])
    assert not np.allclose(rates[0], rates[2]), "what is seen matters"


def test_scores_and_predictions_are_of_what_was_hidden(evaluated):
    session = make_session(names=WITH_STIMULUS)
    table, found = pd.read_csv(evaluated.metrics), read_unit_predictions(evaluated.predictions)
    assert set(found) == {(name, "spikes") for name in UNIT_TASKS}
    assert set(read_predictions(evaluated.predictions)[1]) >= {("encoding", "spikes"), ("decoding", "choice")}
    units = pd.read_parquet(evaluated.units)
    held_out = held_out_units(session, RULE)
    for (name, _), prediction in found.items():
        counts = session.values["spikes"][session.trials_of("test")]
        np.testing.assert_array_equal(prediction.trials, session.trials_of("test"))
        if UNIT_TASKS[name] == "co_smoothing":
            np.testing.assert_array_equal(prediction.units, held_out)
            np.testing.assert_array_equal(prediction.bins, np.arange(10))
        else:
            np.testing.assert_array_equal(prediction.units, np.arange(7))
            np.testing.assert_array_equal(prediction.bins, [8, 9])
        counts = counts[:, prediction.bins][..., prediction.units]
        assert prediction.rates.shape == counts.shape
        rows = table[table["task"] == name].set_index("metric")
        d2 = metrics.mean_of_known(metrics.poisson_d2(prediction.rates, counts))
        assert rows.loc["poisson_d2", "value"] == pytest.approx(d2, abs=1e-6)
        assert rows.loc["bits_per_spike", "n_scored"] == len(prediction.units)
        assert {"bits_per_spike_pooled", "bits_per_spike_train_null"} <= set(rows.index)
        own = units[units["task"] == name]
        assert own["unit"].tolist() == prediction.units.tolist()
        assert own["uuid"].tolist() == session.units["uuid"][prediction.units].tolist()
        assert own["n_spikes"].tolist() == counts.sum((0, 1)).tolist()


def test_ensemble_of_a_model_with_itself_has_its_scores(trained, evaluated, tmp_path):
    run = {"model": "neds-mm", "training": "scratch-ensemble", "predictions": [evaluated.predictions] * 2}
    files = {"metrics": tmp_path / "m.csv", "units": tmp_path / "u.parquet", "output": tmp_path / "p.h5"}
    evaluate_ensemble(aligned=trained / "mouse1.h5", **run, **files)
    both = [pd.read_csv(path).query("task in @UNIT_TASKS") for path in (evaluated.metrics, files["metrics"])]
    assert len(both[0]) and both[1]["trained_for"].all()
    pd.testing.assert_frame_equal(*(table[["task", "metric", "value"]].reset_index(drop=True) for table in both))


def test_table_says_which_models_were_not_trained_for_the_task(trained, evaluated, tmp_path):
    run = settings(epochs=1) | {"masking": {"weights": {"encoding": 1.0, "decoding": 1.0, "future": 1.0}}}
    folder = train_to(tmp_path, run, make_session())
    evaluate(
        aligned=folder / "mouse1.h5",
        checkpoint=folder / "best.safetensors",
        model="neds-mm",
        training="scratch",
        seed=0,
        unit_tasks=BOTH,
        **vars(files_in(tmp_path)),
    )
    known = pd.read_csv(tmp_path / "metrics.csv").groupby("task")["trained_for"].unique().str[0]
    assert not known["co_smoothing"] and not known["co_smoothing_with_behaviour"]
    assert known["forecasting"] and known["encoding"] and known["decoding"]
    assert pd.read_csv(evaluated.metrics)["trained_for"].all()


def with_other_test_trials(session: AlignedSession, name: str) -> AlignedSession:
    """As `changed_where_hidden`, in the test trials alone."""
    test, other = session.split == 2, changed_where_hidden(session, name)
    values = {
        key: np.where(test.reshape(-1, *[1] * (value.ndim - 1)), other.values[key], value)
        for key, value in session.values.items()
    }
    return replace(session, values=values)


def predicted_by(baseline: str, session: AlignedSession, name: str) -> np.ndarray | None:
    found = import_module(f"neds.baselines.{module_of(baseline)}").predict(session, Given(unit_tasks=BOTH))
    return next((item.values["spikes"] for item in found if item.task.name == name), None)


@pytest.mark.parametrize("name", UNIT_TASKS)
@pytest.mark.parametrize("baseline", ["psth", "linear", "glm", "rrr"])
def test_baselines_see_nothing_of_what_is_hidden(baseline, name):
    session = make_session(n_units=12, names=WITH_STIMULUS)
    found, task = predicted_by(baseline, session, name), tasks(session)[name]
    if baseline == "glm" and task.last_bins:
        assert found is None, "a GLM of what is around a bin"
        return
    counts = scored_part(session, task).values["spikes"][session.trials_of("test")]
    assert found is not None and found.shape == counts.shape and (found > 0).all()
    np.testing.assert_array_equal(found, predicted_by(baseline, with_other_test_trials(session, name), name))
    if baseline != "psth":
        of_psth = predicted_by("psth", session, name)
        bits = [metrics.mean_of_known(metrics.bits_per_spike(rates, counts)) for rates in (of_psth, found)]
        assert bits[0] < bits[1], "units that share a latent predict each other"


def test_full_rank_is_ridge_regression_of_all_bins():
    rng, train = np.random.default_rng(0), np.arange(12)
    inputs, counts = rng.normal(size=(20, 6, 5)).astype(np.float32), rng.poisson(1.0, (20, 6, 3))
    std = counts[train].std((0, 1))
    (full,) = SharedOverBins(inputs, counts, std, train).deviations(3.0)
    centred = inputs - inputs[train].mean(0)
    outputs = (counts[train] - counts[train].mean(0)).reshape(-1, 3)
    expected = Ridge(alpha=3.0, fit_intercept=False).fit(centred[train].reshape(-1, 5), outputs)
    found = full(np.arange(12, 20))
    np.testing.assert_allclose(found.reshape(-1, 3), expected.predict(centred[12:].reshape(-1, 5)), atol=1e-4)
    ranks = list(SharedOverBins(inputs, counts, std, train).deviations(3.0, ranks=(1, 3)))
    np.testing.assert_allclose(ranks[1](np.arange(12, 20)), found, atol=1e-5)
    assert np.linalg.matrix_rank(ranks[0](np.arange(12, 20)).reshape(-1, 3), tol=1e-4) == 1


def with_column(session: AlignedSession, name: str, values: object) -> AlignedSession:
    return replace(session, units=session.units.assign(**{name: values}))


def test_held_out_units_are_a_reproducible_share():
    session = make_session(n_units=20)
    drawn = held_out_units(session, RULE)
    assert len(drawn) == 5 and (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(drawn, held_out_units(make_session(n_units=20, seed=3), RULE))
    others = [
        held_out_units(session, HeldOut(share=0.25, seed=1)),
        held_out_units(make_session("mouse2", n_units=20), RULE),
    ]
    assert all(not np.array_equal(drawn, other) for other in others)
    assert len(held_out_units(make_session(n_units=2), HeldOut(share=0.1, seed=0))) == 1


def test_held_out_units_by_name(caplog):
    session = with_column(make_session(n_units=4), "hidden", [True, False, False, True])
    by_column = HeldOut(share=0.25, seed=0, column="hidden")
    assert held_out_units(session, by_column).tolist() == [0, 3]
    numbers = with_column(session, "hidden", [1, 0, 0, 1])
    assert held_out_units(numbers, by_column).tolist() == [0, 3]
    by_uuid = HeldOut(share=0.25, seed=0, uuids=["mouse1-2", "mouse2-0"])
    assert held_out_units(session, by_uuid).tolist() == [2]
    with pytest.raises(
        UserError, match=r"held_out_column: session mouse1 has no column heldout .* it has uuid, acronym"
    ):
        held_out_units(session, HeldOut(share=0.25, seed=0, column="heldout"))
    with pytest.raises(UserError, match="column hidden of the units of session mouse1 must be true or false"):
        held_out_units(with_column(session, "hidden", [0.0, 0.5, 1.0, 1.0]), by_column)

    assert not len(held_out_units(with_column(session, "hidden", True), by_column))
    assert "session mouse1: no co-smoothing, because 4 of its 4 units are held out" in caplog.text
    assert set(tasks(make_session(n_units=1))) == {"forecasting", "forecasting_with_behaviour"}


def told_before_training(folder: Path, rule: HeldOut, **units: object) -> dict[str, str]:
    """The remarks of the sessions table on mouse1 and mouse2, of role test, and mouse3, by EID."""
    roles = {"mouse1": "test", "mouse2": "test", "mouse3": "train"}
    for eid in roles:
        session = make_session(eid, n_units=4)
        session = session if eid == "mouse3" else replace(session, units=session.units.assign(**units))
        write_aligned(folder / f"{eid}.h5", session)
    table = sessions_table([folder / f"{eid}.h5" for eid in roles], roles, rule)
    return dict(zip(table["eid"], table["remarks"], strict=True))


def test_held_out_units_that_are_not_there_are_told_by_the_table_of_sessions(tmp_path):
    by_column = HeldOut(share=0.25, seed=0, column="hidden")
    remarks = told_before_training(tmp_path, by_column, hidden=[True, False, False, True])
    assert remarks == dict.fromkeys(["mouse1", "mouse2"], "co-smoothing holds out 2 of its 4 units") | {"mouse3": ""}
    remarks = told_before_training(tmp_path, by_column, hidden=[False] * 4)
    assert remarks["mouse1"] == "no co-smoothing, as none or all of its units are held out"
    with pytest.raises(
        UserError, match="held_out_column: session mouse1 has no column hidden of its units; it has uuid"
    ):
        told_before_training(tmp_path, by_column)

    by_uuid = HeldOut(share=0.25, seed=0, uuids=["mouse1-2", "mouse3-0"])
    lacking = "(of 2 UUIDs in held_out_uuids no test session has 1)"
    assert told_before_training(tmp_path, by_uuid) == {
        "mouse1": f"co-smoothing holds out 1 of its 4 units {lacking}",
        "mouse2": f"no co-smoothing, as none or all of its units are held out {lacking}",
        "mouse3": "",
    }
    wrong = "held_out_uuids: no session of role test has a unit mouse3-0, .* e.g. session mouse1 has mouse1-0, mouse1-1"
    with pytest.raises(UserError, match=wrong):
        told_before_training(tmp_path, HeldOut(share=0.25, seed=0, uuids=["mouse3-0"]))


@pytest.mark.parametrize("source", ["synthetic", "alf", "one"])
def test_a_column_of_held_out_units_is_refused_where_no_source_has_one(source, tmp_path):
    (tmp_path / "sheet.tsv").write_text("eid\trole\tpath\nd23a44ef-1402-4ed7-97f5-47e9a7a504d9\ttest\tlab/Subjects/a\n")
    values = {"source": source, "regimes": ["scratch"], "evaluation": {"held_out_column": "hidden"}}
    if source != "synthetic":
        values |= {"sessions": "sheet.tsv", "download": {"alf_root": "."}}
    assert check_config(values, base=tmp_path), "no model is scored on co-smoothing"
    values["masking"] = {"weights": {"units": 1.0}}
    with pytest.raises(UserError, match=f"held_out_column: units of source {source} have no column of truth values"):
        check_config(values, base=tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"evaluation": {"held_out_column": "hidden", "held_out_uuids": ["a"]}},
            "config key evaluation: give held_out_column or held_out_uuids, not both",
        ),
        (
            {"modalities": ["lfp", "wheel_speed"], "masking": {"weights": {"units": 1.0}}},
            "config key masking.weights.units: hides units, and no modality has any; add spikes to modalities",
        ),
        (
            {"modalities": ["lfp", "wheel_speed"], "evaluation": {"tasks": ["co_smoothing"]}},
            "config key evaluation.tasks: co_smoothing is of units, and no modality has any; add spikes to modalities",
        ),
        (
            {"modes": ["encoding"], "evaluation": {"tasks": ["forecasting"]}},
            "config key evaluation.tasks: forecasting is of models that read and predict spikes; add mm to modes",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(values, message):
    with pytest.raises(UserError) as caught:
        check_config(values, base=None)
    assert message in str(caught.value)
