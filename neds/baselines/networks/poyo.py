"""POYO+: the POYO of torch_brain, whose queries say which behaviour they ask for, with a linear readout of each.

Sources: Azabou et al., "A Unified, Scalable Framework for Neural Population Decoding", NeurIPS 2023; POYO+: Azabou et al.,
"Multi-session, multi-task neural decoding from distinct cell-types and brain regions", ICLR 2025.

Shapes: B trials of a batch, P spikes (and a first and a last token of each unit), L latent tokens, Q queries, D width.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch_brain.batching import collate
from torch_brain.models import POYO

from neds.baselines.networks.settings import PoyoSettings
from neds.baselines.networks.spikes import Spikes
from neds.baselines.networks.targets import Target


class PoyoPlus(POYO):
    """Decode every behaviour of a trial from its spikes.

    Attributes:
        OWN: beginnings of the names of the weights that are of one session.
    """

    OWN = ("unit_emb.", "session_emb.")

    def __init__(
        self,
        settings: PoyoSettings,
        recordings: Sequence[Spikes],
        targets: Sequence[Target],
        *,
        window_s: float,
        bin_s: float,
    ):
        super().__init__(
            sequence_length=float(window_s),
            latent_step=settings.latent_step_s,
            num_latents_per_step=settings.latents_per_step,
            dim_out=1,
            dim=settings.dim,
            depth=settings.layers,
            dim_head=settings.head_dim,
            self_heads=settings.heads,
            ffn_dropout=settings.dropout,
            lin_dropout=settings.dropout,
            atn_dropout=settings.dropout,
        )
        self.targets = list(targets)
        self.unit_emb.initialize_vocab([str(name) for recording in recordings for name in recording.data.units.id])
        self.session_emb.initialize_vocab([recording.eid for recording in recordings])
        self.task_emb = nn.Embedding(len(targets), settings.dim)
        nn.init.normal_(self.task_emb.weight, std=0.02)
        self.readout = nn.ModuleDict({target.name: nn.Linear(settings.dim, target.n_outputs) for target in targets})
        centres_s = (np.arange(targets[0].n_bins) + 0.5) * bin_s
        # A value of the whole trial is asked for at its end.
        times = [np.full(1, window_s) if target.n_queries == 1 else centres_s for target in targets]
        tasks = np.repeat(np.arange(len(targets)), [len(own) for own in times])
        self.register_buffer(
            "query_times", torch.as_tensor(np.concatenate(times), dtype=torch.float32), persistent=False
        )
        self.register_buffer("query_tasks", torch.as_tensor(tasks), persistent=False)
        self._unit_dropout, self._rng = settings.unit_dropout, np.random.default_rng(settings.seed)

    def tokens(self, trials: Sequence[tuple[Spikes, int]]) -> dict[str, Tensor]:
        """Inputs of `forward`, of trials by recording and index; while training without some of their units."""
        return collate([self._tokens(recording, trial) for recording, trial in trials])

    def _tokens(self, recording: Spikes, trial: int) -> dict:
        data = recording.of_trial(trial)
        if not self.training:
            return self.tokenize(data)
        # Not by torch_brain's UnitDropout, whose draws no seed determines.
        n_units = len(data.units.id)
        n_kept = self._rng.integers(max(1, round((1 - self._unit_dropout) * n_units)), n_units, endpoint=True)
        kept = np.zeros(n_units, bool)
        kept[self._rng.permutation(n_units)[:n_kept]] = True
        data.units = data.units.select_by_mask(kept)
        data.spikes = data.spikes.select_by_mask(kept[data.spikes.unit_index])
        data.spikes.unit_index = (np.cumsum(kept) - 1)[data.spikes.unit_index]
        return self.tokenize(data)

    def forward(self, tokens: dict[str, Tensor]) -> dict[str, Tensor]:
        """Outputs (B, Q, outputs) of each behaviour, standardised values or logits."""
        device = self.query_times.device
        tokens = {name: value.to(device) for name, value in tokens.items()}
        latent_times = self.rotary_emb(tokens["latent_timestamps"].float())
        inputs = self.unit_emb(tokens["input_unit_index"]) + self.token_type_emb(tokens["input_token_type"])
        input_times = self.rotary_emb(tokens["input_timestamps"].float())
        latents = self.latent_emb(tokens["latent_index"])
        latents = latents + self.enc_atn(latents, inputs, latent_times, input_times, tokens["input_mask"])
        latents = latents + self.enc_ffn(latents)
        for attention, feed_forward in self.proc_layers:
            latents = latents + self.dropout(attention(latents, latent_times))
            latents = latents + self.dropout(feed_forward(latents))
        queries = self.session_emb(tokens["session_index"])[:, None] + self.task_emb(self.query_tasks)
        times = self.rotary_emb(self.query_times.expand(len(queries), -1))
        queries = queries + self.dec_atn(queries, latents, times, latent_times)
        outputs = (queries + self.dec_ffn(queries)).split([target.n_queries for target in self.targets], dim=1)
        return {target.name: self.readout[target.name](own) for target, own in zip(self.targets, outputs, strict=True)}
