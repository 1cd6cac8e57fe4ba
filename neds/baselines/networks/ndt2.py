"""NDT2 on this project's encoder layers: patches of units in a bin, hidden ones predicted from the others.

Source: Ye et al., "Neural Data Transformer 2: Multi-context Pretraining for Neural Spiking Activity", NeurIPS 2023.

Shapes: B trials of a batch, T bins, N units, G patches of a bin, P = T G tokens, U units of a patch, D width, Q queries.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neds.baselines.networks.settings import Ndt2Settings
from neds.baselines.networks.targets import Target
from neds.errors import UserError
from neds.model.settings import ModelSettings
from neds.model.transformer import Encoder

_MOST_UNITS = 4096
"""Of a session: the places of patches have embeddings, also those that no session of pretraining has."""
_LEAST_RATE = 1e-4
"""In spikes per bin, of a unit without a spike in the training trials."""


def layers(settings: Ndt2Settings, number: int) -> Encoder:
    """Transformer layers over tokens of given times."""
    return Encoder(
        ModelSettings(
            dim=settings.dim,
            layers=number,
            heads=settings.heads,
            mlp=settings.mlp,
            mlp_dropout=settings.dropout,
            attention_dropout=settings.dropout,
            attention_dropout_of="keys",
        )
    )


class Ndt2(nn.Module):
    """Predict the spikes of hidden patches.

    Attributes:
        OWN: beginnings of the names of the weights that are of one session.
    """

    OWN = ("session.",)

    def __init__(self, settings: Ndt2Settings, mean_counts: Sequence[Tensor], *, n_bins: int):
        """
        Args:
            mean_counts: (N,) spikes per bin of each session's units in its training trials.

        Raises:
            UserError: more units than can be told apart.
        """
        super().__init__()
        most = max(len(means) for means in mean_counts)
        if most > _MOST_UNITS:
            raise UserError(f"baseline ndt2: a session has {most} units, more than the {_MOST_UNITS} that it can read")
        self._patch_units, self._n_bins, self._mask_ratio = settings.patch_units, n_bins, settings.mask_ratio
        # What is predicted is relative to a unit's mean rate, which no weight of all sessions could know.
        self._log_means = [means.clamp(min=_LEAST_RATE).log() for means in mean_counts]
        self.patch = nn.Linear(settings.patch_units, settings.dim)
        self.place = nn.Embedding(math.ceil(_MOST_UNITS / settings.patch_units), settings.dim)
        self.session = nn.Embedding(len(mean_counts), settings.dim)
        self.hidden = nn.Parameter(0.02 * torch.randn(settings.dim))
        for embedding in (self.place, self.session):
            nn.init.normal_(embedding.weight, std=0.02)
        self.encoder = layers(settings, settings.layers)
        self.decoder = layers(settings, settings.decoder_layers)
        self.rates = nn.Linear(settings.dim, settings.patch_units)
        nn.init.zeros_(self.rates.weight)
        nn.init.zeros_(self.rates.bias)

    def encode(self, scaled_counts: Tensor, session: int) -> tuple[Tensor, Tensor]:
        """Tokens (B, P, D) of trials of one session from its standardised counts (B, T, N), and their times (P,) in bins."""
        tokens, _, times = self._tokens(scaled_counts, session)
        return self.encoder(tokens, times), times

    def hidden_loss(self, scaled_counts: Tensor, counts: Tensor, session: int, generator: torch.Generator) -> Tensor:
        """Poisson loss per count of hidden patches, the same ones in all trials (B, T, N) of the batch."""
        tokens, places, times = self._tokens(scaled_counts, session)
        order = torch.randperm(len(times), generator=generator).to(tokens.device)
        hidden, seen = order.split([n_hidden := max(1, round(self._mask_ratio * len(times))), len(times) - n_hidden])
        encoded = self.encoder(tokens[:, seen], times[seen])
        asked = (self.hidden + places[hidden]).expand(len(tokens), -1, -1)
        read = torch.arange(len(seen), len(times), device=tokens.device)
        decoded = self.decoder(torch.cat([encoded, asked], dim=1), times[torch.cat([seen, hidden])], read)
        log_means = self._log_means[session].to(tokens.device)
        log_rates = self.rates(decoded) + self._patches(log_means[None, None])[0, 0].repeat(self._n_bins, 1)[hidden]
        own = self._patches(torch.ones_like(log_means)[None, None])[0, 0].repeat(self._n_bins, 1)[hidden]
        truth = self._patches(counts).flatten(1, 2)[:, hidden]
        return ((log_rates.exp() - truth * log_rates) * own).sum() / (own.sum() * len(truth))

    def _tokens(self, scaled_counts: Tensor, session: int) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (B, P, D), the part (P, D) that says of which patch and session they are, and times (P,)."""
        patches = self._patches(scaled_counts)
        n_patches = patches.shape[2]
        places = (self.place.weight[:n_patches] + self.session.weight[session]).repeat(self._n_bins, 1)
        times = torch.arange(self._n_bins, device=patches.device).repeat_interleave(n_patches)
        return self.patch(patches).flatten(1, 2) + places, places, times

    def _patches(self, values: Tensor) -> Tensor:
        """Values (B, T, N) as patches (B, T, G, U), the last one filled up with zeros."""
        return F.pad(values, (0, -values.shape[-1] % self._patch_units)).unflatten(-1, (-1, self._patch_units))


class BehaviourDecoder(nn.Module):
    """Read one behaviour from encoded tokens: a query in each bin, or in the last one for a value of the trial."""

    def __init__(self, settings: Ndt2Settings, target: Target):
        super().__init__()
        self.query = nn.Parameter(0.02 * torch.randn(settings.dim))
        self.layers = layers(settings, settings.decoder_layers)
        self.readout = nn.Linear(settings.dim, target.n_outputs)
        self._n_queries, self._n_bins = target.n_queries, target.n_bins

    def forward(self, encoded: Tensor, times: Tensor) -> Tensor:
        """Outputs (B, Q, outputs) from tokens (B, P, D) at times (P,)."""
        queries = self.query.expand(len(encoded), self._n_queries, -1)
        asked = torch.arange(self._n_bins - self._n_queries, self._n_bins, device=times.device)
        read = torch.arange(len(times), len(times) + self._n_queries, device=times.device)
        return self.readout(self.layers(torch.cat([encoded, queries], dim=1), torch.cat([times, asked]), read))
