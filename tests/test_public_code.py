"""Our network gives the outputs of the paper's public code, and starts and is trained as it where the settings say so."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from neds.data.store import TrialStore
from neds.modalities import BUILT_IN
from neds.model.batch import Batch
from neds.model.loss import loss_terms
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.model.stitching import SessionShape
from neds.training.scaling import loss_scales
from neds.training.settings import TrainingSettings
from neds.training.state import SHARED, TrainingState
from tests.aligned_sessions import WITH_STIMULUS, make_session

REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "public_code_forward.npz"
CPU = torch.device("cpu")
SCHEMES = ("encoding", "decoding", "within_spikes", "within_behaviour", "across")


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    """Weights, inputs, masks and outputs of the public code, in the names of our parameters."""
    if not REFERENCE.exists():
        pytest.skip("the outputs of the public code are not at hand")
    with np.load(REFERENCE) as arrays:
        return dict(arrays)


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def network_of(reference: dict[str, np.ndarray], mode: str) -> NEDS:
    """The network of a mode with the weights of the reference, whose shapes tell its size."""
    weights = {
        key.removeprefix(f"{mode}/weights/"): torch.from_numpy(value)
        for key, value in reference.items()
        if key.startswith(f"{mode}/weights/")
    }
    modalities = {name: BUILT_IN[name] for name in reference["modalities"].tolist()}
    n_units = reference["inputs/spikes"].shape[-1]
    settings = ModelSettings(
        dim=len(weights["mask_vector"]),
        layers=1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layers.")),
        mlp=len(weights["encoder.layers.0.up.bias"]),
        heads=4,
        rotary_base=10000.0,
        stitcher="mlp",
        readout_without_tokens="concatenated",
        per_trial_tokens="bins",
        hidden_values="vector",
        readout="token",
    )
    n_bins = reference["inputs/spikes"].shape[1]
    design = Design(settings, modalities, preset(mode, modalities, MaskingSettings()), n_bins)
    sessions = [SessionShape(str(s), {"spikes": n_units}) for s in range(len(weights["stitchers.session"]))]
    if mode == "encoding":
        readouts = [f"encoding/concatenated_readout/{s.eid}" for s in sessions]
        for part in ("weight", "bias"):
            parts = [reference[f"{readout}/{part}"].ravel() for readout in readouts]
            weights[f"stitchers.readouts.spikes.map.{part}"] = torch.from_numpy(np.concatenate(parts))
    model = NEDS(design, sessions)
    model.load_state_dict(weights)
    return model.eval()


def batch_of(reference: dict[str, np.ndarray]) -> Batch:
    sessions = reference["sessions"]
    groups = [(int(s), slice(*(np.flatnonzero(sessions == s)[[0, -1]] + [0, 1]))) for s in np.unique(sessions)]
    spikes = {"spikes": torch.from_numpy(reference["inputs/spikes"])}
    continuous = {
        name: torch.from_numpy(reference[f"inputs/{name}"])[..., None]
        for name in ("wheel_speed", "whisker_motion_energy")
    }
    return Batch(
        sessions=torch.from_numpy(sessions),
        groups=groups,
        counts=spikes,
        scaled_counts=spikes,
        continuous=continuous,
        columns={name: torch.ones(len(sessions), 1, dtype=torch.bool) for name in continuous},
        categorical={name: torch.from_numpy(reference[f"inputs/{name}"]).long() for name in ("choice", "block")},
        scalar={},
        valid={},
    )


@pytest.mark.parametrize(
    ("mode", "scheme"), [*(("mm", scheme) for scheme in SCHEMES), ("decoding", "decoding"), ("encoding", "encoding")]
)
def test_forward_pass_is_that_of_the_public_code(reference, double, mode, scheme):
    batch = batch_of(reference)
    hidden = torch.from_numpy(reference[f"mm/{scheme}/hidden"]).bool()
    with torch.no_grad():
        predictions = network_of(reference, mode)(batch, hidden)
    found = predictions.log_rates | predictions.means | predictions.logits
    expected = {
        key.rpartition("/")[2]: value for key, value in reference.items() if key.startswith(f"{mode}/{scheme}/outputs/")
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == torch.float64 and np.abs(found[name].numpy() - values).max() < 1e-7, name


def made(mode: str = "mm", **settings) -> tuple[NEDS, TrialStore]:
    sessions = [make_session(names=WITH_STIMULUS), make_session("mouse2", n_units=40, names=WITH_STIMULUS)]
    store = TrialStore(sessions, names=list(WITH_STIMULUS), device=CPU)
    size = {"dim": 32, "layers": 16, "heads": 2, "mlp": 64}
    torch.manual_seed(0)
    mode = preset(mode, store.modalities, MaskingSettings())
    return NEDS(Design(ModelSettings(**size | settings), store.modalities, mode, store.n_bins), store.shapes), store


def largest(values: torch.Tensor) -> float:
    return values.abs().max().item()


def test_network_starts_as_that_of_the_public_code():
    model, _ = made(init="public_code", locality=0.0, stitcher="mlp")
    assert not model.mask_vector.any()
    for table in (model.position, model.modality, model.stitchers.session):
        assert table.std().item() == pytest.approx(1, abs=0.1)
    depth = 0.67 * 16**-0.25
    layer = model.encoder.layers[3]
    inputs = {
        "query_key": (layer.attention.query_key, 32, 1.0),
        "value": (layer.attention.value, 32, depth * 2**0.5),
        "out": (layer.attention.out, 32, depth),
        "up": (layer.up, 32, depth),
        "down": (layer.down, 64, depth),
        "wheel readout": (model.stitchers.readouts["wheel_speed"].map, 32, 1.0),
    }
    for name, (linear, n_inputs, scale) in inputs.items():
        assert 0.9 < largest(linear.weight) * n_inputs**0.5 / scale <= 1, name
        assert 0 < largest(linear.bias) <= n_inputs**-0.5, name
    matrices = model.stitchers.tokens["spikes"].maps[0].matrices()
    for (weight, bias), n_units in zip(matrices, (7, 40), strict=True):
        assert 0.9 < largest(weight) * n_units**0.5 <= 1 and 0 < largest(bias) <= n_units**-0.5
    block = model.stitchers.tokens["block"].maps[0].weight
    assert not block[..., 0].any() and torch.equal(block[..., 2], 2 * block[..., 1]) and largest(block[..., 1]) > 0.9
    pool = model.stitchers.readouts["choice"].pool
    assert pool.min() > 0 and pool.max() < 1 and pool.mean().item() == pytest.approx(0.5, abs=0.15)


def test_what_the_public_code_has_not_starts_as_without_it():
    model, _ = made(init="public_code", per_trial_tokens="one")
    assert not model.told.weight.any() and not model.beside.weight.any()


def test_spikes_of_an_encoder_are_read_from_all_tokens_of_a_bin_side_by_side():
    """With the weights of one modality's part alone, the rates depend on the tokens of that one alone."""
    model, store = made("encoding", readout_without_tokens="concatenated", per_trial_tokens="bins")
    (weight, _), _ = model.stitchers.readouts["spikes"].map.matrices()
    assert weight.shape == (7, 5 * 32)
    h_BMTD = torch.randn(4, 5, store.n_bins, 32)
    batch = store.batch(np.zeros(4, dtype=int), np.arange(4))
    with torch.no_grad():
        weight[:, 64:96] = torch.randn(7, 32)
        encoded = dict(zip(model.layout.inputs, h_BMTD.unbind(1), strict=True))
        rates = model._read_out(["spikes"], encoded, {}, batch).log_rates["spikes"]
        expected = h_BMTD[:, 2] @ weight[:, 64:96].T + model.stitchers.readouts["spikes"].map.bias[:7]
    assert torch.allclose(rates, expected, atol=1e-5)


@pytest.mark.parametrize("site", ["mlp_dropout", "mlp_output_dropout", "attention_dropout", "attention_output_dropout"])
def test_every_site_of_dropout_acts_in_training_alone(site):
    others = dict.fromkeys(("token_dropout", "mlp_dropout", "unit_dropout"), 0.0)
    model, _ = made(**others | {site: 0.5})
    layer = model.encoder.layers[0]
    x_BPD, turns = torch.randn(2, 6, 32), torch.ones(6, 1, 8, 2)
    assert not torch.equal(layer.train()(x_BPD, turns), layer(x_BPD, turns))
    assert torch.equal(layer.eval()(x_BPD, turns), layer(x_BPD, turns))


@pytest.mark.parametrize(("scaling", "length"), [("unit_range", 1), ("symmetric_range", 2)])
def test_errors_of_scaled_behaviours(scaling, length):
    """Squared errors are those of behaviours scaled by hand, and values per trial count once for each bin."""
    model, store = made()
    sessions = [make_session(names=WITH_STIMULUS), make_session("mouse2", n_units=40, names=WITH_STIMULUS)]
    sessions[0].values["wheel_speed"][sessions[0].trials_of("test")] *= 100
    scales = loss_scales(
        sessions, store.modalities, TrainingSettings(loss_scaling=scaling, count_loss="per_value"), device=CPU
    )
    batch = store.batch(np.repeat([0, 1], 8), np.tile(np.arange(8), 2))
    with torch.no_grad():
        predictions = model(batch, torch.ones(16, 6, store.n_bins, dtype=torch.bool))
    for mean in predictions.means.values():
        mean.add_(torch.randn(mean.shape))
    target = {name: torch.rand(16, 1 if m.per_trial else store.n_bins) < 0.5 for name, m in store.modalities.items()}
    target = {name: mask.expand(16, store.n_bins) for name, mask in target.items()}
    terms = loss_terms(store.modalities, predictions, batch, target, scales=scales, per_token=True)
    plain = loss_terms(store.modalities, predictions, batch, target)

    total = 0.0
    for row in range(16):
        session, trial = sessions[row // 8], row % 8
        training = session.values["wheel_speed"][session.trials_of("train")]
        extent = training.max() - training.min()
        predicted = store.unscaled(row // 8, "wheel_speed", predictions.means["wheel_speed"][row]).numpy()
        true = make_session(session.eid, n_units=session.n_units, names=WITH_STIMULUS).values["wheel_speed"][trial]
        error = length * (predicted - true) / extent
        total += (error[target["wheel_speed"][row].numpy()] ** 2).sum()
    assert terms["wheel_speed"][0].item() == pytest.approx(total, rel=1e-3)
    assert terms["wheel_speed"][1] == target["wheel_speed"].sum()
    assert terms["spikes"] == plain["spikes"]
    for name in ("choice", "stimulus"):
        assert terms[name][1] == store.n_bins * plain[name][1] > 0
    assert terms["choice"][0] == plain["choice"][0] and 0 < terms["stimulus"][0] != plain["stimulus"][0]


def test_paper_losses_need_no_scales():
    settings = TrainingSettings(loss_scaling="standardised", count_loss="per_value")
    assert loss_scales([make_session()], make_session().modalities, settings, device=CPU) == {}


@pytest.mark.parametrize(("cycled", "expected"), [(True, (0.95, 0.85, 0.95)), (False, (0.9, 0.9, 0.9))])
def test_momentum_falls_while_the_learning_rate_rises(cycled, expected):
    """At the first step, at the largest learning rate, and at the last step."""
    model, _ = made(layers=1)
    optimizer = torch.optim.AdamW([{"params": list(model.parameters()), "lr": 0.1, "part": SHARED}])
    settings = TrainingSettings(epochs=5, cycled_beta1=cycled)
    state = TrainingState(model, [optimizer], settings, steps_per_epoch=10, device=CPU)
    rates, momenta = [], []
    for _ in range(50):
        (group,) = optimizer.param_groups
        rates.append(group["lr"])
        momenta.append(group["betas"][0])
        state.step(torch.zeros(2, len(state.outputs)), present=[0])
    found = momenta[0], momenta[int(np.argmax(rates))], momenta[-1]
    assert found == pytest.approx(expected, abs=5e-3)
