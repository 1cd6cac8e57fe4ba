"""Settings of the networks among the baselines."""

from pydantic import Field, model_validator

from neds.settings import Settings, key


class NetworkSettings(Settings):
    """What both networks have. Their learning rate is constant, and falls to 0 as a cosine over the last quarter."""

    dim: int = key(64, ge=8, when="larger with a GPU")
    """Width of a token."""
    layers: int = key(2, ge=1, when="more with a GPU")
    """Transformer layers."""
    heads: int = key(4, ge=1, when="together with dim")
    """Attention heads."""
    dropout: float = key(0.2, ge=0, lt=1, when="higher against overfitting")
    """Dropout of attention and of hidden values."""
    epochs: int = key(60, ge=1, when="more with a GPU")
    """Passes over the training trials, when the network is pretrained and again when it is fitted to a test session."""
    batch_size: int = key(16, ge=1, when="larger for many sessions")
    """Trials per optimiser step."""
    lr: float = key(1e-3, gt=0, when="lower for larger networks")
    """Largest learning rate (AdamW)."""
    weight_decay: float = key(1e-3, ge=0, when="higher against overfitting", paper="1.0e-3")
    """AdamW's decay of weights."""
    validate_every: int = key(5, ge=1, when="more seldom for short epochs")
    """Epochs between validations; the weights of the best one are the model."""
    seed: int = key(0, ge=0, when="to see how much chance matters")
    """Of starting weights and order of trials."""

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> "NetworkSettings":
        if self.dim % (2 * self.heads):
            raise ValueError(f"dim ({self.dim}) must be a multiple of 2 x heads ({self.heads})")
        return self


class PoyoSettings(NetworkSettings):
    """POYO+ by torch_brain."""

    dim: int = key(64, ge=8, when="larger with a GPU", paper="128")
    """Width of a token."""
    layers: int = key(2, ge=1, when="more with a GPU", paper="4")
    """Self-attention layers between the latent tokens."""
    heads: int = key(4, ge=1, when="together with dim", paper="8, of 64 values each")
    """Heads of self-attention, each of `head_dim` values."""
    head_dim: int = key(32, ge=4, multiple_of=4, when="together with dim", paper="64")
    """Values of a head."""
    latent_step_s: float = key(0.25, gt=0, when="shorter for faster behaviours")
    """Seconds from one group of latent tokens to the next."""
    latents_per_step: int = key(8, ge=1, when="more with a GPU", paper="32 latents")
    """Latent tokens of a group."""
    dropout: float = key(0.2, ge=0, lt=1, when="higher against overfitting", paper="0.3")
    """Dropout of attention and of hidden values."""
    unit_dropout: float = key(0.5, ge=0, lt=1, when="lower for sessions of few units", paper="used; no number given")
    """In training, up to this share of a trial's units is left out."""
    regression_weight: float = key(5.0, gt=0, when="lower when traces are learned at the cost of classes", paper="20")
    """Weight of the loss of a trace or a scalar; that of a class is 1."""
    epochs: int = key(100, ge=1, when="more with a GPU", paper="100 of 74 sessions")
    """Passes over the training trials, when the network is pretrained and again when it is fitted to a test session."""
    batch_size: int = key(16, ge=1, when="larger for many sessions", paper="128")
    """Trials per optimiser step."""
    lr: float = key(3e-3, gt=0, when="lower for larger networks", paper="1.0e-3, of LAMB")
    """Largest learning rate (AdamW)."""


class Ndt2Settings(NetworkSettings):
    """NDT2 on this project's own encoder layers."""

    dim: int = key(64, ge=8, when="larger with a GPU", paper="512")
    """Width of a token."""
    layers: int = key(2, ge=1, when="more with a GPU", paper="6")
    """Layers of the encoder."""
    decoder_layers: int = key(1, ge=1, when="more with a GPU", paper="2")
    """Layers of the decoder of hidden patches, and of that of each behaviour."""
    heads: int = key(4, ge=1, when="together with dim", paper="4")
    """Attention heads."""
    mlp: int = key(128, ge=8, when="together with dim", paper="1024 (encoder), 512 (decoders)")
    """Hidden width of the layers' MLP."""
    patch_units: int = key(32, ge=1, when="larger for many units", paper="64")
    """Units of a patch, which is one bin long."""
    mask_ratio: float = key(0.11, gt=0, lt=1, when="higher when hidden patches are easily filled in", paper="0.11")
    """Share of the patches that is hidden in self-supervised training."""
    dropout: float = key(0.1, ge=0, lt=1, when="higher against overfitting", paper="0.1")
    """Dropout of attention and of hidden values."""
    epochs: int = key(60, ge=1, when="more with a GPU", paper="600")
    """Passes over the training trials in each phase: pretraining, fine-tuning without behaviours, decoders."""
    batch_size: int = key(16, ge=1, when="larger for many sessions", paper="1024")
    """Trials per optimiser step."""
    lr: float = key(5e-4, gt=0, when="lower for larger networks", paper="5.0e-4")
    """Largest learning rate (AdamW) of self-supervised training."""
    decoder_lrs: list[float] = key(
        [2e-3, 5e-4], min_length=1, when="more values for a finer search", paper="[4.0e-4, 2.0e-4, 1.0e-4, 5.0e-5]"
    )
    """Learning rates of the decoders; each decoder has that which validation prefers."""


class RivalSettings(Settings):
    """The networks that NEDS is compared with, where `baselines` names them (docs/baselines.md)."""

    ndt2: Ndt2Settings = Field(default_factory=Ndt2Settings)
    poyo: PoyoSettings = Field(default_factory=PoyoSettings)
