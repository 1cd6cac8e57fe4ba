"""The invariants of the model: nothing leaks, nothing that should count is left out, sessions do not disturb each other."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from neds.data.store import TrialStore, stacked_valid
from neds.modalities import Modality
from neds.model.batch import Batch, Predictions
from neds.model.checkpoint import Checkpoint, load_network, write_checkpoint
from neds.model.header import read_header
from neds.model.loss import loss_terms, total_loss
from neds.model.masking import Mask, draw_masks, observe
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from tests.aligned_sessions import WITH_STIMULUS, make_session

CPU = torch.device("cpu")
SCHEMES = ("encoding", "decoding", "within_spikes", "within_behaviour", "across", "units", "future")
SIZE = {"dim": 16, "layers": 2, "heads": 2, "mlp": 32}
# The trials of the tests have 10 bins, so that 4 leave an incomplete patch.
LAYOUTS = [{"per_trial_tokens": tokens, "patch_bins": patch} for tokens in ("bins", "one") for patch in (1, 4)]


def make_model(
    *sessions, mode: str = "mm", stitcher: str = "linear", seed: int = 0, perturbed: bool = True, **settings
) -> tuple[NEDS, TrialStore]:
    """A model of the sessions; `perturbed` moves what starts at 0 off it, so that inputs matter.

    Args:
        settings: of the model, beside those of its size.
    """
    store = TrialStore(list(sessions), names=list(sessions[0].modalities), device=CPU)
    torch.manual_seed(seed)
    design = Design(
        ModelSettings(stitcher=stitcher, **SIZE, **settings),
        store.modalities,
        preset(mode, store.modalities, MaskingSettings()),
        store.n_bins,
    )
    model = NEDS(design, store.shapes).eval()
    if perturbed:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("weight") and ("readouts" in name or name.startswith(("told", "beside"))):
                    parameter.normal_(std=0.3)
    return model, store


def whole_batch(store: TrialStore, per_session: int = 6) -> Batch:
    sessions = np.repeat(np.arange(len(store.eids)), per_session)
    return store.batch(sessions, np.tile(np.arange(per_session), len(store.eids)))


def as_list(predictions: Predictions) -> list[torch.Tensor]:
    """All predictions as (trials, ...) tensors."""
    by_kind = predictions.log_rates, predictions.means, predictions.logits, predictions.scalars
    return [prediction for by_name in by_kind for prediction in by_name.values()]


def masks(model: NEDS, batch: Batch, *, schemes: tuple[str, ...] = SCHEMES, ratio: float = 0.3, seed: int = 0) -> Mask:
    mask = draw_masks(
        list(model.design.modalities.values()),
        n_trials=batch.n_trials,
        n_bins=model.design.n_bins,
        scheme_weights=dict.fromkeys(schemes, 1.0),
        n_units={name: columns.shape[1] for name, columns in batch.columns.items()},
        settings=MaskingSettings(ratio=ratio),
        generator=torch.Generator().manual_seed(seed),
    )
    return mask.where_known(stacked_valid(batch, model.design.modalities), batch.columns)


def scrambled(batch: Batch, mask: Mask, order: list[str]) -> Batch:
    """The batch with another value wherever it is hidden; values per trial change where all of T is hidden."""
    hidden_of = dict(zip(order, mask.hidden.unbind(1), strict=True))
    scaled = {name: torch.where(hidden_of[name][..., None], x + 5.0, x) for name, x in batch.scaled_counts.items()}
    for name, units in mask.hidden_units.items():
        scaled[name] = torch.where(units[:, None], scaled[name] + 5.0, scaled[name])
    continuous = {name: torch.where(hidden_of[name][..., None], x - 4.0, x) for name, x in batch.continuous.items()}
    categorical = {name: torch.where(hidden_of[name].all(-1), (x + 1) % 2, x) for name, x in batch.categorical.items()}
    scalar = {name: torch.where(hidden_of[name].all(-1), x + 3.0, x) for name, x in batch.scalar.items()}
    return replace(batch, scaled_counts=scaled, continuous=continuous, categorical=categorical, scalar=scalar)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stitcher", ["linear", "mlp"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_value_of_a_masked_input_changes_no_output(scheme, stitcher, layout):
    model, store = make_model(make_session(names=WITH_STIMULUS), stitcher=stitcher, **layout)
    batch = whole_batch(store)
    mask = masks(model, batch, schemes=(scheme,))
    assert mask.hidden.any()
    other = scrambled(batch, mask, list(model.design.modalities))
    assert not mask.hidden_units or not torch.equal(other.scaled_counts["spikes"], batch.scaled_counts["spikes"])
    pair = [as_list(model(each.without_units(mask.hidden_units), mask.hidden)) for each in (batch, other)]
    for before, after in zip(*pair, strict=True):
        assert torch.equal(before, after)
    nothing = torch.zeros_like(mask.hidden)
    changed = zip(as_list(model(batch, nothing)), as_list(model(other, nothing)), strict=True)
    assert any(not torch.equal(before, after) for before, after in changed), "visible values must matter"


@pytest.mark.parametrize("hidden_values", ["vector", "vector_and_bin"])
@pytest.mark.parametrize("readout", ["token", "bin"])
def test_hidden_value_is_told_what_is_seen_of_its_bin(hidden_values, readout):
    """Without an encoder between them a hidden trace changes in those bins alone in which something else changed, or nowhere
    where neither setting asks for it.
    """
    model, store = make_model(make_session(), hidden_values=hidden_values, readout=readout)
    model.encoder = torch.nn.Identity()
    model.encoder.forward = lambda tokens, times, read: tokens.index_select(1, read)
    batch = whole_batch(store)
    hidden = observe(list(store.modalities.values()), stacked_valid(batch, store.modalities), {"spikes"})
    later = torch.arange(store.n_bins) >= 6
    counts = batch.scaled_counts["spikes"]
    other = replace(batch, scaled_counts={"spikes": torch.where(later[:, None], counts + 1.0, counts)})
    before, after = (model(each, hidden, ["wheel_speed"]).means["wheel_speed"] for each in (batch, other))
    told = (hidden_values, readout) != ("vector", "token")
    assert torch.equal((before != after).any(0).any(-1), later & told)


def test_checkpoint_from_before_some_settings_is_read_as_it_was(tmp_path):
    model, store = make_model(make_session(), hidden_values="vector", readout="token")
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, Checkpoint(model.design, store.shapes), model.state_dict())
    header = read_header(path)
    for key in ("hidden_values", "readout"):
        del header["design"]["settings"][key]
    save_file(load_file(path), path, metadata={"neds": json.dumps(header)})
    batch = whole_batch(store)
    hidden = masks(model, batch).hidden
    for before, after in zip(as_list(model(batch, hidden)), as_list(load_network(path)[0](batch, hidden)), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", ["mm", "encoding", "decoding"])
def test_other_sessions_in_a_batch_change_no_prediction(mode, layout):
    """Also for a session with a single trial in the batch, and with more and with fewer units than its neighbours."""
    first, second, third = (
        make_session(eid, n_units=n, names=WITH_STIMULUS) for eid, n in (("mouse1", 7), ("mouse2", 20), ("mouse3", 3))
    )
    model, store = make_model(first, second, third, mode=mode, **layout)
    sessions, trials = np.array([0, 0, 0, 1, 2, 2]), np.array([4, 1, 2, 5, 0, 7])
    batch = store.batch(sessions, trials)
    hidden = masks(model, batch).hidden
    together = model(batch, hidden)
    for row, (session, trial) in enumerate(zip(sessions, trials, strict=True)):
        alone = model(store.batch(np.array([session]), np.array([trial])), hidden[row : row + 1])
        for name, log_rates in alone.log_rates.items():
            own = together.log_rates[name][row, :, : log_rates.shape[-1]]
            assert torch.allclose(own, log_rates[0], atol=1e-5)
        for name in together.means:
            assert torch.allclose(together.means[name][row], alone.means[name][0], atol=1e-5)
        for name in together.logits:
            assert torch.allclose(together.logits[name][row], alone.logits[name][0], atol=1e-5)
        for name in together.scalars:
            assert torch.allclose(together.scalars[name][row], alone.scalars[name][0], atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stitcher", ["linear", "mlp"])
@pytest.mark.parametrize("mode", ["mm", "encoding", "decoding"])
def test_every_parameter_is_trained_saved_and_loaded(mode, stitcher, layout, tmp_path):
    sessions = make_session(names=WITH_STIMULUS), make_session("mouse2", n_units=4, names=WITH_STIMULUS)
    model, store = make_model(*sessions, mode=mode, stitcher=stitcher, **layout)
    batch = whole_batch(store, per_session=40)
    mask = masks(model, batch, schemes={"mm": SCHEMES}.get(mode, (mode,)))
    target = dict(zip(model.design.modalities, mask.target.unbind(1), strict=True))
    model.train()
    total_loss(loss_terms(model.design.modalities, model(batch, mask.hidden), batch, target), {}).backward()
    without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # A unimodal decoder never hides an input, so it has no use for the mask vector.
    assert without == (["mask_vector"] if mode == "decoding" else [])

    model.eval()
    write_checkpoint(tmp_path / "m.safetensors", Checkpoint(model.design, model.session_shapes), model.state_dict())
    loaded, _ = load_network(tmp_path / "m.safetensors")
    for before, after in zip(as_list(model(batch, mask.hidden)), as_list(loaded(batch, mask.hidden)), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_model_starts_at_the_null_model(layout):
    """Before training: each unit's mean rate, the behaviours' means, the class frequencies."""
    session = make_session(names=WITH_STIMULUS)
    model, store = make_model(session, perturbed=False, **layout)
    batch = whole_batch(store)
    predictions = model(batch, masks(model, batch).hidden)
    mean = torch.as_tensor(session.statistics["spikes"]["mean"], dtype=torch.float32)
    assert torch.allclose(predictions.log_rates["spikes"].exp(), mean.expand(6, 10, -1), rtol=1e-4)
    assert not predictions.means["wheel_speed"].any() and not predictions.scalars["stimulus"].any()
    frequency = torch.as_tensor(session.statistics["block"]["frequency"], dtype=torch.float32)
    assert torch.allclose(predictions.logits["block"].softmax(-1), frequency.expand(6, -1), atol=1e-4)


@pytest.mark.parametrize("mode", ["mm", "encoding", "decoding"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_output_is_predicted_alone_as_with_the_others(layout, mode):
    """Though the last layer then encodes only those tokens that it is read from."""
    model, store = make_model(
        make_session(names=WITH_STIMULUS), make_session("mouse2", names=WITH_STIMULUS), mode=mode, **layout
    )
    batch = whole_batch(store)
    hidden = masks(model, batch).hidden
    together = model(batch, hidden)
    for name in model.design.mode.outputs:
        alone = model(batch, hidden, [name])
        for of_all, own in zip(vars(together).values(), vars(alone).values(), strict=True):
            assert own.keys() == {name} & of_all.keys()
            assert all(torch.allclose(own[name], of_all[name], atol=1e-5) for name in own)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_new_session_takes_over_what_sessions_share(layout):
    pretrained, _ = make_model(make_session(), make_session("mouse2"), seed=1, **layout)
    model, _ = make_model(make_session("mouse3", n_units=5), seed=2, **layout)
    model.adopt(pretrained)
    assert torch.equal(model.position, pretrained.position)
    assert torch.equal(model.encoder.layers[0].up.weight, pretrained.encoder.layers[0].up.weight)
    assert torch.allclose(model.stitchers.session[0], pretrained.stitchers.session.mean(0))


def test_wheel_and_whisker_of_one_bin_have_the_same_rotary_angle():
    """Attention scores depend on the distance in time bins alone, whatever the modality."""
    from neds.model.transformer import rotary_turns, rotated

    turns = rotary_turns(torch.arange(5).repeat(2), 8, 100.0)
    assert torch.equal(turns[:5], turns[5:])
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    scores = [
        (rotated(query, turns[i : i + 1]) * rotated(key, turns[j : j + 1])).sum() for i, j in ((0, 2), (1, 3), (2, 4))
    ]
    assert torch.allclose(scores[0], scores[1], atol=1e-5) and torch.allclose(scores[1], scores[2], atol=1e-5)


def test_attention_starts_local():
    """At the start, the nearer a bin the higher its weight, whatever the modality; locality 0 prefers none."""
    from neds.model.settings import ModelSettings
    from neds.model.transformer import Encoder, rotary_turns

    @torch.no_grad()
    def first_logits(locality: float) -> torch.Tensor:
        settings = ModelSettings(dim=32, layers=1, heads=2, mlp=16, locality=locality)
        encoder = Encoder(settings)
        attention = encoder.layers[0].attention
        torch.nn.init.zeros_(attention.query_key.weight)
        turns = rotary_turns(torch.arange(8).repeat(2), encoder.head_dim, settings.rotary_base)
        query, key = attention.queries_and_keys(torch.randn(1, 16, 32), turns)
        return (query @ key.transpose(-1, -2))[0, 0, 0] / encoder.head_dim**0.5

    logits = first_logits(4.0)
    assert torch.allclose(logits[:8], logits[8:]) and logits[0] == pytest.approx(4.0, rel=1e-5)
    assert (logits[:4].diff() < 0).all() and logits[4:8].max() < logits[3]
    assert torch.equal(first_logits(0.0), torch.zeros(16))


@pytest.mark.parametrize("name", [name for name in dir(torch.nn.ModuleDict()) if not name.startswith("_")])
def test_names_that_torch_keeps_for_itself_are_refused_as_names_of_modalities(name):
    with pytest.raises(ValueError, match="torch keeps this name"):
        Modality(name=name, kind="continuous")
