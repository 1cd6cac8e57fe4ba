"""Reduced-rank regression finds low-rank maps where full regression cannot, and shares them between sessions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from neds.baselines.linear import predict_linear
from neds.baselines.low_rank_decoding import DecodedSession, class_decoder, decoder_start, value_decoder
from neds.baselines.low_rank_encoding import encode, encoded_session, encoders
from neds.baselines.rrr import Observed, predict_rrr, predict_rrr_multi
from neds.baselines.stage import run_baseline
from neds.config import check_config
from neds.errors import UserError
from neds.evaluation.metrics import r2
from neds.evaluation.results import METRIC_COLUMNS, EvaluationFiles, read_predictions
from neds.evaluation.tasks import Task
from neds.files.aligned import AlignedSession, write_aligned
from neds.partition.statistics import training_statistics
from tests.aligned_sessions import make_session, unusable_session

N_BINS = 10


def planted(eid: str, *, n_trials: int, n_units: int) -> AlignedSession:
    """Independent spikes that drive the wheel by a map of rank 2, whose temporal factors are those of every session."""
    rng = np.random.default_rng([*eid.encode()])
    temporal = np.random.default_rng(0).normal(size=(2, N_BINS, N_BINS))
    spikes = rng.poisson(1.0, (n_trials, N_BINS, n_units)).astype(np.uint8)
    wheel = np.einsum("ktn,nr,rtq->kq", spikes - 1.0, rng.normal(size=(n_units, 2)), temporal)
    wheel += 0.3 * wheel.std() * rng.normal(size=wheel.shape)
    session = make_session(eid, n_trials=n_trials, n_units=n_units, n_bins=N_BINS, names=("spikes", "wheel_speed"))
    values = {"spikes": spikes, "wheel_speed": wheel[..., None].astype(np.float32)}
    statistics = training_statistics(values, session.modalities, session.split == 0)
    return replace(session, values=values, statistics=statistics)


def decoding_r2(session: AlignedSession, predicted: list) -> float:
    wheel = next(item for item in predicted if item.task.name == "decoding").values["wheel_speed"]
    return r2(session.values["wheel_speed"][session.trials_of("test")], wheel)


def files_in(folder) -> EvaluationFiles:
    return EvaluationFiles(folder / "metrics.csv", folder / "units.parquet", folder / "predictions.h5")


def random_trials(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    return [own - own.mean(0) for own in values]


def test_decoder_of_full_rank_is_ridge_regression():
    inputs, outputs = random_trials((30, 5, 4), (30, 5))
    session = DecodedSession(inputs, outputs, np.full(5, 2.0, np.float32))
    start = decoder_start([session], penalty=300.0, rank=4)
    fitted = value_decoder([session], start, penalty=3.0, steps=100)
    ridge = Ridge(alpha=3.0).fit(inputs.reshape(30, -1), outputs + 2)
    np.testing.assert_allclose(fitted.predict(inputs), ridge.predict(inputs.reshape(30, -1)), atol=1e-3)


@pytest.mark.parametrize(("decoder", "rank"), [(value_decoder, 2), (class_decoder, 2), (class_decoder, 4)])
def test_decoder_is_a_minimum_of_the_objective(decoder, rank):
    """Nearby factors are no better, and a start with a stronger penalty ends in a lower objective."""
    inputs, outputs = random_trials((40, 5, 4), (40, 3))
    if decoder is class_decoder:
        outputs = np.eye(3, dtype=np.float32)[outputs.argmax(1)]
    session = DecodedSession(inputs, outputs, np.zeros(3, np.float32))

    def objective(found) -> float:
        predicted, weights = found.predict(inputs), np.einsum("dr,trq->dtq", found.units[0], found.temporal)
        if decoder is class_decoder:
            loss = -(predicted * outputs).sum() + np.log(np.exp(predicted).sum(1)).sum()
        else:
            loss = np.square(predicted - outputs).sum() / 2
        return float(loss + 3.0 / 2 * np.square(weights).sum())

    start = decoder_start([session], penalty=300.0, rank=rank)
    fitted = decoder([session], start, penalty=3.0, steps=200)
    least, rng = objective(fitted), np.random.default_rng(1)
    assert least < objective(start)
    for _ in range(20):
        units = [fitted.units[0] + 0.01 * rng.normal(size=fitted.units[0].shape)]
        temporal = fitted.temporal + 0.01 * rng.normal(size=fitted.temporal.shape)
        assert objective(replace(fitted, units=units, temporal=temporal)) > least


@pytest.mark.parametrize("n_sessions", [1, 2])
@pytest.mark.parametrize("rank", [1, 2, 6])
def test_encoder_is_the_closed_form_of_reduced_rank_regression(rank, n_sessions):
    """Ridge regression projected on the leading directions of its explained covariance of units; a session counted twice
    has the same factors.
    """
    inputs, outputs = random_trials((30, 8), (30, 5, 6))
    hat = inputs @ np.linalg.solve(inputs.T @ inputs + 3.0 * np.eye(8), inputs.T)
    ridge = np.einsum("kl,ltn->ktn", hat, outputs)
    directions = np.linalg.eigh(np.einsum("ktn,ktm->nm", outputs, ridge))[1][:, -rank:]
    sessions = [encoded_session(inputs, outputs)] * n_sessions
    ((units, temporal),) = encoders(sessions, penalty=3.0, ranks=[rank])
    np.testing.assert_allclose(encode(inputs, units, temporal), ridge @ directions @ directions.T, atol=1e-3)


def test_encoder_of_several_sessions_is_a_minimum_of_the_objective():
    """Random steps from where it ends, each with the best unit factors, lower nothing."""
    inputs, outputs, other_inputs, other_outputs = random_trials((30, 8), (30, 5, 6), (40, 8), (40, 5, 3))
    trials = [(inputs, outputs), (other_inputs, other_outputs)]

    def objective(temporal: np.ndarray) -> float:
        total = 0.0
        for own_inputs, own_outputs in trials:
            factors = np.einsum("kp,rpt->ktr", own_inputs, temporal).reshape(-1, 2)
            by_bin, overlap = own_outputs.reshape(len(factors), -1), np.einsum("rpt,spt->rs", temporal, temporal)
            units = np.linalg.solve(factors.T @ factors + 3.0 * overlap, factors.T @ by_bin)
            total += np.square(by_bin - factors @ units).sum() / 2 + 3.0 / 2 * np.sum((units @ units.T) * overlap)
        return float(total)

    sessions = [encoded_session(*own) for own in trials]
    ((_, fitted),) = encoders(sessions, penalty=3.0, ranks=[2])
    least, rng = objective(fitted), np.random.default_rng(0)
    size = np.abs(fitted).mean()
    for _ in range(20):
        assert objective(fitted + 0.05 * size * rng.normal(size=fitted.shape)) > least


def test_low_rank_map_is_recovered_from_few_trials():
    session = planted("mouse1", n_trials=120, n_units=20)
    assert decoding_r2(session, predict_rrr(session)) > decoding_r2(session, predict_linear(session)) + 0.3


def test_sessions_with_common_temporal_factors_help_each_other():
    """Sessions of different numbers of units, each too short by itself."""
    session = planted("mouse1", n_trials=36, n_units=20)
    others = [planted(f"other{n}", n_trials=100, n_units=15 + n) for n in range(4)]
    alone, together = predict_rrr(session), predict_rrr_multi(session, others)
    assert decoding_r2(session, together) > decoding_r2(session, alone) + 0.2


def test_predictions_repeat_and_see_only_what_they_may():
    """Test trials of the session, and all but the training trials of the others, change nothing."""
    session, other = make_session("mouse1", n_units=5), make_session("mouse2", n_units=6)
    first = predict_rrr_multi(session, [other])
    for changed, splits in ((session, ("test",)), (other, ("val", "test"))):
        for split in splits:
            trials = changed.trials_of(split)
            changed.values["whisker_motion_energy"][trials] += 50
            changed.values["choice"][trials] = 1 - changed.values["choice"][trials]
    second = predict_rrr_multi(session, [other])
    assert [item.task for item in second] == [
        Task("encoding", ("wheel_speed", "whisker_motion_energy", "choice", "block"), ("spikes",)),
        Task("decoding", ("spikes",), ("wheel_speed", "whisker_motion_energy", "choice", "block")),
    ]
    for name, values in second[1].values.items():
        np.testing.assert_array_equal(values, first[1].values[name])


def test_unknown_values_neither_train_nor_reach_the_predictions():
    session = make_session(names=("spikes", "wheel_speed", "choice"))
    session.values["wheel_speed"][session.trials_of("train")[:3], 2] = np.nan
    session.values["choice"][session.trials_of("train")[3:6]] = -1
    encoding, decoding = predict_rrr(session)
    for values in (*encoding.values.values(), *decoding.values.values()):
        assert np.isfinite(values).all()
    np.testing.assert_allclose(decoding.values["choice"].sum(1), 1, atol=1e-5)


def test_products_of_trials_that_know_a_target_are_those_of_their_own_inputs():
    (values,) = random_trials((8, 5, 4))
    known = np.array([2, 5, 6])
    own = values[known].reshape(3, -1)
    observed = Observed(values, train=np.array([1, 2, 4, 5, 6]))
    np.testing.assert_allclose(observed.products(known), own @ own.T, rtol=1e-5)


@pytest.mark.parametrize("name", ["rrr", "rrr-multi"])
def test_stage_writes_the_common_form(name, tmp_path):
    paths = [tmp_path / f"{n}.h5" for n in range(3)]
    write_aligned(paths[0], make_session(n_trials=200, n_units=12))
    write_aligned(paths[1], make_session("mouse2", n_units=9))
    write_aligned(paths[2], unusable_session("mouse3", "no whisker"))
    files = files_in(tmp_path)
    run_baseline(name=name, aligned=paths[0], others=paths[1:] if name == "rrr-multi" else (), **vars(files))
    table = pd.read_csv(files.metrics, keep_default_na=False)
    assert list(table.columns) == METRIC_COLUMNS and set(table["model"]) == {name}
    value = table.set_index(["target", "metric"])["value"].astype(float)
    assert value["spikes", "bits_per_spike"] > 0
    assert value["wheel_speed", "r2"] > 0.5
    assert value["choice", "balanced_accuracy"] > 0.7
    assert set(read_predictions(files.predictions)[1]) == {("encoding", "spikes")} | {
        ("decoding", target) for target in ("wheel_speed", "whisker_motion_energy", "choice", "block")
    }


def test_multi_session_needs_other_sessions(tmp_path):
    write_aligned(tmp_path / "s.h5", make_session())
    write_aligned(tmp_path / "other.h5", unusable_session("mouse2", "no whisker"))
    with pytest.raises(UserError, match="rrr-multi: needs aligned files of other sessions"):
        run_baseline(name="rrr-multi", aligned=tmp_path / "s.h5", **vars(files_in(tmp_path)))
    others = [tmp_path / "other.h5"]
    run_baseline(name="rrr-multi", aligned=tmp_path / "s.h5", others=others, **vars(files_in(tmp_path)))
    assert read_predictions(tmp_path / "predictions.h5")[1] == {}


def test_sessions_of_different_bins_or_modalities_are_refused():
    session = make_session()
    with pytest.raises(UserError, match=r"session mouse2 has 8 bins of 0\.05 s, session mouse1 has 10"):
        predict_rrr_multi(session, [make_session("mouse2", n_bins=8)])
    with pytest.raises(UserError, match="session mouse2 has no choice, block"):
        predict_rrr_multi(session, [make_session("mouse2", names=tuple(session.modalities)[:3])])


def test_multi_session_is_left_out_where_no_session_is_for_training(tmp_path):
    values = {"baselines": ["rrr", "rrr-multi"], "regimes": ["scratch"]}
    config, sessions = check_config(values, base=tmp_path)
    assert config.baselines_in_use(sessions) == ["rrr", "rrr-multi"]
    test_sessions = [session for session in sessions if session.role == "test"]
    assert config.baselines_in_use(test_sessions) == ["rrr"]
