"""Settings of the optimisation."""

from typing import Literal

from pydantic import Field

from neds.settings import Settings


class TrainingSettings(Settings):
    """How a network is trained: the same keys for pretraining, training from scratch and fine-tuning."""

    epochs: int = Field(100, ge=1)
    """Passes over the training trials."""
    batch_size: int = Field(16, ge=1)
    """Trials per optimiser step."""
    lr: float = Field(1e-3, gt=0)
    """Largest learning rate of the one-cycle schedule."""
    shared_lr: float = Field(1.0, gt=0)
    """Learning rate of what sessions share (encoder, position and modality embeddings, mask vector), relative to `lr`."""
    weight_decay: float = Field(0.01, ge=0)
    """AdamW's decay of weight matrices; biases, norms and embeddings are never decayed."""
    warmup: float = Field(0.15, gt=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    div_factor: float = Field(10.0, gt=1)
    """Largest over first learning rate."""
    gradient_clip: float | None = Field(None, gt=0)
    """Largest norm of the gradient; null for none."""
    loss_weights: dict[str, float] = {}
    """Weight of a modality's loss; 1 for those not named."""
    sampling: Literal["trials", "sessions"] = "trials"
    """Of several sessions, every trial once an epoch, or equally many trials of each session."""
    freeze: Literal["none", "encoder", "shared"] = "none"
    """In fine-tuning, parts that keep their pretrained weights: the transformer, or all but the session's own maps."""
    validate_every: int = Field(5, ge=1)
    """Epochs between validations; the best validated weights are kept."""
    patience: int | None = Field(None, ge=1)
    """Stop after this many validations without a better score; null to run all epochs."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 autocast on GPUs that compute in it (Ampere and later), fp32 on others and on a CPU, where it is slower."""
