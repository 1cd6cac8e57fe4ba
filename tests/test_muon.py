"""Muon's steps of the transformer's matrices."""

import pytest
import torch
from torch import nn

from neds.training.loop import _optimizers
from neds.training.muon import MOMENTUM, STEP, Muon, orthogonalised
from neds.training.settings import TrainingSettings
from tests.aligned_sessions import make_session
from tests.test_model import make_model


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
    own = Muon([{"params": ours, "lr": 0.01, "weight_decay": 0.1}])
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
    Muon([{"params": weights, "lr": 0.01, "weight_decay": 0.0}]).step()
    for weight, begun in zip(weights, start, strict=True):
        assert (weight - begun).pow(2).mean().sqrt().item() == pytest.approx(0.01 * STEP, rel=0.25)


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_muon_steps_the_matrices_of_the_encoder_and_nothing_else(optimiser):
    model, _ = make_model(make_session())
    adamw, *others = _optimizers(model, TrainingSettings(optimiser=optimiser))
    by_others = {id(p) for other in others for group in other.param_groups for p in group["params"]}
    matrices = ["attention.query_key", "attention.value", "attention.out", "up", "down"]
    layers = range(len(model.encoder.layers))
    wanted = {f"encoder.layers.{layer}.{name}.weight" for layer in layers for name in matrices}
    found = {name for name, parameter in model.named_parameters() if id(parameter) in by_others}
    assert found == (wanted if optimiser == "muon" else set())
    by_adamw = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert by_adamw == {id(p) for p in model.parameters()} - by_others
