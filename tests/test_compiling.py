"""Compiled layers train the same network."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from neds.errors import UserError
from neds.training.compiling import compiles, training_operations
from neds.training.settings import MemorySettings
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
