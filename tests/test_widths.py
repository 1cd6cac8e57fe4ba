"""Modalities of several values per bin, as many as each session needs."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from neds.baselines.linear import predict_linear
from neds.baselines.psth import predict_psth
from neds.baselines.rrr import predict_rrr_multi
from neds.config import check_config
from neds.errors import UserError
from neds.evaluation.metrics import r2, r2_weighted
from neds.evaluation.predict import predict
from neds.evaluation.score import score
from neds.evaluation.tasks import Task
from neds.figures.architecture import describe_network
from neds.files.aligned import AlignedSession, read_aligned, write_aligned
from neds.files.raw import Trace
from neds.modalities import BUILT_IN
from neds.model.loss import loss_terms
from neds.model.modes import preset
from neds.model.network import Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.partition.components import fit_components
from neds.partition.settings import PartitionSettings
from neds.partition.statistics import training_statistics
from tests.aligned_sessions import make_session
from tests.test_model import make_model, masks, whole_batch
from tests.test_partition import recording, run, with_trace

MIXED = np.random.default_rng(1).normal(size=(3, 40)) * np.array([[3], [2], [1]])


def with_lfp(session: AlignedSession, width: int) -> AlignedSession:
    """The session with components that follow the wheel, each less than the one before."""
    rng = np.random.default_rng(width)
    wheel = session.values["wheel_speed"]
    lfp = wheel / np.arange(1, width + 1) + rng.normal(size=(*wheel.shape[:2], width))
    modalities = session.modalities | {"lfp": BUILT_IN["lfp"].model_copy(update={"width": width})}
    values = session.values | {"lfp": lfp.astype(np.float32)}
    statistics = training_statistics(values, modalities, session.split == 0)
    return replace(session, modalities=modalities, values=values, statistics=statistics)


def random_latents(n: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, 3))


def test_components_hold_the_share_of_the_variance_that_was_asked_for():
    noise = 1e-3 * np.random.default_rng(2).normal(size=(20, 10, 40))
    values = (random_latents(200) @ MIXED).reshape(20, 10, 40) + 5 + noise
    everywhere = np.ones(20, bool)
    three = fit_components(values, everywhere, PartitionSettings())
    assert len(three.weights) == 3 and three.variance_share.sum() > 0.99
    np.testing.assert_allclose(three.restored(three.project(values)), values, atol=0.02)
    rows = values.reshape(-1, 40) - values.mean((0, 1))
    singular = np.linalg.svd(rows, compute_uv=False)
    np.testing.assert_allclose(three.project(values).reshape(-1, 3).std(0), singular[:3] / np.sqrt(200), rtol=1e-4)
    assert len(fit_components(values, everywhere, PartitionSettings(max_components=2)).weights) == 2
    half = PartitionSettings(component_variance=0.5)
    assert len(fit_components(values, everywhere, half).weights) == 1


def test_components_are_fitted_to_training_trials_and_kept_in_the_aligned_file(tmp_path):
    clock = np.arange(0, 260, 0.02)
    values = (random_latents(len(clock)) @ MIXED).astype(np.float32)
    modalities = {"spikes": BUILT_IN["spikes"], "lfp": BUILT_IN["lfp"]}
    raw = with_trace(recording(), "lfp", Trace(clock, values))
    session = run(tmp_path, raw, modalities=modalities)
    assert session.modalities["lfp"].width == 3 and session.values["lfp"].shape == (60, 100, 3)
    again = read_aligned(tmp_path / "aligned.h5").components["lfp"]
    assert again.weights.shape == (3, 40)

    test_windows = session.trials["align_time_s"].to_numpy()[session.trials_of("test")]
    disturbed = values.copy()
    for onset in test_windows:
        disturbed[(clock > onset - 0.6) & (clock < onset + 1.6), 0] += 100
    other = run(tmp_path, with_trace(raw, "lfp", Trace(clock, disturbed)), modalities=modalities)
    np.testing.assert_allclose(other.components["lfp"].weights, again.weights, atol=1e-5)


def test_sessions_of_different_widths_train_together_and_predict_their_own_columns():
    wide, narrow = with_lfp(make_session(), 4), with_lfp(make_session("mouse2"), 2)
    model, store = make_model(wide, narrow)
    batch = whole_batch(store)
    hidden = masks(model, batch).hidden
    target = dict(zip(store.modalities, hidden.unbind(1), strict=True))
    predictions = model(batch, hidden)
    total, number = loss_terms(store.modalities, predictions, batch, target)["lfp"]
    errors = (predictions.means["lfp"] - batch.continuous["lfp"]).square() * target["lfp"][..., None]
    assert total.item() == pytest.approx((errors[:6].sum() + errors[6:, :, :2].sum()).item(), rel=1e-5)
    assert number.item() == 4 * target["lfp"][:6].sum() + 2 * target["lfp"][6:].sum()

    task = Task("encoding", ("wheel_speed", "choice"), ("lfp",))
    for index, (session, width) in enumerate(((wide, 4), (narrow, 2))):
        predicted = predict(model, store, index, "test", task)["lfp"]
        assert predicted.shape[-1] == width
        assert {"r2", "r2_weighted"} <= score(session, "lfp", predicted, session.trials_of("test")).keys()


def test_a_narrow_session_is_the_same_beside_a_wide_one():
    wide, narrow = with_lfp(make_session(), 4), with_lfp(make_session("mouse2"), 2)
    together, both = make_model(narrow, wide)
    alone, own = make_model(narrow)
    shared = {k: v for k, v in together.state_dict().items() if not k.startswith("stitchers.")}
    with torch.no_grad():
        alone.load_state_dict(shared, strict=False)
        stitchers = dict(together.stitchers.named_parameters())
        for name, parameter in alone.stitchers.named_parameters():
            weights = stitchers[name].flatten()[: parameter.numel()] if "spikes" in name else stitchers[name][:1]
            if "lfp" in name:
                weights = weights[tuple(slice(n) for n in parameter.shape)]
            parameter.copy_(weights.reshape(parameter.shape))
    task = Task("decoding", ("spikes", "lfp"), ("wheel_speed", "choice"))
    first, second = (predict(m, s, 0, "test", task) for m, s in ((together, both), (alone, own)))
    np.testing.assert_allclose(first["wheel_speed"], second["wheel_speed"], rtol=1e-4, atol=1e-5)


def test_baselines_predict_every_column():
    names = ("spikes", "wheel_speed")
    session, other = with_lfp(make_session(names=names), 3), with_lfp(make_session("mouse2", names=names), 2)
    encoded = {"psth": predict_psth(session), "linear": predict_linear(session)}
    encoded["rrr-multi"] = predict_rrr_multi(session, [other])
    for predicted in encoded.values():
        values = next(item.values["lfp"] for item in predicted if "lfp" in item.values)
        assert values.shape == (12, 10, 3) and np.isfinite(values).all()
    linear = next(item.values["lfp"] for item in encoded["linear"] if "lfp" in item.values)
    assert score(session, "lfp", linear, session.trials_of("test"))["r2"] > 0.3


def test_weighted_r2_is_the_share_of_all_variance_that_is_explained():
    truth = np.random.default_rng(0).normal(size=(30, 10, 2)) * [10, 1] + [0, 500]
    predicted = np.stack([truth[..., 0], np.full((30, 10), 500.0)], axis=-1)
    assert r2_weighted(truth, predicted) == pytest.approx(1 - 1 / 101, abs=2e-3)
    assert r2_weighted(truth[..., :1], predicted[..., :1] + 3) == r2(truth[..., 0], predicted[..., 0] + 3)


def test_shared_factors_of_a_behaviour_as_wide_as_each_session_needs_are_refused(tmp_path):
    custom = {"video": {"kind": "continuous", "width": None}}
    values = {"modalities": ["spikes", "video"], "custom_modalities": custom, "baselines": ["rrr-multi"]}
    with pytest.raises(UserError, match="config key baselines: rrr-multi needs the same columns of video"):
        check_config(values, base=tmp_path)


def test_components_survive_writing(tmp_path):
    session = with_lfp(make_session(), 2)
    components = fit_components(session.values["lfp"], session.split == 0, PartitionSettings())
    write_aligned(tmp_path / "a.h5", replace(session, components={"lfp": components}))
    read = read_aligned(tmp_path / "a.h5").components["lfp"]
    for name in ("mean", "weights", "variance_share"):
        np.testing.assert_array_equal(getattr(read, name), getattr(components, name))


def test_the_drawing_of_the_network_says_that_the_width_is_each_sessions_own():
    modalities = {name: BUILT_IN[name] for name in ("spikes", "lfp", "wheel_speed", "licks")}
    design = Design(ModelSettings(), modalities, preset("mm", modalities, MaskingSettings()), 10)
    facts = describe_network(design).set_index(["modality", "quantity"])["value"]
    assert facts["lfp", "values"] == "d × 10 bins" and facts["wheel_speed", "values"] == "10 bins"
    assert facts["lfp", "readout"].endswith("→ d")
