"""Compiled layers, and steps that a GPU replays, train the same network."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neds.data.store import TrialStore
from neds.errors import UserError
from neds.training.compiling import compiles, training_operations
from neds.training.distributed import Processes, alone
from neds.training.drawn import Drawn, drawn_parts
from neds.training.graphs import StepGraphs, _Recording, why_not_recorded
from neds.training.settings import MemorySettings
from neds.training.step import Parts, add_gradients
from tests.aligned_sessions import make_session
from tests.test_model import make_model
from tests.test_step import assert_close, gradients, make_state

CPU = torch.device("cpu")


def asked(compile_: bool | str, device: torch.device = CPU, n_trials: int = 10**12) -> bool:
    memory = MemorySettings.model_validate({"compile": compile_})
    model, _ = make_model(make_session())
    return compiles(memory, model, device, n_trials=n_trials, description="x", is_first=True)


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [False, True])
def test_compiled_layers_give_the_same_gradients(dropout):
    """And drop the same values, so that it does not matter whether a training is compiled."""
    plain, other = make_state(dropout=dropout), make_state(dropout=dropout)
    other[0].model.encoder.compiles = True
    assert_close(gradients(plain, 12), gradients(other, 12))


def test_layers_are_compiled_where_it_is_asked_for_and_can_be_done(monkeypatch):
    assert not asked("auto"), "on a CPU"
    assert not asked(False)
    monkeypatch.setattr("neds.training.compiling.compiler_fault", lambda device: "")
    assert asked(True)
    cuda = torch.device("cuda")
    assert asked("auto", cuda), "a long training on a GPU"
    assert not asked("auto", cuda, n_trials=1000), "it would take longer to compile"


def test_a_missing_compiler_is_one_line_where_it_was_asked_for_and_a_warning_otherwise(monkeypatch, caplog):
    def fails(function):
        raise RuntimeError("\n  Failed to find C compiler.\nSecond line")

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(UserError, match=r"x: training.compile is true, .*\(Failed to find C compiler.\); set it to"):
        asked(True)
    assert not asked("auto", torch.device("cuda"))
    assert "slower than it could, because torch.compile fails here: Failed to find C compiler." in caplog.text


def test_operations_are_those_that_torch_counts():
    state, store, run = make_state()
    # In products that are counted.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        gradients((state, store, run), 12)
    counted = sum(n for name, n in counter.get_flop_counts()["NEDS.encoder"].items())
    assert training_operations(state.model, 12) == pytest.approx(counted, rel=0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("n_sessions", [1, 3])
@pytest.mark.parametrize("at_once", [4, 3])
def test_a_replayed_step_has_the_gradients_of_the_step_itself(n_sessions, at_once):
    device = torch.device("cuda")
    found = []
    for recorded in (False, True):
        state, store, run = make_state(dropout=True, device=device, n_sessions=n_sessions)
        graphs = StepGraphs(state.model.parameters(), "x") if recorded else None
        for sessions in ([0, 0, 0, 0], [0, 0, n_sessions - 1, n_sessions - 1]):
            state.model.zero_grad()
            parts = Parts(at_once, alike=n_sessions > 1, graphs=graphs)
            rows = np.array(sessions), np.arange(4)
            sums = add_gradients(state.model, state, store, *rows, run, {}, alone(device), parts)
        found.append({"sums": sums} | {n: p.grad.clone() for n, p in state.model.named_parameters()})
    assert_close(*found)


class Replay:
    """In the place of a CUDA graph: leaves gradients of 1."""

    def __init__(self, weight: torch.nn.Parameter):
        self.gradient = torch.ones_like(weight)

    def replay(self) -> None:
        pass


def test_where_memory_is_short_a_training_goes_on_without_recorded_steps(monkeypatch, caplog):
    """An epoch's short last batch, or validation, may find too little beside the steps that are recorded."""
    caplog.set_level("INFO")
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))
    state, store, run = make_state(n_sessions=1)
    weight = next(state.model.parameters())
    graphs = StepGraphs([weight], "pretraining")

    def recorded(self: StepGraphs, drawn: Sequence[Drawn], gradients: Callable[..., torch.Tensor]) -> _Recording:
        if len(drawn[0].chosen.trials) < 4:
            raise torch.OutOfMemoryError
        replay = Replay(weight)
        return _Recording(replay, drawn[0].tensors(), torch.ones(2, 5), [replay.gradient])

    def eager(parts: Sequence[Drawn]) -> torch.Tensor:
        weight.grad = torch.full_like(weight, 2.0)
        return torch.ones(2, 5)

    def step(n_trials: int) -> float:
        """The gradient that it leaves."""
        rows = np.zeros(n_trials, int), np.arange(n_trials)
        drawn = drawn_parts(state.model.design, store, *rows, run.masking, np.arange(n_trials), 4, 0)
        weight.grad = None
        assert graphs.replayed(drawn, eager, seed=0).sum() == 10
        assert weight.grad is not None
        return float(weight.grad.flatten()[0])

    monkeypatch.setattr(StepGraphs, "_recorded", recorded)
    assert [step(4), step(4), step(3), step(4)] == [1, 1, 2, 2]
    assert caplog.text.count("pretraining: its steps are recorded no more") == 1

    graphs, tries = StepGraphs([weight], "pretraining"), iter([torch.OutOfMemoryError, None])

    def validation() -> str:
        if fault := next(tries):
            raise fault
        return "scores"

    assert step(4) == 1 and graphs.with_room(validation) == "scores" and step(4) == 2
    tries = iter([torch.OutOfMemoryError])
    with pytest.raises(torch.OutOfMemoryError):
        graphs.with_room(validation)


def test_steps_are_recorded_where_they_can_be(monkeypatch):
    state, store, _ = make_state()
    on_gpu = replace(alone(CPU), device=torch.device("cuda"))

    def reason(processes: Processes = on_gpu, n_trials: int = 16, **memory: Any) -> str:
        return why_not_recorded(state.model, store, MemorySettings(**memory), processes, n_trials=n_trials)

    assert "too small for the counts" in reason()
    monkeypatch.setattr(TrialStore, "is_on_device", True)
    assert not reason()
    assert reason(alone(CPU)) == "no GPU"
    assert "training.compile is false" in reason(compile=False)
    assert "training.recompute is true" in reason(recompute=True)
    assert "so many sessions" in reason(n_trials=10**8), "the weights of so many trials would not fit beside each other"
