"""Settings of the optimisation."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from neds.model.modes import ModeName
from neds.model.settings import MaskingSettings, ModelSettings
from neds.settings import Settings, key

Keep = Literal["best", "last", "last_unless_worse"]
CountLoss = Literal["per_spike", "per_value"]
LossScaling = Literal["standardised", "unit_range", "symmetric_range"]


class TrainingSettings(Settings):
    """What of a training determines the network that comes out."""

    epochs: int = key(
        60,
        ge=1,
        when="more with a GPU: scores of multimodal models go on rising",
        paper="2000; encoding alone 4000",
        public_code="2000; encoding alone 4000",
    )
    """Passes over the training trials."""
    batch_size: int = key(
        16,
        ge=1,
        when="larger for many sessions",
        paper="16 (one session), 1024 (74 sessions)",
        public_code="16 (one session), 1024 (74 sessions)",
    )
    """Trials per optimiser step."""
    lr: float = key(
        2e-3,
        gt=0,
        when="lower for larger networks and longer training",
        paper="2.0e-4 (up to 40 sessions), 5.0e-4 (encoding alone), 3.0e-3 (74 sessions)",
        public_code="the same",
    )
    """Largest learning rate of the one-cycle schedule."""
    shared_lr: float = key(
        1.0, gt=0, when="below 1 in fine-tuning, to spare what was pretrained", paper="1", public_code="1"
    )
    """Learning rate of what sessions share (encoder, position and modality embeddings, mask vector), relative to `lr`."""
    optimiser: Literal["muon", "adamw"] = key(
        "muon", when="adamw to compare with the paper", paper="adamw", public_code="adamw"
    )
    """What steps the transformer's matrices; all other weights are AdamW's. muon: all directions of a matrix are stepped
    equally far (Jordan et al. 2024), which reaches a score in fewer epochs (docs/training.md)."""
    weight_decay: float = key(
        0.01,
        ge=0,
        when="1 for few trials, as fine-tuning has by default (overrides)",
        paper="0.01; searched in 0.001 to 0.1",
        public_code="0.01",
    )
    """Decay of weight matrices; biases, norms and embeddings are never decayed."""
    cycled_beta1: bool = key(False, when="true to compare with the public code", public_code="true")
    """Whether the momentum (beta1 of AdamW) falls from 0.95 to 0.85 while the learning rate rises, and rises again while it
    falls; else it is 0.9, and Muon's 0.95."""
    warmup: float = key(
        0.15, gt=0, lt=1, when="higher when training starts unsteadily", paper="0.15", public_code="0.15"
    )
    """Share of the steps in which the learning rate rises."""
    div_factor: float = key(10.0, gt=1, when="higher when training starts unsteadily", paper="10", public_code="10")
    """Largest over first learning rate."""
    gradient_clip: float | None = key(
        None, gt=0, when="set it when the loss jumps; large loss weights make large gradients"
    )
    """Largest norm of the gradient; null for none. Muon's steps have one length: of them it changes only how much a batch
    weighs in their average."""
    loss_weights: dict[str, float] = key(
        {"spikes": 20.0},
        when="when one modality is learned at the cost of others",
        paper="1 each, with loss_scaling symmetric_range and count_loss per_value",
        public_code="1 each, with loss_scaling unit_range and count_loss per_value; with standardised that is about "
        "{spikes: 1, wheel_speed: 0.034, whisker_motion_energy: 0.0125, choice: 0.02, block: 0.02} (session DY_016)",
    )
    """Weight of a modality's loss; 1 for those not named. A spike's loss moves by a tenth or two in training, a behaviour's
    by half or more, so that with weight 1 the behaviours alone shape a small model."""
    loss_scaling: LossScaling = key(
        "standardised",
        when="to compare with the paper or its public code, together with loss_weights",
        paper="symmetric_range",
        public_code="unit_range",
    )
    """Unit of behaviours' errors. standardised: squared errors of z-scored values, cross-entropy per trial. unit_range and
    symmetric_range: squared errors of values scaled to [0, 1] or [-1, 1] by their range in the session's training trials,
    and losses of values per trial divided by the number of bins, as a token of each bin stands for the value."""
    count_loss: CountLoss = key(
        "per_spike",
        when="per_value to compare with the paper, together with loss_weights",
        paper="per_value",
        public_code="per_value",
    )
    """What the loss of counts is divided by. per_spike: by as many spikes as the session's training trials have in as many
    bins, so that a weight means the same at every bin width and firing rate. per_value: by the number of bins and units."""
    sampling: Literal["trials", "sessions"] = key(
        "trials", when="sessions when their numbers of trials differ much", paper="trials", public_code="trials"
    )
    """Of several sessions, every trial once an epoch, or equally many trials of each session."""
    absent_sessions: Literal["decay", "untouched"] = key(
        "untouched",
        when="decay for a step of less work where nearly all sessions are in every batch",
        public_code="untouched",
    )
    """What a step does to the own maps of a session that has no trial in the batch. decay: momentum and weight decay go on.
    untouched: weights, moments and bias correction wait for its next trial."""
    freeze: Literal["none", "encoder", "shared"] = key(
        "none", when="shared for very few trials of a new session", paper="none", public_code="none"
    )
    """In fine-tuning, parts that keep their pretrained weights: the transformer, or all but the session's own maps. Say it
    under overrides, finetuned: where there is nothing pretrained it is refused."""
    validate_every: int = key(
        5, ge=1, when="more seldom for short epochs: a validation costs about one of them", public_code="1"
    )
    """Epochs between validations."""
    keep: Keep = key("last_unless_worse", when="best to compare with the paper", paper="best", public_code="best")
    """Which weights become the model. best: those of the validation with the best mean score. last: those at the end.
    last_unless_worse: those at the end, unless an earlier validation left less deviance by more than the standard error
    over validation trials; each output counts by how much of its deviance was explained at best. A search (`tune`) judges
    its trials by the best validation, whatever stands here."""
    calibration: bool = key(False, when="true for few training trials", paper="false", public_code="false")
    """After training, draw the predictions of each output together (or apart) by the factor that fits the validation trials
    best: log rates, traces and logits around their means."""
    patience: int | None = key(None, ge=1, when="set it to save time when scores stop rising early")
    """Stop after this many validations none of which was better than the best before them, by the measure of `keep`; null to
    run all epochs."""
    precision: Literal["auto", "fp32", "bf16"] = key(
        "auto", when="fp32 to compare results between machines", public_code="fp32"
    )
    """auto: bf16 autocast on GPUs that compute in it (Ampere and later), fp32 on others. On a CPU one layer of a network of
    dim 128 or more is timed in both when training begins, and bf16 chosen where it is at least 1.4 times faster (on CPUs
    with AMX or AVX512-BF16). The log and the checkpoint say what was chosen, and a training that was interrupted goes on
    with it. Test scores are always computed in fp32."""

    @model_validator(mode="after")
    def _patience_needs_a_measure(self) -> "TrainingSettings":
        if self.patience is not None and self.keep == "last":
            raise ValueError("patience needs a measure: set keep to best or last_unless_worse, or patience to null")
        return self


class MemorySettings(Settings):
    """How a training fits the machine: its memory, and the kernels of its GPU. The network that comes out differs by no more
    than another number of threads makes it differ, so that nothing is stale when one of these changes.
    """

    trials_at_once: Literal["auto"] | Annotated[int, Field(ge=1)] = key(
        "auto", when="a number when a GPU runs out of memory all the same, or for large batches on a CPU"
    )
    """Trials of a batch whose activations a process holds at once. A larger batch goes through in parts, whose gradients are
    added up: the step stays that of the whole batch but for rounding, though dropout draws other values. auto: on a GPU as
    many as fit, found at the start; on a CPU all. It makes nothing stale, and an interrupted training goes on with what it
    began with."""
    recompute: bool = key(False, when="true to fit more trials at once, at the cost of a second forward pass")
    """Compute the activations of each layer again for its gradient, instead of holding them. It changes no result, but that
    on a GPU steps are not recorded (`compile`), which rounds sums otherwise."""
    memory_share: float = key(
        0.5, gt=0, le=1, when="lower where other work needs the memory; higher where reading files is slow"
    )
    """Share of the memory that is left at the start which the counts of all sessions may take. Where they would take more,
    the trials of a batch are read from their files; that changes no result."""

    compile: Literal["auto"] | bool = key(
        "auto", when="true for many trainings of one size on a GPU, which share what was compiled"
    )
    """Train with layers that torch.compile made: fewer and larger kernels, for half a minute at the start. It needs Triton
    and a C compiler. auto: on a GPU for a training that takes it minutes, unless something it needs is missing, which is
    logged. Sums are rounded otherwise; it makes nothing stale. Unless this is false, a training of one process that has
    the counts of all sessions on its GPU also records its steps as CUDA graphs, without `recompute`; the log says why where
    it does not."""


class TrainingBlock(MemorySettings, TrainingSettings):
    """How a network is trained: the same keys for pretraining, training from scratch and fine-tuning."""

    def of_result(self) -> TrainingSettings:
        """What determines the network."""
        return TrainingSettings.model_validate(self.model_dump(include=set(TrainingSettings.model_fields)))

    def of_memory(self) -> MemorySettings:
        """What does not."""
        return MemorySettings.model_validate(self.model_dump(include=set(MemorySettings.model_fields)))


class TrainingRun(Settings):
    """Everything but the data that determines a trained network."""

    mode: ModeName
    """mm, encoding or decoding."""
    modalities: list[str]
    """Modalities that the model deals with, in the order of its tokens."""
    model: ModelSettings = Field(default_factory=ModelSettings)
    masking: MaskingSettings = Field(default_factory=MaskingSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    seed: int = 0
    train_trials: int | None = Field(None, ge=1)
    """Use this many training trials of each session; null for all."""
