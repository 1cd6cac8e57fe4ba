"""Steps that a GPU replays as CUDA graphs train the same network, and give way where memory is short."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from neds.data.store import TrialStore
from neds.training.distributed import Processes, alone
from neds.training.drawn import Drawn, drawn_parts
from neds.training.graphs import StepGraphs, _Recording, why_not_recorded
from neds.training.settings import MemorySettings
from neds.training.step import Parts, add_gradients
from neds.training.validate import Validation, validate
from tests.aligned_sessions import make_session
from tests.test_step import CPU, assert_close, make_state
from tests.test_training import assert_same_run, settings, train_to


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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_memory_that_ends_while_a_step_is_recorded_ends_no_training():
    device = torch.device("cuda")
    state, store, run = make_state(device=device, n_sessions=1)
    drawn = drawn_parts(state.model.design, store, *np.zeros((2, 4), int), run.masking, np.arange(4), 4, 0)
    weight = next(state.model.parameters())

    def gradients(parts: Sequence[Drawn]) -> torch.Tensor:
        if torch.cuda.is_current_stream_capturing():
            torch.empty(2**50, device=device)
        weight.grad = torch.ones_like(weight)
        return torch.ones(2, 5, device=device)

    graphs = StepGraphs([weight], "x")
    for _ in range(2):
        weight.grad = None
        assert graphs.replayed(drawn, gradients, seed=0).sum() == 10
        assert weight.grad is not None and weight.grad.sum() == weight.numel()


class Replay:
    """In the place of a CUDA graph: leaves gradients of 1."""

    def __init__(self, weight: torch.nn.Parameter):
        self.gradient = torch.ones_like(weight)

    def replay(self) -> None:
        pass


class Recorder:
    """Steps of one session whose recording, by a stand-in, works with 4 trials and runs out of memory with fewer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))
        monkeypatch.setattr(StepGraphs, "_recorded", lambda graphs, drawn, gradients: self.recorded(drawn))
        self.state, self.store, self.run = make_state(n_sessions=1)
        self.weight = next(self.state.model.parameters())
        self.graphs = StepGraphs([self.weight], "pretraining")
        self.replays: weakref.WeakSet[Replay] = weakref.WeakSet()

    def recorded(self, drawn: Sequence[Drawn]) -> _Recording:
        if len(drawn[0].chosen.trials) < 4:
            self.weight.grad = torch.ones_like(self.weight)
            raise torch.OutOfMemoryError
        replay = Replay(self.weight)
        self.replays.add(replay)
        return _Recording(replay, drawn[0].tensors(), torch.rand(2, 5), [replay.gradient])

    def gradients(self, parts: Sequence[Drawn]) -> torch.Tensor:
        """Adds gradients of 2 to those that there are; returns what it draws."""
        before = 0 if self.weight.grad is None else self.weight.grad
        self.weight.grad = before + torch.full_like(self.weight, 2.0)
        return torch.rand(2, 5)

    def step(self, n_trials: int) -> tuple[float, torch.Tensor]:
        """The gradient that a step leaves, and what it returns."""
        rows = np.zeros(n_trials, int), np.arange(n_trials)
        drawn = drawn_parts(self.state.model.design, self.store, *rows, self.run.masking, np.arange(n_trials), 4, 0)
        self.weight.grad = None
        sums = self.graphs.replayed(drawn, self.gradients, seed=7)
        assert self.weight.grad is not None
        return float(self.weight.grad.flatten()[0]), sums


def test_where_memory_is_short_a_training_goes_on_without_recorded_steps(monkeypatch, caplog):
    """An epoch's short last batch may find too little beside the steps that are recorded."""
    caplog.set_level("INFO")
    recorder = Recorder(monkeypatch)
    assert [recorder.step(4)[0], recorder.step(4)[0]] == [1, 1] and len(recorder.replays) == 1
    gradient, sums = recorder.step(3)
    assert gradient == 2 and not recorder.replays, "nothing is left of the step that failed, nor of those recorded"
    torch.manual_seed(7)
    assert torch.equal(sums, torch.rand(2, 5)), "it draws by its seed"
    assert recorder.step(4)[0] == 2
    assert caplog.text.count("pretraining: goes on without recorded steps") == 1


def test_validation_that_finds_too_little_memory_is_done_without_recorded_steps(monkeypatch):
    recorder = Recorder(monkeypatch)
    found: list[int] = []

    def validation() -> str:
        found.append(len(recorder.replays))
        if found[-1]:
            raise torch.OutOfMemoryError
        return "scores"

    assert recorder.step(4)[0] == 1 and recorder.graphs.with_room(validation) == "scores" and found == [1, 0]
    assert recorder.step(4)[0] == 2

    def fails() -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        recorder.graphs.with_room(fails)


def replayed_by_itself(
    graphs: StepGraphs, drawn: Sequence[Drawn], gradients: Callable[..., torch.Tensor], seed: int
) -> torch.Tensor:
    torch.manual_seed(seed)
    return gradients(drawn)


def test_a_training_validates_with_room(monkeypatch, tmp_path):
    """Validation runs out of memory once; the training goes on, and ends as one without recorded steps."""
    plain = train_to(tmp_path / "plain", settings(epochs=2), make_session())
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))
    monkeypatch.setattr(StepGraphs, "_replayed", replayed_by_itself)
    monkeypatch.setattr("neds.training.loop._graphs", lambda model, *_: StepGraphs(model.parameters(), "x"))
    faults = [torch.OutOfMemoryError]

    def short(*args: Any, **options: Any) -> Validation:
        if faults:
            raise faults.pop()
        return validate(*args, **options)

    monkeypatch.setattr("neds.training.loop.validate", short)
    assert_same_run(plain, train_to(tmp_path / "short", settings(epochs=2), make_session()))
    assert not faults


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
