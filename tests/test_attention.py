"""Dropout in attention: of single probabilities, or of whole keys."""

import pytest
import torch

from neds.model.settings import ModelSettings
from neds.model.transformer import Attention, rotary_turns

P, D = 20, 8


def attention(**settings) -> Attention:
    torch.manual_seed(0)
    return Attention(ModelSettings(dim=D, layers=1, heads=2, mlp=8, **settings))


def attended(module: Attention, x: torch.Tensor, seed: int = 1) -> torch.Tensor:
    torch.manual_seed(seed)
    return module(x, rotary_turns(torch.arange(x.shape[1]), D // 2, 100.0))


def test_dropped_keys_are_the_same_for_all_queries_and_differ_between_heads_and_trials():
    """A token is dropped if its value reaches no query: the gradient of the output by the values says which."""
    module = attention(attention_dropout=0.4, attention_dropout_of="keys")
    module.out = torch.nn.Identity()
    values = torch.randn(3, P, D, requires_grad=True)
    module._modules["value"] = lambda x: values
    out = attended(module, torch.randn(3, P, D))
    gradients = (torch.autograd.grad(out[:, query].sum(), values, retain_graph=True)[0] for query in (0, 7))
    first, second = (gradient.unflatten(-1, (2, -1)).ne(0).any(-1) for gradient in gradients)
    assert torch.equal(first, second)
    assert (first.sum(1) == 12).all(), "60 % of the keys in every head and trial"
    assert not torch.equal(first[0, :, 0], first[0, :, 1]) and not torch.equal(first[0], first[1])


@pytest.mark.parametrize("of", ["keys", "probabilities"])
def test_nothing_is_dropped_outside_training_and_draws_follow_the_seed(of):
    x = torch.randn(2, P, D)
    module, plain = attention(attention_dropout=0.4, attention_dropout_of=of), attention()
    assert torch.equal(attended(module, x, seed=1), attended(module, x, seed=1))
    assert not torch.equal(attended(module, x, seed=1), attended(module, x, seed=2))
    assert torch.equal(attended(module.eval(), x), attended(plain, x))
