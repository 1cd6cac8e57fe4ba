"""Compiled layers, and steps that a GPU replays, train the same network."""

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neds.errors import UserError
from neds.training.compiling import compiles, training_operations
from neds.training.distributed import alone
from neds.training.graphs import StepGraphs
from neds.training.settings import MemorySettings
from neds.training.step import add_gradients
from tests.aligned_sessions import make_session
from tests.test_model import make_model
from tests.test_step import assert_close, gradients, make_state

CPU = torch.device("cpu")


def asked(compile_: bool | str, device: torch.device = CPU, n_trials: int = 10**12) -> bool:
    memory = MemorySettings.model_validate({"compile": compile_})
    model, _ = make_model(make_session())
    return compiles(memory, model, device, n_trials=n_trials, description="x", is_first=True)


@pytest.mark.slow
def test_compiled_layers_give_the_same_gradients():
    plain, other = make_state(), make_state()
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
def test_a_replayed_step_has_the_gradients_of_the_step_itself():
    device = torch.device("cuda")
    found = []
    for recorded in (False, True):
        state, store, run = make_state(dropout=True, device=device, n_sessions=1)
        graphs = StepGraphs(state.model.parameters()) if recorded else None
        for start in (0, 4):
            state.model.zero_grad()
            rows = np.zeros(4, int), np.arange(start, start + 4)
            sums = add_gradients(state.model, state, store, *rows, run, {}, alone(device), 4, graphs)
        found.append({"sums": sums} | {n: p.grad.clone() for n, p in state.model.named_parameters()})
    assert_close(*found)
