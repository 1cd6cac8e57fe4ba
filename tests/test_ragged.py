"""Sessions of unequal size in one batch: the same as each alone, however their counts are held and their maps applied."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from neds.data.counts import DeviceCounts, HostCounts, chosen_trials
from neds.model.ragged import RaggedLinear

CPU = torch.device("cpu")
GROUPS = [(0, slice(0, 2)), (2, slice(2, 3)), (3, slice(3, 7))]
SESSIONS = torch.tensor([0, 0, 2, 3, 3, 3, 3])


def one_by_one(ragged: RaggedLinear, x: torch.Tensor) -> list[torch.Tensor]:
    """What `ragged` gives each of GROUPS, (b, T, outputs), by torch's own linear map."""
    maps = [(ragged.matrices()[session], rows) for session, rows in GROUPS]
    return [F.linear(x[rows, :, : weight.shape[1]], weight, bias) for (weight, bias), rows in maps]


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("precision", ["fp64", "bf16"])
def test_products_and_their_gradients_are_those_of_each_session_alone(precision, alike):
    torch.manual_seed(0)
    ragged = RaggedLinear([3, 8, 5, 2], [4, 6, 4, 9])
    ragged.bias.data.normal_()
    # Batches that are alike have the width of session 1, too, which is not among them.
    x = torch.randn(7, 10, 8 if alike else 5)
    if precision == "fp64":
        ragged, x = ragged.double(), x.double()
    found = []
    for is_ragged in (True, False):
        x.requires_grad_(True).grad = None
        ragged.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            if is_ragged:
                y = ragged(x, SESSIONS, None if alike else GROUPS)
                parts = [y[rows, :, : ragged.matrices()[session][0].shape[0]] for session, rows in GROUPS]
                assert y.shape == (7, 10, 9) and not y[:2, :, 4:].any()
            else:
                parts = one_by_one(ragged, x)
        torch.stack([part.double().square().sum() for part in parts]).sum().backward()
        found.append([*parts, x.grad, ragged.weight.grad, ragged.bias.grad])
        assert not ragged.weight.grad[12:60].any(), "session 1 is not in the batch"
    tolerance = {"fp64": 1e-12, "bf16": 2e-2}[precision]
    for ours, plain in zip(*found, strict=True):
        assert ours.dtype == plain.dtype
        assert (ours - plain).norm() <= tolerance * plain.norm()


def test_parameters_need_no_gradient_of_inputs():
    """Counts have none: their maps are trained all the same."""
    ragged = RaggedLinear([3, 8, 5, 2], [4, 4, 4, 4])
    ragged(torch.randn(7, 10, 5), SESSIONS, GROUPS).sum().backward()
    assert ragged.weight.grad.any()


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("held", [HostCounts, DeviceCounts])
def test_batch_holds_the_trials_that_were_asked_for(held, dtype, alike):
    rng = np.random.default_rng(0)
    shapes = (6, 10, 3), (4, 10, 8), (5, 10, 5)
    of_sessions = [rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype) for shape in shapes]
    of_sessions[0] = of_sessions[0].astype(np.uint8)
    sessions, trials = np.array([0, 0, 2, 2, 2]), np.array([5, 1, 0, 4, 0])
    taken = held(of_sessions, CPU).take(chosen_trials(sessions, trials, CPU, alike=alike)).numpy()
    assert taken.shape == (5, 10, 8 if alike else 5), "as wide as the widest session, of the batch or of all"
    for row, session, trial in zip(taken, sessions, trials, strict=True):
        n_units = shapes[session][2]
        np.testing.assert_array_equal(row[:, :n_units], of_sessions[session][trial])
        assert not row[:, n_units:].any()
