"""The encoder that all sessions share: pre-norm transformer with rotary embedding of the time bin.

Shapes: B trials, P tokens of a trial, R of them whose encoding is read, H heads, D model width, d = D / H.
"""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from neds.model.settings import ModelSettings


def rotary_turns(times: Tensor, head_dim: int, base: float) -> Tensor:
    """Cosine and sine (P, 1, d / 2, 2) of the turns of tokens at `times` (P,), in bins (Su et al. 2021)."""
    frequency = base ** (-torch.arange(0, head_dim, 2, device=times.device) / head_dim)
    angle = times[:, None, None].float() * frequency
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def rotated(x_BPHd: Tensor, turns: Tensor) -> Tensor:
    """Turn the pairs of neighbouring values (x[2i], x[2i + 1]) of every token by its angles."""
    # As complex numbers, which takes one pass over memory. There are none of half precision.
    pairs = torch.view_as_complex(x_BPHd.to(turns.dtype).unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * torch.view_as_complex(turns)).flatten(-2).to(x_BPHd.dtype)


def rotated_halves(x_BPHd: Tensor, turns: Tensor) -> Tensor:
    """Turn the pairs (x[i], x[i + d / 2]) of every token by its angles, without complex numbers: they cannot be compiled."""
    (first, second), (cos, sin) = x_BPHd.to(turns.dtype).chunk(2, dim=-1), turns.unbind(-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1).to(x_BPHd.dtype)


def depth_scale(settings: ModelSettings) -> float:
    """Factor of a projection's starting weights: 0.67 L^-1/4 ("T-Fixup", Huang et al. 2020)."""
    return 0.67 * settings.layers**-0.25


def local_bias(settings: ModelSettings) -> float:
    """Starting bias b of all queries and keys that makes the height of the bump, b^2 sqrt(d), `locality`."""
    return (settings.locality / (settings.dim // settings.heads) ** 0.5) ** 0.5


def _some_keys(key_BHPd: Tensor, value_BHPd: Tensor, *, share: float) -> tuple[Tensor, Tensor]:
    """A random share of the keys and their values: the same number in every head, drawn for each head and trial by itself.

    The softmax over those that are left adds up to 1 by itself, so that nothing need be scaled.
    """
    n_kept = max(1, round(share * key_BHPd.shape[2]))
    drawn = torch.rand(key_BHPd.shape[:3], device=key_BHPd.device).topk(n_kept, dim=-1, sorted=False).indices
    rows = drawn[..., None].expand(-1, -1, -1, key_BHPd.shape[-1])
    return key_BHPd.gather(2, rows), value_BHPd.gather(2, rows)


class Attention(nn.Module):
    def __init__(self, settings: ModelSettings):
        super().__init__()
        self.heads = settings.heads
        self.dropout, self.dropout_of = settings.attention_dropout, settings.attention_dropout_of
        self.query_key = nn.Linear(settings.dim, 2 * settings.dim)
        self.value = nn.Linear(settings.dim, settings.dim)
        self.out = nn.Linear(settings.dim, settings.dim)
        self.output_dropout = nn.Dropout(settings.attention_output_dropout)

    def forward(self, x_BPD: Tensor, turns: Tensor, read: Tensor | None = None) -> Tensor:
        """Attend to all tokens from those at the indices `read` (R,), (B, R, D); from all when omitted."""
        query, key = self.queries_and_keys(x_BPD, turns, read)
        value = self._split(self.value(x_BPD))
        dropout = self.dropout if self.training else 0.0
        if dropout and self.dropout_of == "keys":
            key, value = _some_keys(key, value, share=1 - dropout)
            dropout = 0.0
        attended = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        return self.out(self.output_dropout(attended.transpose(1, 2).flatten(2)))

    def queries_and_keys(self, x_BPD: Tensor, turns: Tensor, read: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Queries (B, H, R, d) and keys (B, H, P, d), turned by the times of their tokens."""
        both: tuple[Tensor, Tensor] = self.query_key.weight, self.query_key.bias
        turned = rotated_halves
        if not torch.compiler.is_compiling():
            both = self._pairs_beside_each_other(both[0]), self._pairs_beside_each_other(both[1])
            turned = rotated
        weight, bias = both
        if read is None:
            each = turned(F.linear(x_BPD, weight, bias).unflatten(-1, (2 * self.heads, -1)), turns)
            query, key = each.transpose(1, 2).chunk(2, dim=1)
            return query, key
        (for_queries, for_keys), (query_bias, key_bias) = weight.chunk(2), bias.chunk(2)
        query = F.linear(x_BPD.index_select(1, read), for_queries, query_bias).unflatten(-1, (self.heads, -1))
        key = F.linear(x_BPD, for_keys, key_bias).unflatten(-1, (self.heads, -1))
        return turned(query, turns[read]).transpose(1, 2), turned(key, turns).transpose(1, 2)

    def _pairs_beside_each_other(self, x: Tensor) -> Tensor:
        """Weights or biases of queries and keys, in which i and i + d/2 of a head are a pair, in the order of `rotated`."""
        return x.unflatten(0, (2 * self.heads, 2, -1)).transpose(1, 2).flatten(0, 2)

    def _split(self, x_BPD: Tensor) -> Tensor:
        return x_BPD.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Layer(nn.Module):
    def __init__(self, settings: ModelSettings):
        super().__init__()
        self.attention_norm = nn.LayerNorm(settings.dim)
        self.attention = Attention(settings)
        self.mlp_norm = nn.LayerNorm(settings.dim)
        self.up = nn.Linear(settings.dim, settings.mlp)
        self.down = nn.Linear(settings.mlp, settings.dim)
        self.dropout = nn.Dropout(settings.mlp_dropout)
        self.output_dropout = nn.Dropout(settings.mlp_output_dropout)

    def forward(self, x_BPD: Tensor, turns: Tensor, read: Tensor | None = None) -> Tensor:
        """Tokens (B, R, D) at the indices `read` (R,); all when omitted."""
        attended = self.attention(self.attention_norm(x_BPD), turns, read)
        x_BRD = (x_BPD if read is None else x_BPD.index_select(1, read)) + attended
        hidden = self.dropout(F.gelu(self.up(self.mlp_norm(x_BRD))))
        return x_BRD + self.output_dropout(self.down(hidden))


class Encoder(nn.Module):
    """L pre-norm layers and a final LayerNorm.

    Weights start scaled down by depth ("T-Fixup", Huang et al. 2020): out, up and down projections by 0.67 L^-1/4, value
    projections by 0.67 L^-1/4 sqrt(2).

    Attention starts as a preference for tokens of nearby bins. A bias b of all queries and keys adds
    (2 b^2 / sqrt(d)) sum_i cos(w_i lag) to the logit of two tokens `lag` bins apart, where w_i are the rotary frequencies
    and d the values of a head: a bump around lag 0, of height `locality` = b^2 sqrt(d).

    Attributes:
        recomputes: compute a layer's activations again for its gradient rather than hold them.
        compiles: train with layers that torch.compile made: fewer, larger kernels on a GPU.
    """

    def __init__(self, settings: ModelSettings):
        super().__init__()
        self.head_dim, self.rotary_base = settings.dim // settings.heads, settings.rotary_base
        layers = [Layer(settings) for _ in range(settings.layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(settings.dim)
        self.recomputes, self.compiles = False, False
        self._compiled: list[Callable[..., Tensor]] = []
        scale = depth_scale(settings)
        for layer in layers:
            for linear in (layer.attention.out, layer.up, layer.down):
                nn.init.xavier_uniform_(linear.weight, gain=scale)
                nn.init.zeros_(linear.bias)
            nn.init.xavier_uniform_(layer.attention.query_key.weight)
            nn.init.constant_(layer.attention.query_key.bias, local_bias(settings))
            nn.init.xavier_uniform_(layer.attention.value.weight, gain=scale * 2**0.5)
            nn.init.zeros_(layer.attention.value.bias)

    def forward(self, x_BPD: Tensor, times: Tensor, read: Tensor | None = None) -> Tensor:
        """Encode tokens (B, P, D) at `times` (P,), in bins.

        Args:
            read: (R,) indices of the tokens to return; the others serve as keys in the last layer, and no more. All when
                omitted.

        Returns:
            (B, R, D), in the order of `read`.
        """
        turns = rotary_turns(times, self.head_dim, self.rotary_base)
        last = len(self.layers) - 1
        for index, layer in enumerate(self._callable_layers()):
            inputs = x_BPD, turns, read if index == last else None
            if self.recomputes and torch.is_grad_enabled():
                x_BPD = checkpoint(layer, *inputs, use_reentrant=False)
            else:
                x_BPD = layer(*inputs)
        return self.norm(x_BPD)

    def _callable_layers(self) -> Iterable[Callable[..., Tensor]]:
        if not (self.compiles and self.training and torch.is_grad_enabled()):
            return self.layers
        if not self._compiled:
            # One by one: layers of one kind share their code, which would grow with their number. torch's own kernel draws
            # what is dropped, which is faster than compiled code, and draws the same as without.
            self._compiled = [torch.compile(layer, options={"fallback_random": True}) for layer in self.layers]
        return self._compiled
