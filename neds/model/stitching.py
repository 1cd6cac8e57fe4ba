"""Everything that has a session's shape: the maps from its units and behaviours to tokens and back, and its embedding.

The rest of the model sees sessions only as indices. Shapes: B trials of a batch, T bins, N_s units, D width, S sessions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neds.modalities import Kind, Modality
from neds.model.batch import Batch
from neds.model.layout import Layout
from neds.model.ragged import RaggedLinear, StackedLinear
from neds.model.settings import ModelSettings

_LEAST_RATE = 1e-3
_LEAST_FREQUENCY = 1e-2


def small_embedding(*shape: int) -> nn.Parameter:
    """An embedding that starts from N(0, 0.02^2), or has its shape alone on the device meta, where torch would load its
    compiler to draw nothing.
    """
    empty = torch.empty(shape)
    return nn.Parameter(empty if empty.is_meta else 0.02 * empty.normal_())


@dataclass(frozen=True)
class SessionShape:
    """What the model must know of a session before it sees data.

    Attributes:
        eid: session id.
        units: number of columns of each counts modality.
        null: starting point of the readouts, from training trials: mean spikes per bin (N_s,) of a counts modality,
            class frequencies (classes,) of a categorical one. Empty when weights are about to be loaded.
    """

    eid: str
    units: dict[str, int]
    null: dict[str, Tensor] = field(default_factory=dict)


class CountsTokens(nn.Module):
    """Spikes of a bin -> token, by `stitcher`: Linear(N_s, D), or Linear(N_s, 2 N_s), softsign, Linear(2 N_s, D)."""

    def __init__(self, modality: Modality, settings: ModelSettings, sessions: list[SessionShape], n_bins: int):
        super().__init__()
        self.name = modality.name
        self.unit_dropout, self.input_noise = settings.unit_dropout, settings.input_noise
        units = [session.units[modality.name] for session in sessions]
        width = [settings.dim] * len(sessions)
        hidden = [2 * n for n in units]
        sizes = [(units, width)] if settings.stitcher == "linear" else [(units, hidden), (hidden, width)]
        self.maps = nn.ModuleList(RaggedLinear(inputs, outputs) for inputs, outputs in sizes)
        self.most_units = max(units)

    def forward(self, batch: Batch) -> Tensor:
        x = batch.read(self.name)
        # Drawn for the widest session of all, so that it does not depend on which sessions are in the batch.
        if self.training and self.input_noise:
            noise = torch.randn(*x.shape[:2], self.most_units, device=x.device)
            x = x + self.input_noise * noise[..., : x.shape[-1]]
        if self.training and self.unit_dropout:
            x = x * self._kept_units(len(x), x.device)[..., : x.shape[-1]]
        for depth, ragged in enumerate(self.maps):
            x = ragged(F.softsign(x) if depth else x, batch.sessions, batch.groups)
        return x

    def unit_vectors(self, session: int) -> Tensor:
        """What one standard deviation of each unit's count adds to a token, (N_s, D), where all units are at their mean.

        That is the derivative of the token there. For two matrices it is their product with the slope
        1 / (1 + |b|)^2 of the softsign at the first bias b between them.
        """
        ragged = cast(Iterable[RaggedLinear], self.maps)
        (first, bias), *second = (each.matrices()[session] for each in ragged)
        if not second:
            return first.T
        return (second[0][0] * (1 + bias.abs()).pow(-2) @ first).T

    def _kept_units(self, n_trials: int, device: torch.device) -> Tensor:
        """(B, 1, most units of a session)."""
        share = self.unit_dropout * torch.rand(n_trials, 1, 1, device=device)
        return torch.rand(n_trials, 1, self.most_units, device=device) >= share


class ContinuousTokens(nn.Module):
    """Value of a bin -> token, by `stitcher`: Linear(n, D), or Linear(n, 2 n), softsign, Linear(2 n, D)."""

    def __init__(self, modality: Modality, settings: ModelSettings, sessions: list[SessionShape], n_bins: int):
        super().__init__()
        self.name = modality.name
        n = modality.n_columns
        sizes = [(n, settings.dim)] if settings.stitcher == "linear" else [(n, 2 * n), (2 * n, settings.dim)]
        self.maps = nn.ModuleList(StackedLinear(len(sessions), i, o) for i, o in sizes)

    def forward(self, batch: Batch) -> Tensor:
        x = batch.read(self.name)
        for depth, stacked in enumerate(self.maps):
            x = stacked(F.softsign(x) if depth else x, batch.sessions)
        return x


class _TrialTokens(nn.Module):
    """n values of a trial -> T = `n_bins` tokens, which may be 1. linear: Linear(n, D), the same in all bins. mlp:
    Linear(n, 2 T) as (T, 2), softsign, Linear(2, D).
    """

    def __init__(self, n: int, settings: ModelSettings, sessions: list[SessionShape], n_bins: int):
        super().__init__()
        self.n_bins = n_bins
        outputs = [settings.dim] if settings.stitcher == "linear" else [2 * n_bins, settings.dim]
        inputs = [n] if settings.stitcher == "linear" else [n, 2]
        self.maps = nn.ModuleList(StackedLinear(len(sessions), i, o) for i, o in zip(inputs, outputs, strict=True))

    def values(self, batch: Batch) -> Tensor:
        """What enters, (B, n)."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> Tensor:
        x = self.maps[0](self.values(batch), batch.sessions)
        if len(self.maps) == 1:
            return x[:, None, :].expand(-1, self.n_bins, -1)
        return self.maps[1](F.softsign(x).unflatten(-1, (self.n_bins, 2)), batch.sessions)


class CategoricalTokens(_TrialTokens):
    """Class of a trial -> T tokens. The class enters one-hot, so that a class without an order gets none."""

    def __init__(self, modality: Modality, settings: ModelSettings, sessions: list[SessionShape], n_bins: int):
        super().__init__(len(modality.classes), settings, sessions, n_bins)
        self.name, self.classes = modality.name, len(modality.classes)

    def values(self, batch: Batch) -> Tensor:
        # F.one_hot checks the values first, and some devices make the host wait for that.
        index = batch.categorical[self.name]
        one_hot = index[:, None] == torch.arange(self.classes, device=index.device)
        return one_hot.to(self.maps[0].get_parameter("weight").dtype)


class ScalarTokens(_TrialTokens):
    """Number of a trial -> T tokens."""

    def __init__(self, modality: Modality, settings: ModelSettings, sessions: list[SessionShape], n_bins: int):
        super().__init__(1, settings, sessions, n_bins)
        self.name = modality.name

    def values(self, batch: Batch) -> Tensor:
        return batch.scalar[self.name][:, None]


class CountsReadout(nn.Module):
    """Linear(D, N_s): log expected spikes per bin. Starts at each unit's mean rate. D is the `width` of all readouts."""

    def __init__(self, modality: Modality, width: int, sessions: list[SessionShape], n_bins: int):
        super().__init__()
        units = [session.units[modality.name] for session in sessions]
        self.map = RaggedLinear([width] * len(sessions), units)
        nn.init.zeros_(self.map.weight)
        with torch.no_grad():
            for session, (_, bias) in zip(sessions, self.map.matrices(), strict=True):
                if modality.name in session.null:
                    bias.copy_(session.null[modality.name].clamp(min=_LEAST_RATE).log())

    def forward(self, h_BTD: Tensor, batch: Batch) -> Tensor:
        return self.map(h_BTD, batch.sessions, batch.groups)

    def unit_vectors(self, session: int) -> Tensor:
        """Each unit's weights, (N_s, width)."""
        return self.map.matrices()[session][0]


class ContinuousReadout(nn.Module):
    """Linear(D, width). Starts at the mean, which is 0 in standardised units."""

    def __init__(self, modality: Modality, width: int, sessions: list[SessionShape], n_bins: int):
        super().__init__()
        self.map = StackedLinear(len(sessions), width, modality.n_columns)
        nn.init.zeros_(self.map.weight)

    def forward(self, h_BTD: Tensor, batch: Batch) -> Tensor:
        return self.map(h_BTD, batch.sessions)


class CategoricalReadout(nn.Module):
    """Learned weights pool the T tokens (starting at 1 / T), then Linear(D, classes). Starts at the class frequencies."""

    def __init__(self, modality: Modality, width: int, sessions: list[SessionShape], n_bins: int):
        super().__init__()
        self.pool = nn.Parameter(torch.full((len(sessions), n_bins), 1 / n_bins))
        self.map = StackedLinear(len(sessions), width, len(modality.classes))
        nn.init.zeros_(self.map.weight)
        with torch.no_grad():
            for index, session in enumerate(sessions):
                if modality.name in session.null:
                    self.map.bias[index] = session.null[modality.name].clamp(min=_LEAST_FREQUENCY).log()

    def forward(self, h_BTD: Tensor, batch: Batch) -> Tensor:
        pooled = torch.einsum("bt,btd->bd", self.pool.index_select(0, batch.sessions), h_BTD)
        return self.map(pooled, batch.sessions)


class ScalarReadout(nn.Module):
    """Linear(D, 1) of the mean over the T tokens. Starts at the mean, which is 0 in standardised units."""

    def __init__(self, modality: Modality, width: int, sessions: list[SessionShape], n_bins: int):
        super().__init__()
        self.map = StackedLinear(len(sessions), width, 1)
        nn.init.zeros_(self.map.weight)

    def forward(self, h_BTD: Tensor, batch: Batch) -> Tensor:
        return self.map(h_BTD.mean(1), batch.sessions)[:, 0]


TOKENS = {
    "counts": CountsTokens,
    "continuous": ContinuousTokens,
    "categorical": CategoricalTokens,
    "scalar": ScalarTokens,
}
READOUTS: dict[Kind, type[nn.Module]] = {
    "counts": CountsReadout,
    "continuous": ContinuousReadout,
    "categorical": CategoricalReadout,
    "scalar": ScalarReadout,
}


class Stitchers(nn.Module):
    """Token maps of the `inputs`, readouts of the `outputs`, and the embedding of each session, (S, inputs, D)."""

    def __init__(
        self,
        *,
        inputs: list[Modality],
        outputs: list[Modality],
        settings: ModelSettings,
        sessions: list[SessionShape],
        layout: Layout,
    ):
        super().__init__()
        self.tokens = nn.ModuleDict(
            {m.name: TOKENS[m.kind](m, settings, sessions, layout.n_values(m.name)) for m in inputs}
        )
        # An output without tokens of its own in the bins is read from those of all inputs.
        without_tokens = settings.dim * (len(inputs) if settings.readout_without_tokens == "concatenated" else 1)
        width = {m.name: settings.dim if m.name in layout.binned else without_tokens for m in outputs}
        self.readouts = nn.ModuleDict(
            {m.name: READOUTS[m.kind](m, width[m.name], sessions, layout.n_predicted) for m in outputs}
        )
        self.session = small_embedding(len(sessions), len(inputs), settings.dim)
        self.behaviours = [m.name for m in {m.name: m for m in [*inputs, *outputs]}.values() if m.group == "behaviour"]

    def maps_of(self, name: str, session: int) -> list[Tensor]:
        """A modality's maps to and from tokens of one session, as views.

        Without the biases of readouts, which start at the session's own means and frequencies.
        """
        found: list[Tensor] = []
        for part in (self.tokens, self.readouts):
            for module in part[name].modules() if name in part else ():
                if isinstance(module, RaggedLinear | StackedLinear):
                    weight, bias = module.matrices()[session]
                    found += [weight, bias] if part is self.tokens else [weight]
                elif isinstance(module, CategoricalReadout):
                    found.append(module.pool[session])
        return found

    @torch.no_grad()
    def begin_alike(self) -> None:
        """Give the maps of behaviours the values of the first session's in all sessions."""
        for name in self.behaviours:
            for session in range(1, len(self.session)):
                for own, first in zip(self.maps_of(name, session), self.maps_of(name, 0), strict=True):
                    if own.shape == first.shape:
                        own.copy_(first)

    @torch.no_grad()
    def begin_at_mean(self, name: str, pretrained: "Stitchers") -> None:
        """Give a behaviour's maps the mean over the sessions of `pretrained`, where those have their shape."""
        theirs = [pretrained.maps_of(name, session) for session in range(len(pretrained.session))]
        for session in range(len(self.session)):
            for own, *of_each in zip(self.maps_of(name, session), *theirs, strict=True):
                alike = [each for each in of_each if each.shape == own.shape]
                if alike:
                    own.copy_(torch.stack(alike).mean(0))
