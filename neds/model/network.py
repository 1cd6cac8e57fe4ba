"""NEDS: one encoder over the tokens of all input modalities, with stitchers per session.

Shapes: B trials, M input modalities (those of `Layout.binned` or `Layout.whole`), T bins, C bins of context before these, Q
patches of bins, D model width.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neds.modalities import Kind, Modality
from neds.model.batch import Batch, Predictions
from neds.model.layout import layout_of
from neds.model.modes import Mode
from neds.model.public_code import draw_as_public_code
from neds.model.settings import ModelSettings
from neds.model.stitching import READOUTS, SessionShape, Stitchers, small_embedding
from neds.model.transformer import Encoder


@dataclass(frozen=True)
class Design:
    """Everything but the sessions that determines the network's parameters."""

    settings: ModelSettings
    modalities: dict[str, Modality]
    mode: Mode
    n_bins: int
    n_context: int = 0
    """Bins before the window, which are read alone."""


class Patches(nn.Module):
    """Joins the vectors of neighbouring bins in one token and parts it again, the same way in all modalities and sessions.

    Bins are hidden one by one before they are joined, so that a patch may hold visible and hidden ones.
    """

    def __init__(self, settings: ModelSettings):
        super().__init__()
        self.n_bins = settings.patch_bins
        self.joint = nn.Linear(self.n_bins * settings.dim, settings.dim)
        self.parts = nn.Linear(settings.dim, self.n_bins * settings.dim)

    def join(self, x_BMTD: Tensor) -> Tensor:
        """Patches (B, M, Q, D); the last one ends in zeros where T is no multiple of its bins."""
        missing = -x_BMTD.shape[2] % self.n_bins
        return self.joint(F.pad(x_BMTD, (0, 0, 0, missing)).unflatten(2, (-1, self.n_bins)).flatten(3))

    def part(self, h_Q: Tensor) -> Tensor:
        """Vectors (..., at least T, D) of the bins of patches (..., Q, D)."""
        return self.parts(h_Q).unflatten(-1, (self.n_bins, -1)).flatten(-3, -2)


class NEDS(nn.Module):
    """Predict the output modalities of a trial from those parts of its input modalities that are not hidden.

    Source: Zhang, Wang et al., "Neural Encoding and Decoding at Scale", ICML 2025.
    """

    position: nn.Parameter | None
    modality: nn.Parameter | None

    def __init__(self, design: Design, sessions: list[SessionShape]):
        super().__init__()
        self.design = design
        self.session_shapes = [SessionShape(session.eid, session.units) for session in sessions]
        settings, mode = design.settings, design.mode
        self.layout = layout_of(
            [design.modalities[name] for name in mode.inputs], settings, design.n_bins, design.n_context
        )
        inputs = self.layout.inputs
        self.stitchers = Stitchers(
            inputs=[design.modalities[name] for name in inputs],
            outputs=[design.modalities[name] for name in mode.outputs],
            settings=settings,
            sessions=sessions,
            layout=self.layout,
        )
        self.token_dropout = nn.Dropout(settings.token_dropout)
        self.mask_vector = small_embedding(settings.dim)
        # Drawn whether used or not, so that a model without one of them starts with all its other weights the same.
        position = small_embedding(len(self.layout.binned), self.layout.n_bins, settings.dim)
        modality = small_embedding(len(inputs), settings.dim)
        self.register_parameter("position", position if settings.position_embedding else None)
        self.register_parameter("modality", modality if settings.modality_embedding else None)
        self.encoder = Encoder(settings)
        self.patches = Patches(settings) if settings.patch_bins > 1 else None
        # A single token among hundreds is found late by attention, so that every bin is told the values of the trial, too.
        # Nothing of them at first: they would drown the embedding of the bin.
        self.told = nn.Linear(settings.dim, settings.dim, bias=False) if self.layout.whole else None
        # Of its own bin a hidden value need not learn by attention alone, as long as it is predicted: an encoding-only model
        # predicts nothing of what it hides.
        predicts_hidden = len(self.layout.binned) > 1 and not set(mode.outputs).isdisjoint(self.layout.binned)
        self.reads_others = settings.readout == "bin" and predicts_hidden
        beside = settings.hidden_values == "vector_and_bin" and predicts_hidden
        self.beside = nn.Linear(settings.dim, settings.dim, bias=False) if beside else None
        for zero_at_first in (self.told, self.beside):
            if zero_at_first is not None:
                nn.init.zeros_(zero_at_first.weight)
        if settings.init == "public_code" and not self.mask_vector.is_meta:
            draw_as_public_code(self, settings)
        if settings.behaviour_start == "common" and not self.mask_vector.is_meta:
            self.stitchers.begin_alike()
        order = list(design.modalities)
        self.input_rows = [order.index(name) for name in inputs]

    def forward(self, batch: Batch, hidden: Tensor, outputs: Collection[str] | None = None) -> Predictions:
        """Predict output modalities.

        Args:
            hidden: (B, all modalities, T), True where a value must not be seen. The rows of modalities that the
                model does not read are ignored.
            outputs: those to predict; all when omitted. The last layer encodes no tokens that none of them is read from.
        """
        n_binned, hidden = len(self.layout.binned), torch.stack([hidden[:, row] for row in self.input_rows], dim=1)
        hidden_bins = self._with_context(batch, hidden[:, :n_binned])
        x_BMTD = self._embed(batch, hidden_bins, slice(n_binned), self.beside)
        if self.position is not None:
            x_BMTD = x_BMTD + self.position
        if self.told is None:
            tokens = self._patches(x_BMTD)
        else:
            # Hidden in one bin is hidden in all, because there is but one value.
            of_trial = self._embed(batch, hidden[:, n_binned:].any(-1, keepdim=True), slice(n_binned, None))
            told = self.told(of_trial.sum(1, keepdim=True))
            tokens = torch.cat([self._patches(x_BMTD + told), of_trial.flatten(1, 2)], dim=1)
        wanted = [name for name in self.stitchers.readouts if outputs is None or name in outputs]
        read = self.layout.inputs_read_for(wanted)
        device = tokens.device
        h_BRD = self.encoder(tokens, self.layout.times(device), self.layout.indices(read, device))
        encoded = h_BRD.split([self.layout.n_tokens_of(name) for name in read], dim=1)
        others = self._others(x_BMTD, wanted) if self.reads_others else {}
        return self._read_out(wanted, dict(zip(read, encoded, strict=True)), others, batch)

    def _with_context(self, batch: Batch, hidden: Tensor) -> Tensor:
        """What is hidden of the binned inputs in context and window, (B, M, C + T), given that of the window, (B, M, T).

        Of what is seen nowhere in the window nothing is seen before it: a task that predicts a modality from others must not
        be given its past.
        """
        if not self.layout.n_context:
            return hidden
        before = hidden.all(-1, keepdim=True).expand(-1, -1, self.layout.n_context)
        # Copies of a value per trial are known wherever that is.
        known = [batch.context_valid.get(name, torch.ones_like(before[:, 0])) for name in self.layout.binned]
        return torch.cat([before | ~torch.stack(known, dim=1), hidden], dim=-1)

    def _patches(self, x_BMTD: Tensor) -> Tensor:
        """Tokens (B, M x Q, D) of vectors of bins."""
        return (self.patches.join(x_BMTD) if self.patches else x_BMTD).flatten(1, 2)

    def _embed(self, batch: Batch, hidden: Tensor, inputs: slice, beside: nn.Linear | None = None) -> Tensor:
        """Vectors of some of the inputs, (B, M, C + T or 1, D).

        Args:
            hidden: (B, M, C + T or 1); there the mask vector stands in the place of the value.
            beside: map of the mean of what is seen of a bin, which is added to the mask vector.
        """
        names = self.layout.inputs[inputs]
        values = self.token_dropout(torch.stack([self.stitchers.tokens[name](batch) for name in names], dim=1))
        hidden, mask_vector = hidden[..., None], self.mask_vector.to(values.dtype)
        if beside is not None:
            n_seen = (~hidden).sum(1, keepdim=True).clamp(min=1)
            mask_vector = mask_vector + beside(values.masked_fill(hidden, 0).sum(1, keepdim=True) / n_seen)
        x = torch.where(hidden, mask_vector, values)
        if self.modality is not None:
            x = x + self.modality[inputs, None]
        return x + self.stitchers.session.index_select(0, batch.sessions)[:, inputs, None]

    def _read_out(
        self, wanted: list[str], encoded: dict[str, Tensor], others: Mapping[str, Tensor], batch: Batch
    ) -> Predictions:
        """An output that has tokens in the bins is read from them, another from the input tokens of a bin, all together.

        Args:
            encoded: tokens (B, Q or 1, D) of the inputs that are read.
            others: `_others`, added to the tokens of an output; may be empty.
        """
        binned = self.layout.binned
        by_kind: dict[Kind, dict[str, Any]] = {kind: {} for kind in READOUTS}
        together = self._together(encoded) if set(wanted) - set(binned) else None
        for name in wanted:
            h = together
            if name in binned:
                own = self._bins(encoded[name])
                h = own + others[name] if others else own
            by_kind[self.design.modalities[name].kind][name] = self.stitchers.readouts[name](h, batch)
        return Predictions(
            log_rates=by_kind["counts"],
            means=by_kind["continuous"],
            logits=by_kind["categorical"],
            scalars=by_kind["scalar"],
        )

    def _others(self, x_BMTD: Tensor, wanted: Collection[str]) -> dict[str, Tensor]:
        """By wanted binned input the mean of what the others bring to a bin of the window, not yet encoded: (B, T, D)."""
        x = x_BMTD[:, :, self.layout.n_context :]
        total = x.sum(1)
        rows = {name: row for row, name in enumerate(self.layout.binned) if name in wanted}
        return {name: (total - x[:, row]) / (x.shape[1] - 1) for name, row in rows.items()}

    def _bins(self, h_Q: Tensor) -> Tensor:
        """Vectors (..., T, D) of the bins of the window of encoded patches (..., Q, D)."""
        h = self.patches.part(h_Q)[..., : self.layout.n_bins, :] if self.patches else h_Q
        return h[..., self.layout.n_context :, :]

    def _together(self, encoded: dict[str, Tensor]) -> Tensor:
        """The tokens that cover a bin, those of the whole trial among them: their mean (B, T, D), or side by side."""
        covering = [
            self._bins(h) if name in self.layout.binned else h.expand(-1, self.layout.n_predicted, -1)
            for name, h in encoded.items()
        ]
        if self.design.settings.readout_without_tokens == "concatenated":
            return torch.cat(covering, dim=-1)
        return torch.stack(covering, dim=1).mean(1)

    def adopt(self, pretrained: "NEDS", *, unlike: Collection[str] = ()) -> None:
        """Take over all that sessions share from `pretrained`; the session embeddings start at the mean of its own.

        With `behaviour_start` common so do the maps of behaviours.

        Args:
            unlike: behaviours that mean something else here than there.
        """
        shared = {k: v for k, v in pretrained.state_dict().items() if not k.startswith("stitchers.")}
        self.load_state_dict(shared, strict=False)
        with torch.no_grad():
            self.stitchers.session.copy_(pretrained.stitchers.session.mean(0).expand_as(self.stitchers.session))
        if self.design.settings.behaviour_start == "common":
            for name in self.stitchers.behaviours:
                if name not in unlike:
                    self.stitchers.begin_at_mean(name, pretrained.stitchers)

    def parameter_counts(self) -> dict[str, int]:
        """Number of parameters in the stitchers (which grow with the sessions) and in the part that sessions share."""
        stitchers = sum(p.numel() for p in self.stitchers.parameters())
        return {"stitchers": stitchers, "shared": sum(p.numel() for p in self.parameters()) - stitchers}
