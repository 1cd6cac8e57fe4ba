"""What a step does to the maps of a session that has no trial in the batch."""

import numpy as np
import pytest
import torch
from torch import nn

from neds.data.store import TrialStore
from neds.errors import Interrupted
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings
from neds.training.distributed import alone
from neds.training.loop import _beginning
from neds.training.settings import TrainingRun
from neds.training.state import TrainingState
from neds.training.step import Parts, add_gradients
from tests.aligned_sessions import WITH_STIMULUS, make_session
from tests.test_training import after, assert_same_run, settings, train_to

CPU = torch.device("cpu")
UNITS = (7, 20, 3)
BATCHES = ([0, 0, 1], [2], [0, 2, 2], [1, 1], [0], [2], [0, 1, 2])


def beginning(**training) -> tuple[TrainingState, TrialStore, TrainingRun]:
    sessions = [make_session(f"mouse{n}", n_units=n, names=WITH_STIMULUS) for n in UNITS]
    store = TrialStore(sessions, names=list(WITH_STIMULUS), device=CPU)
    run = TrainingRun.model_validate(
        {
            "mode": "mm",
            "modalities": list(WITH_STIMULUS),
            "model": {"dim": 16, "layers": 1, "heads": 2, "mlp": 16, "stitcher": "mlp"},
            "training": {"epochs": 3, "lr": 1e-2, "weight_decay": 0.1} | training,
        }
    )
    torch.manual_seed(0)
    design = Design(run.model, store.modalities, preset("mm", store.modalities, MaskingSettings()), store.n_bins)
    return _beginning(NEDS(design, store.shapes).train(), store, run.training), store, run


def parts(network: NEDS, session: int) -> dict[str, torch.Tensor]:
    """A session's own weights: by hand from the flat maps of spikes, rows of all others."""
    found = {}
    for name, value in network.stitchers.named_parameters():
        if name.startswith(("tokens.spikes.maps", "readouts.spikes.map")):
            first = name.startswith("tokens.spikes.maps.0")
            last = name.startswith("tokens.spikes.maps.1")
            sizes = [2 * n * n if first else 32 * n if last else 16 * n for n in UNITS]
            if name.endswith("bias"):
                sizes = [2 * n if first else 16 if last else n for n in UNITS]
            found[name] = value.split(sizes)[session]
        else:
            found[name] = value[session]
    return found


def step(
    made: tuple[TrainingState, TrialStore, TrainingRun], sessions: list[int]
) -> dict[int, dict[str, torch.Tensor]]:
    """A step on a batch; returns the gradients of each session in it."""
    state, store, run = made
    trials = np.arange(len(sessions))
    sums = add_gradients(state.model, state, store, np.array(sessions), trials, run, {}, alone(CPU), Parts(99))
    whole = {name: parameter.grad for name, parameter in state.model.named_parameters()}
    as_weights = NEDS(state.model.design, state.model.session_shapes)
    with torch.no_grad():
        for name, parameter in as_weights.named_parameters():
            parameter.copy_(whole[name])
    gradients = {session: parts(as_weights, session) for session in set(sessions)}
    state.step(sums, present=np.unique(sessions))
    return gradients


def test_absent_sessions_are_untouched_as_if_each_had_an_optimiser():
    """Against AdamW of a parameter for each session, which has no gradient where the session is absent."""
    made = beginning()
    network, learning_rates = made[0].model, made[0].learning_rates
    own = [{n: nn.Parameter(w.detach().clone()) for n, w in parts(network, s).items()} for s in range(3)]
    weights, others = [], []
    for name, parameter in ((n, p) for by_name in own for n, p in by_name.items()):
        (weights if name.endswith("weight") else others).append(parameter)
    plain = torch.optim.AdamW([{"params": weights, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}])
    for batch in BATCHES:
        before = [{n: w.detach().clone() for n, w in parts(network, s).items()} for s in range(3)]
        plain.zero_grad()
        for group in plain.param_groups:
            group["lr"] = learning_rates()["lr"]
        for session, gradients in step(made, batch).items():
            for name, gradient in gradients.items():
                own[session][name].grad = gradient.detach()
        plain.step()
        for session in range(3):
            for name, weight in parts(network, session).items():
                assert torch.allclose(weight, own[session][name], atol=1e-6), (session, name)
                assert session in batch or torch.equal(weight, before[session][name])


def test_absent_sessions_decay_where_it_is_asked_for():
    made = beginning(absent_sessions="decay")
    for _ in range(2):
        step(made, [0, 1, 2])
    before = [parts(made[0].model, session)["session"].clone() for session in range(3)]
    step(made, [0])
    assert all(not torch.equal(parts(made[0].model, s)["session"], old) for s, old in enumerate(before))


def test_untouched_sessions_go_on_from_a_saved_state(tmp_path):
    sessions = make_session(), make_session("mouse2", n_units=4)
    values = settings(epochs=2, batch_size=2)
    calm = train_to(tmp_path / "calm", values, *sessions)
    with pytest.raises(Interrupted):
        train_to(tmp_path / "stopped", values, *sessions, should_stop=after(30))
    assert_same_run(calm, train_to(tmp_path / "stopped", values, *sessions))
