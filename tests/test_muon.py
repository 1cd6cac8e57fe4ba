"""Muon's steps of the transformer's matrices, beside AdamW's of all else."""

import pytest
import torch
from torch import nn

from neds.training.muon import MOMENTUM, STEP, MuonAdamW, orthogonalised


def matrices() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(*shape, generator=generator)) for shape in [(8, 8), (8, 20), (20, 8), (16, 8)]]


def gradients(step: int) -> list[torch.Tensor]:
    """Of the matrices, each dominated by one direction."""
    generator = torch.Generator().manual_seed(step)
    drawn = [torch.randn(weight.shape, generator=generator) for weight in matrices()]
    return [noise + 3 * noise[:, :1] @ noise[:1] for noise in drawn]


def test_all_directions_of_a_matrix_become_about_equally_long():
    wide = torch.stack([gradient if gradient.shape == (8, 20) else gradient.T for gradient in gradients(1)[1:3]])
    first, *_, last = torch.linalg.svdvals(wide)[0]
    assert first > 30 * last
    lengths = torch.linalg.svdvals(orthogonalised(wide))
    assert lengths.min() > 0.5 and lengths.max() < 1.3


def test_steps_are_those_of_torch_but_for_its_half_precision():
    """`torch.optim.Muon` iterates in bf16, and takes steps of the size of AdamW's."""
    ours, theirs = matrices(), matrices()
    start = [weight.detach().clone() for weight in ours]
    own = MuonAdamW([{"params": ours, "lr": 0.01, "weight_decay": 0.1, "muon": True}])
    reference = torch.optim.Muon(
        theirs, lr=0.01 * STEP / 0.2, weight_decay=0.1 * 0.2 / STEP, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    for step in range(5):
        for own_weight, their_weight, gradient in zip(ours, theirs, gradients(step), strict=True):
            own_weight.grad, their_weight.grad = gradient.clone(), gradient.clone()
        own.step()
        reference.step()
    for own_weight, their_weight, begun in zip(ours, theirs, start, strict=True):
        moved, expected = own_weight - begun, their_weight - begun
        assert (moved - expected).norm() < 0.05 * expected.norm()


def test_a_step_has_one_size_whatever_the_shape():
    weights = matrices()
    start = [weight.detach().clone() for weight in weights]
    for weight, gradient in zip(weights, gradients(0), strict=True):
        weight.grad = gradient
    MuonAdamW([{"params": weights, "lr": 0.01, "weight_decay": 0.0, "muon": True}]).step()
    for weight, begun in zip(weights, start, strict=True):
        assert (weight - begun).pow(2).mean().sqrt().item() == pytest.approx(0.01 * STEP, rel=0.25)


def test_the_other_weights_are_stepped_as_by_adamw():
    ours, theirs = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    beside = nn.Parameter(torch.ones(2, 2))
    own = MuonAdamW(
        [
            {"params": [beside], "lr": 0.1, "weight_decay": 0.0, "muon": True},
            {"params": [ours], "lr": 0.01, "weight_decay": 0.1, "muon": False},
        ]
    )
    reference = torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.1)
    for step in range(3):
        gradient = torch.tensor([1.0, -2.0, 0.5]) * (step + 1)
        ours.grad, theirs.grad, beside.grad = gradient.clone(), gradient.clone(), torch.eye(2)
        own.step()
        reference.step()
    assert torch.allclose(ours, theirs)
    assert not torch.equal(beside, torch.ones(2, 2))
