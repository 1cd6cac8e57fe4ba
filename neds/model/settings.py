"""Settings of the network and of the masking."""

from typing import Literal

from pydantic import Field, model_validator

from neds.settings import Settings

Scheme = Literal["encoding", "decoding", "within_spikes", "within_behaviour", "across"]


class ModelSettings(Settings):
    """Size and regularisation of the network."""

    dim: int = Field(128, ge=8)
    """Width D of a token."""
    layers: int = Field(3, ge=1)
    """Transformer layers L."""
    heads: int = Field(4, ge=1)
    """Attention heads; dim / heads must be even, because rotary embeddings turn pairs of values."""
    mlp: int = Field(256, ge=8)
    """Hidden width of the transformer's MLP."""
    rotary_base: float = Field(100.0, gt=1)
    """Base of the rotary embedding: its wavelengths go from 2 pi to 2 pi x this, in bins."""
    locality: float = Field(4.0, ge=0)
    """Strength (a logit) with which attention prefers tokens of the same time at the start of training; 0: not at all."""
    stitcher: Literal["linear", "mlp"] = "linear"
    """Map of a session's units to tokens: one matrix, or two with a softsign between them."""
    token_dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout of token values."""
    mlp_dropout: float = Field(0.2, ge=0, lt=1)
    """Dropout after the MLP's hidden layer."""
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout of attention probabilities; anything above 0 leaves the fused attention kernel on a CPU."""
    unit_dropout: float = Field(0.0, ge=0, lt=1)
    """In training, up to this share of a trial's units is replaced by their mean."""
    modality_embedding: bool = True
    """Add to every token a learned vector of its modality; without it a token's modality shows in its content alone."""
    position_embedding: bool = True
    """Add to every token a learned vector of its time bin; attention sees distances in time without it, too."""

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> "ModelSettings":
        if self.dim % (2 * self.heads):
            raise ValueError(f"dim ({self.dim}) must be a multiple of 2 x heads ({self.heads})")
        return self


class MaskingSettings(Settings):
    """Which masking schemes train the model, and how much the random ones hide."""

    ratio: float = Field(0.1, gt=0, lt=1)
    """Probability that a bin is hidden in the random schemes; a categorical value is hidden whole with it."""
    weights: dict[Scheme, float] = Field(
        default_factory=lambda: dict.fromkeys(
            ("encoding", "decoding", "within_spikes", "within_behaviour", "across"), 1.0
        )
    )
    """Relative frequency of each scheme; one that is absent is never drawn."""
    single_behaviour: float = Field(0.5, ge=0, le=1)
    """In the encoding scheme, probability that one behaviour alone is shown instead of all of them."""

    @model_validator(mode="after")
    def _some_weight(self) -> "MaskingSettings":
        if min(self.weights.values(), default=0) < 0 or sum(self.weights.values()) <= 0:
            raise ValueError("weights must be 0 or more, and one of them above 0")
        return self
