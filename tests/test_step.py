"""A step of training: the gradients of a batch do not depend on how it is gone through, and nothing waits for a GPU."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from neds.data.store import TrialStore
from neds.errors import UserError
from neds.model.batch import Predictions
from neds.model.loss import loss_terms, target_numbers
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings
from neds.partition.statistics import training_statistics
from neds.training.distributed import alone
from neds.training.memory import explained, trial_step, trials_at_once, trials_that_fit
from neds.training.scaling import loss_scales
from neds.training.settings import CountLoss, MemorySettings, TrainingRun, TrainingSettings
from neds.training.state import SHARED, TrainingState
from neds.training.step import Parts, add_gradients
from tests.aligned_sessions import WITH_STIMULUS, make_session
from tests.test_model import make_model, masks, whole_batch

CPU = torch.device("cpu")
DROPOUTS = {"token_dropout": 0.2, "mlp_dropout": 0.2, "attention_dropout": 0.2, "unit_dropout": 0.5, "input_noise": 0.1}


def unequal_sessions() -> list:
    sessions = [make_session(f"mouse{n}", n_units=n, names=WITH_STIMULUS) for n in (7, 20, 3)]
    sessions[0].values["wheel_speed"][:, 3] = np.nan
    sessions[1].values["choice"][::2] = -1
    return sessions


def make_state(
    *,
    dropout: bool = False,
    recompute: bool = False,
    mode: str = "mm",
    device: torch.device = CPU,
    n_sessions: int = 3,
) -> tuple[TrainingState, TrialStore, TrainingRun]:
    store = TrialStore(unequal_sessions()[:n_sessions], names=list(WITH_STIMULUS), device=device)
    model = (
        dict.fromkeys(DROPOUTS, 0.0) | {"dim": 16, "layers": 2, "heads": 2, "mlp": 32} | (DROPOUTS if dropout else {})
    )
    run = TrainingRun.model_validate({"mode": mode, "modalities": list(WITH_STIMULUS), "model": model})
    torch.manual_seed(0)
    design = Design(run.model, store.modalities, preset("mm", store.modalities, MaskingSettings()), store.n_bins)
    network = NEDS(design, store.shapes).to(device).train()
    network.encoder.recomputes = recompute
    optimizer = torch.optim.AdamW([{"params": list(network.parameters()), "part": SHARED}], fused=True)
    return TrainingState(network, [optimizer], run.training, steps_per_epoch=9, device=device), store, run


WHOLE = [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2], range(12)


def gradients(
    made: tuple[TrainingState, TrialStore, TrainingRun],
    at_once: int,
    *,
    alike: bool = False,
    rows: tuple[Sequence[int], Sequence[int]] = WHOLE,
) -> dict[str, torch.Tensor]:
    """Of a batch, sessions and trials, of 12 trials when omitted, with its sums of the loss as "sums"."""
    state, store, run = made
    state.model.zero_grad()
    sessions, trials = map(np.array, rows)
    sums = add_gradients(state.model, state, store, sessions, trials, run, {}, alone(CPU), Parts(at_once, alike=alike))
    return {name: parameter.grad for name, parameter in state.model.named_parameters()} | {"sums": sums}


def assert_close(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    for name, value in first.items():
        assert (value - second[name]).norm() <= 1e-5 * value.norm() + 1e-7, name


@pytest.mark.parametrize("at_once", [1, 3, 5])
def test_gradients_of_a_batch_do_not_depend_on_its_parts(at_once):
    """Each part divides by the targets of the whole batch: parts have unequal numbers of them, and some have none."""
    made = make_state()
    assert_close(gradients(made, 12), gradients(made, at_once))


@pytest.mark.parametrize("rows", [WHOLE, ([0, 0, 2], [0, 1, 2])])
def test_gradients_of_batches_that_are_alike_are_the_same(rows):
    """The maps of sessions of 7, 20 and 3 units are filled up to one size, which a GPU's recorded steps need; what is
    drawn is the same, whether the session of 20 is in the batch or not.
    """
    made = make_state(dropout=True)
    assert_close(gradients(made, 12, rows=rows), gradients(made, 12, alike=True, rows=rows))


def test_recomputed_activations_give_the_same_gradients_bit_for_bit():
    """With every dropout on, whose draws are repeated."""
    held, recomputed = (gradients(make_state(dropout=True, recompute=recompute), 5) for recompute in (False, True))
    assert all(torch.equal(value, recomputed[name]) for name, value in held.items())


class Waits(TorchDispatchMode):
    """Collects operations for whose result the host has to wait: reading a value, or a shape that depends on values."""

    names = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func, types: Sequence, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        is_boolean_index = name in ("index", "index_put_") and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if name in self.names or is_boolean_index:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("alike", [False, True])
def test_step_waits_for_no_value(monkeypatch, alike):
    """All of a step but the drawing of masks, which stays in main memory."""
    made = make_state(dropout=True)
    state, store, _ = made
    batch = store.batch(np.repeat([0, 1], 6), np.tile(np.arange(6), 2))
    drawn = masks(state.model, batch)
    monkeypatch.setattr("neds.training.drawn.draw_masks", lambda *args, **kwargs: drawn)
    gradients(made, 5, alike=alike)
    state.step(torch.zeros_like(state.loss_sums), present=[0])
    with Waits() as waits:
        sums = gradients(made, 5, alike=alike)["sums"]
        state.step(sums, present=[0])
    assert not waits.found
    with Waits() as waits:
        float(sums.sum())
    assert waits.found


def test_numbers_of_targets_are_counted_without_predictions():
    model, store = make_model(*unequal_sessions())
    batch = whole_batch(store)
    mask = masks(model, batch)
    target = dict(zip(model.design.modalities, mask.target.unbind(1), strict=True))
    terms = loss_terms(model.design.modalities, model(batch, mask.hidden), batch, target)
    numbers = target_numbers(model.design.modalities, batch, target, per_token=False)
    assert {name: int(number) for name, (_, number) in terms.items()} == {n: int(x) for n, x in numbers.items()}
    units = torch.tensor([store.shapes[session].units["spikes"] for session in batch.sessions])
    assert numbers["spikes"] == (target["spikes"].sum(1) * units).sum()


def step_that_needs(room: int, tried: list[int]):
    """A step that runs out of memory with more trials than `room`."""

    def step(at_once: int) -> None:
        tried.append(at_once)
        if at_once > room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 104 GiB")

    return step


def test_as_many_trials_at_once_as_fit_are_found():
    for room, found in ((1024, 1024), (300, 256), (1, 1)):
        tried: list[int] = []
        assert trials_that_fit(step_that_needs(room, tried), 1024) == found == tried[-1]
    assert trials_that_fit(step_that_needs(5, []), 17) == 5
    with pytest.raises(torch.OutOfMemoryError):
        trials_that_fit(step_that_needs(0, []), 16)


def test_step_that_finds_what_fits_changes_nothing():
    state, store, run = made = make_state(dropout=True)
    before = {name: value.clone() for name, value in gradients(made, 12).items()}
    weights = state.weights()
    assert trials_that_fit(trial_step(state, store, run, None, 12), 12) == 12
    assert all(parameter.grad is None for parameter in state.model.parameters())
    assert all(torch.equal(weights[name], weight) for name, weight in state.weights().items())
    assert all(torch.equal(value, before[name]) for name, value in gradients(made, 12).items())


def test_resumed_run_takes_what_it_began_with_unless_that_is_too_much_for_this_gpu(monkeypatch, caplog):
    room = 8
    monkeypatch.setattr("neds.training.memory.trials_that_fit", lambda step, n_trials: min(n_trials, room))
    state, store, run = make_state()

    def found(**memory: int) -> int:
        on_gpu = alone(torch.device("cuda"))
        return trials_at_once(MemorySettings(**memory), state, store, run, None, on_gpu, 12, "pretraining")

    assert found() == state.progress.trials_at_once == 8
    room = 12
    assert found() == 8
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    room = 4
    assert found() == state.progress.trials_at_once == 4
    assert "began with 8 trials at once, of which 4 fit this GPU" in caplog.text
    assert found(trials_at_once=6) == 6


@pytest.mark.parametrize(
    ("at_once", "advice"), [(64, "trials_at_once 32 or less, training.recompute true"), (1, "try training.recompute")]
)
def test_gpu_out_of_memory_says_what_to_set(at_once, advice, caplog):
    caplog.set_level(logging.DEBUG)
    said = f"pretraining: the GPU's memory is too small for {at_once} trial.*{advice}"
    with pytest.raises(UserError, match=said), explained("pretraining", at_once):
        step_that_needs(0, [])(1)
    assert "104 GiB" in caplog.text


def test_largest_batch_is_of_the_session_with_most_units():
    _, store, _ = make_state()
    sessions, trials = store.widest("train", 100)
    assert set(sessions) == {1} and len(trials) == 100
    assert set(trials) == set(store.trials[1]["train"])


def test_loss_per_spike_is_that_of_a_spike_whatever_else_is_silent():
    """Bins and units without a spike, rightly predicted, make a loss per value small and leave one per spike as it is."""

    def loss(n_silent: int, count_loss: CountLoss) -> float:
        session = make_session(names=("spikes",))
        counts = np.pad(session.values["spikes"], [(0, 0), (0, 0), (0, n_silent)])
        training = np.isin(np.arange(len(counts)), session.trials_of("train"))
        statistics = training_statistics({"spikes": counts}, session.modalities, training)
        session = replace(
            session, values={"spikes": counts}, statistics=statistics, units=make_session(n_units=7 + n_silent).units
        )
        store = TrialStore([session], names=["spikes"], device=CPU)
        batch = store.batch(np.zeros(12, dtype=int), session.trials_of("train")[:12])
        log_rates = torch.where(torch.arange(7 + n_silent) < 7, 0.0, -20.0).expand(batch.counts["spikes"].shape)
        predictions = Predictions(log_rates={"spikes": log_rates}, means={}, logits={}, scalars={})
        scales = loss_scales([session], store.modalities, TrainingSettings(count_loss=count_loss), device=CPU)
        target = {"spikes": torch.ones(12, store.n_bins, dtype=torch.bool)}
        total, number = loss_terms(store.modalities, predictions, batch, target, scales=scales)["spikes"]
        return float(total / number)

    assert loss(21, "per_spike") == pytest.approx(loss(0, "per_spike"), rel=1e-5)
    assert loss(21, "per_value") == pytest.approx(loss(0, "per_value") / 4, rel=1e-5)
