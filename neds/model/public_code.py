"""Starting values of the paper's public code (github.com/yzhang511/NEDS), for comparison with it.

Every linear map starts as torch's own do, weights and biases uniform within 1 / sqrt(inputs); embeddings from N(0, 1);
the weights that pool a categorical modality's tokens uniform within 0 and 1; the mask vector is 0.
"""

import torch
from torch import nn

from neds.model.ragged import RaggedLinear, StackedLinear
from neds.model.settings import ModelSettings
from neds.model.stitching import CategoricalReadout, CategoricalTokens, Stitchers
from neds.model.transformer import Layer, depth_scale, local_bias


@torch.no_grad()
def draw_as_public_code(network: nn.Module, settings: ModelSettings) -> None:
    """Draw anew all parameters of a network that the public code has, too; `locality` adds its bias to what is drawn."""
    for name, parameter in network.named_parameters(recurse=False):
        nn.init.zeros_(parameter) if name == "mask_vector" else nn.init.normal_(parameter)
    for module in network.modules():
        if isinstance(module, RaggedLinear):
            for weight, bias in module.matrices():
                _draw(weight, bias, inputs=weight.shape[1])
        elif isinstance(module, StackedLinear):
            _draw(module.weight, module.bias, inputs=module.weight.shape[-1])
        elif isinstance(module, CategoricalReadout):
            nn.init.uniform_(module.pool)
        elif isinstance(module, Stitchers):
            nn.init.normal_(module.session)
        elif isinstance(module, Layer):
            _draw_layer(module, settings)
    # Their maps were drawn above, after themselves.
    for module in network.modules():
        if isinstance(module, CategoricalTokens):
            _enter_as_number(module)


def _draw_layer(layer: Layer, settings: ModelSettings) -> None:
    attention, depth = layer.attention, depth_scale(settings)
    scales = {attention.value: depth * 2**0.5, attention.out: depth, layer.up: depth, layer.down: depth}
    for linear in (attention.query_key, *scales):
        linear.reset_parameters()
        linear.weight.mul_(scales.get(linear, 1.0))
    attention.query_key.bias.add_(local_bias(settings))


def _draw(weight: torch.Tensor, bias: torch.Tensor, *, inputs: int) -> None:
    for tensor in (weight, bias):
        nn.init.uniform_(tensor, -(inputs**-0.5), inputs**-0.5)


def _enter_as_number(tokens: CategoricalTokens) -> None:
    """Make the columns of the classes multiples of one, as if their index entered in the place of a one-hot vector."""
    first = tokens.maps[0]
    assert isinstance(first, StackedLinear)
    _draw(first.weight, first.bias, inputs=1)
    first.weight.copy_(first.weight[..., :1] * torch.arange(tokens.classes))
