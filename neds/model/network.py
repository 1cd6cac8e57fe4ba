"""NEDS: one encoder over the tokens of all input modalities, with stitchers per session.

Shapes: B trials, M input modalities, T bins, D model width.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neds.modalities import Kind, Modality
from neds.model.batch import Batch, Predictions
from neds.model.modes import Mode
from neds.model.public_code import draw_as_public_code
from neds.model.settings import ModelSettings
from neds.model.stitching import READOUTS, SessionShape, Stitchers
from neds.model.transformer import Encoder


@dataclass(frozen=True)
class Design:
    """Everything but the sessions that determines the network's parameters."""

    settings: ModelSettings
    modalities: dict[str, Modality]
    mode: Mode
    n_bins: int


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
        inputs = [design.modalities[name] for name in mode.inputs]
        self.stitchers = Stitchers(
            inputs=inputs,
            outputs=[design.modalities[name] for name in mode.outputs],
            settings=settings,
            sessions=sessions,
            n_bins=design.n_bins,
        )
        self.token_dropout = nn.Dropout(settings.token_dropout)
        self.mask_vector = nn.Parameter(0.02 * torch.randn(settings.dim))
        # Drawn whether used or not, so that a model without one of them starts with all its other weights the same.
        position = nn.Parameter(0.02 * torch.randn(len(inputs), design.n_bins, settings.dim))
        modality = nn.Parameter(0.02 * torch.randn(len(inputs), settings.dim))
        self.register_parameter("position", position if settings.position_embedding else None)
        self.register_parameter("modality", modality if settings.modality_embedding else None)
        self.encoder = Encoder(settings)
        if settings.init == "public_code":
            draw_as_public_code(self, settings)
        order = list(design.modalities)
        self.input_rows = [order.index(name) for name in mode.inputs]

    def forward(self, batch: Batch, hidden: Tensor) -> Predictions:
        """Predict every output modality.

        Args:
            hidden: (B, all modalities, T), True where a value must not be seen. The rows of modalities that the
                model does not read are ignored.
        """
        tokens = torch.stack([tokens(batch) for tokens in self.stitchers.tokens.values()], dim=1)
        tokens = self.token_dropout(tokens)
        masked = hidden[:, self.input_rows, :, None]
        x_BMTD = torch.where(masked, self.mask_vector.to(tokens.dtype), tokens)
        if self.position is not None:
            x_BMTD = x_BMTD + self.position
        if self.modality is not None:
            x_BMTD = x_BMTD + self.modality[:, None]
        x_BMTD = x_BMTD + self.stitchers.session[batch.sessions][:, :, None]
        n_inputs, n_bins = x_BMTD.shape[1:3]
        time_bins = torch.arange(n_bins, device=x_BMTD.device).repeat(n_inputs)
        h_BMTD = self.encoder(x_BMTD.flatten(1, 2), time_bins).unflatten(1, (n_inputs, n_bins))
        return self._read_out(h_BMTD, batch)

    def _read_out(self, h_BMTD: Tensor, batch: Batch) -> Predictions:
        """An output that has tokens is read from them, one that has none from the input tokens of a bin, all together."""
        by_kind: dict[Kind, dict[str, Any]] = {kind: {} for kind in READOUTS}
        for name, readout in self.stitchers.readouts.items():
            inputs = self.design.mode.inputs
            h_BTD = h_BMTD[:, inputs.index(name)] if name in inputs else self._together(h_BMTD)
            by_kind[self.design.modalities[name].kind][name] = readout(h_BTD, batch)
        return Predictions(
            log_rates=by_kind["counts"],
            means=by_kind["continuous"],
            logits=by_kind["categorical"],
            scalars=by_kind["scalar"],
        )

    def _together(self, h_BMTD: Tensor) -> Tensor:
        if self.design.settings.readout_without_tokens == "concatenated":
            return h_BMTD.transpose(1, 2).flatten(2)
        return h_BMTD.mean(1)

    def adopt(self, pretrained: "NEDS") -> None:
        """Take over all that sessions share from `pretrained`; the session embeddings start at the mean of its own."""
        shared = {k: v for k, v in pretrained.state_dict().items() if not k.startswith("stitchers.")}
        self.load_state_dict(shared, strict=False)
        with torch.no_grad():
            self.stitchers.session.copy_(pretrained.stitchers.session.mean(0).expand_as(self.stitchers.session))

    def parameter_counts(self) -> dict[str, int]:
        """Number of parameters in the stitchers (which grow with the sessions) and in the part that sessions share."""
        stitchers = sum(p.numel() for p in self.stitchers.parameters())
        return {"stitchers": stitchers, "shared": sum(p.numel() for p in self.parameters()) - stitchers}
