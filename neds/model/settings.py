"""Settings of the network and of the masking."""

from typing import Literal

from pydantic import model_validator

from neds.settings import Settings, key

Scheme = Literal["encoding", "decoding", "within_spikes", "within_behaviour", "across", "units", "future"]


MOST_BINS = 10_000
"""Of a trial and what comes before it. A network takes memory for them before its weights are looked at."""
NOT_OF_SHAPE = (
    "behaviour_start",
    "token_dropout",
    "mlp_dropout",
    "mlp_output_dropout",
    "attention_dropout",
    "attention_dropout_of",
    "attention_output_dropout",
    "unit_dropout",
    "input_noise",
)
"""Keys of `ModelSettings` that are no matter of a network's shape, so that fine-tuning may have its own."""

BEFORE_THEY_WERE_KEYS = {"hidden_values": "vector", "readout": "token"}
"""Keys of `ModelSettings` that older files do not name, and what their networks do."""


class ModelSettings(Settings):
    """Size and regularisation of the network."""

    dim: int = key(
        64,
        ge=8,
        when="larger for more data, with a GPU; docs/training.md shows what width gives",
        paper="256",
        public_code="256",
    )
    """Width D of a token."""
    layers: int = key(
        2,
        ge=1,
        when="deeper for many sessions; it costs time in proportion",
        paper="5 (one session), 16 (10 to 69 sessions), 22 (74)",
        public_code="the same, chosen by the number of sessions in its training script",
    )
    """Transformer layers L."""
    heads: int = key(4, ge=1, when="together with dim", paper="8", public_code="8")
    """Attention heads; dim / heads must be even, because rotary embeddings turn pairs of values."""
    mlp: int = key(128, ge=8, when="together with dim, as twice it", paper="512", public_code="512")
    """Hidden width of the transformer's MLP."""
    rotary_base: float = key(
        100.0, gt=1, when="higher for windows of many hundred bins", paper="10000", public_code="10000"
    )
    """Base of the rotary embedding: its wavelengths go from 2 pi to 2 pi x this, in bins."""
    locality: float = key(
        4.0, ge=0, when="0 to start from attention that knows nothing of time", paper="0", public_code="0"
    )
    """Strength (a logit) with which attention prefers tokens of the same time at the start of training; 0: not at all."""
    stitcher: Literal["linear", "mlp"] = key(
        "linear", when="mlp to compare with the public code", paper="linear", public_code="mlp"
    )
    """Map of a session's units to tokens: one matrix, or two with a softsign between them."""
    per_trial_tokens: Literal["one", "bins"] = key(
        "bins", when="one for less arithmetic", paper="bins", public_code="bins"
    )
    """Tokens of a value per trial (categorical or scalar): one, of which a learned map, 0 at first, is added to all bins, or
    a copy in every bin. A model none of whose inputs has a value per bin takes copies all the same, because something
    must mark the time."""
    hidden_values: Literal["vector", "vector_and_bin"] = key(
        "vector_and_bin", when="vector to compare with the paper", paper="vector", public_code="vector"
    )
    """What stands in the place of a hidden value: one learned vector, or that and what is seen of the same bin in other
    modalities, by a learned map of their tokens' mean that is 0 at first (in mode mm)."""
    patch_bins: Literal[1, 2, 4] = key(
        1, when="2 or 4 for longer or finer windows: less arithmetic in proportion", paper="1", public_code="1"
    )
    """Neighbouring bins of a modality that share a token. They are hidden and predicted one by one all the same."""
    token_dropout: float = key(
        0.2, ge=0, lt=1, when="higher against overfitting on few trials", paper="0.2", public_code="0.2"
    )
    """Dropout of token values."""
    mlp_dropout: float = key(
        0.2,
        ge=0,
        lt=1,
        when="higher against overfitting of a large network",
        paper="0.4 in the MLP",
        public_code="0",
    )
    """Dropout of the MLP's hidden values."""
    mlp_output_dropout: float = key(
        0.0, ge=0, lt=1, when="to compare with the public code", paper="see mlp_dropout", public_code="0.4"
    )
    """Dropout of what the MLP adds to a token."""
    attention_dropout: float = key(
        0.0,
        ge=0,
        lt=1,
        when="above 0 against overfitting of a large network",
        paper="0.4 in attention",
        public_code="0.4",
    )
    """Dropout in attention, of what `attention_dropout_of` says."""
    attention_dropout_of: Literal["probabilities", "keys"] = key(
        "probabilities",
        when="keys for a step that takes no longer than without dropout",
        paper="probabilities",
        public_code="probabilities",
    )
    """Drop each probability of a query and a key by itself, or whole keys, in every head others. Dropping probabilities
    rules out the fused attention kernel: on a CPU a step then takes 3.3 times as long as without dropout
    (docs/training.md)."""
    attention_output_dropout: float = key(
        0.0, ge=0, lt=1, when="to compare with the public code", paper="see attention_dropout", public_code="0.4"
    )
    """Dropout of the heads' outputs, before they are projected."""
    unit_dropout: float = key(
        0.5, ge=0, lt=1, when="lower for sessions of few units; 0 to compare with the paper", paper="0", public_code="0"
    )
    """In training, up to this share of a trial's units is replaced by their mean."""
    readout: Literal["token", "bin"] = key(
        "bin", when="token to compare with the paper", paper="token", public_code="token"
    )
    """What an output that has tokens is read from: its own encoded token of a bin, or that plus the mean of what the other
    modalities bring to the bin, as it was before the encoder."""
    readout_without_tokens: Literal["mean", "concatenated"] = key(
        "mean",
        when="concatenated to compare with the public code",
        public_code="concatenated",
    )
    """What an output that has no tokens in the bins (spikes of an encoding-only model; with `per_trial_tokens: one` values
    per trial, too) is read from: the mean over the tokens of a bin, by Linear(D -> n), or all of them side by side, by
    Linear(inputs x D -> n)."""
    init: Literal["scaled", "public_code"] = key(
        "scaled", when="public_code to compare with it", public_code="public_code"
    )
    """Starting values. scaled: readouts at the null model, small embeddings, biases of 0. public_code: readouts and biases
    at random, so that every unit starts near one spike per bin, embeddings from N(0, 1), a mask vector of 0. Both scale
    the encoder's weights down by its depth."""
    behaviour_start: Literal["common", "own"] = key(
        "common", when="own to compare with the paper", paper="see public_code", public_code="own"
    )
    """Starting values of the maps between a behaviour and its tokens, of which every session has its own. common: the same
    in all sessions, and in fine-tuning the mean of those of the pretrained sessions, because a behaviour means the same in
    all of them. own: drawn anew for each session."""
    input_noise: float = key(
        0.0,
        ge=0,
        when="higher for few trials and many units; 0 to compare with the paper",
        paper="0",
        public_code="0",
    )
    """In training, standard deviation of the noise that is added to the standardised counts that the model reads."""
    modality_embedding: bool = key(True, when="false to see what it gives (Table 11)", paper="true", public_code="true")
    """Add to every token a learned vector of its modality; without it a token's modality shows in its content alone."""
    position_embedding: bool = key(True, when="false to see what it gives (Table 11)", paper="true", public_code="true")
    """Add to every token a learned vector of its time bin; attention sees distances in time without it, too."""

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> "ModelSettings":
        if self.dim % (2 * self.heads):
            raise ValueError(f"dim ({self.dim}) must be a multiple of 2 x heads ({self.heads})")
        return self


class MaskingSettings(Settings):
    """Which masking schemes train the model, and how much the random ones hide."""

    ratio: float = key(
        0.1,
        gt=0,
        lt=1,
        when="higher when spikes or behaviours are easily filled in from neighbouring bins",
        paper="0.1; searched in 0.1 to 0.4",
        public_code="0.3: its training script does not pass the 0.1 on",
    )
    """Probability that a bin is hidden in the random schemes; a value per trial is hidden whole with it."""
    weights: dict[Scheme, float] = key(
        {"encoding": 2.0, "decoding": 2.0, "within_spikes": 0.5, "within_behaviour": 0.5, "across": 0.5},
        when="to train for one task alone, or as evenly as the paper; units, future for co-smoothing, forecasting",
        paper="all alike; the two within are one scheme",
        public_code="all alike",
    )
    """Relative frequency of each scheme; one that is absent, as units and future by default, is never drawn."""
    single_behaviour: float = key(
        0.5,
        ge=0,
        le=1,
        when="0 when nobody asks what each behaviour alone tells of the spikes",
        paper="one alone at random; 0 for encoding alone",
        public_code="0",
    )
    """In the encoding scheme, probability that one behaviour alone is shown instead of all of them."""
    unit_ratio: float = key(0.3, gt=0, lt=1, when="the share of the units that will be held out, or more")
    """In the scheme units, probability that a unit is hidden, in all bins of the trial."""
    units_without_behaviour: float = key(
        0.5, ge=0, le=1, when="1 to predict units from units alone, 0 always to show behaviour beside them"
    )
    """In the scheme units, probability that all behaviours are hidden too; they are no targets."""
    future_ratio: float = key(0.1, gt=0, lt=1, when="the share of the window that will be forecast")
    """In the scheme future, share of the bins, the last ones of the window, that are hidden; one bin at least."""

    @model_validator(mode="after")
    def _some_weight(self) -> "MaskingSettings":
        if min(self.weights.values(), default=0) < 0 or sum(self.weights.values()) <= 0:
            raise ValueError("weights must be 0 or more, and one of them above 0")
        return self
