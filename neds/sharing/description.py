"""The configuration of a shared model, `config.json`: what it is of, for people, for other programs and for the plan.

The network is built from what stands in the weights' own file; `neds import` checks that both say the same.
"""

import json
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from neds.errors import UserError
from neds.files.reading import reading
from neds.modalities import Modality
from neds.model.modes import ModeName
from neds.model.settings import BEFORE_THEY_WERE_KEYS, ModelSettings
from neds.settings import Settings
from neds.sharing.places import CONFIG
from neds.validation import validated

MODEL_FORMAT: Final = "neds-model-1"
MOST_CONFIG_BYTES = 16 * 2**20
NAME = "[A-Za-z0-9_][A-Za-z0-9_-]*"
"""What sessions and models may be called: files and figures are called after them."""


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{text[:50]!r} has control characters in it")
    return text


Text = Annotated[str, AfterValidator(_printable), Field(max_length=1000)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


Eid = Annotated[str, Field(pattern=f"^{NAME}$", max_length=200)]


class TrainedSession(Settings):
    """A session that the model was trained on."""

    eid: Eid
    subject: Text
    lab: Text
    n_units: dict[Text, int]
    """Columns of each counts modality."""
    n_trials: dict[Text, int]
    """By split."""
    sha256: Digest
    """Of its values and its split (`neds.model.known.session_digest`)."""


class WeightsFile(Settings):
    """The file of weights."""

    size: int = Field(gt=0)
    """In bytes."""
    sha256: Digest


class Description(Settings):
    """What a shared model is."""

    format: Literal["neds-model-1"] = MODEL_FORMAT
    name: Annotated[str, Field(pattern=f"^{NAME}$", max_length=100)]
    mode: ModeName
    inputs: list[Text]
    outputs: list[Text]
    modalities: list[Modality]
    n_bins: int
    n_context: int = 0
    """Bins before these, which it reads too."""
    bin_s: float
    window_start_s: float
    """Start of the first bin from the alignment event, in seconds."""
    model: ModelSettings
    seed: int
    sessions: list[TrainedSession]
    trained_before: dict[Eid, list[Digest]] = {}
    """Sessions of the models that it was fine-tuned from, which it has no maps of: of each what was trained on, as `sha256`
    of a session."""
    licence: Text
    versions: dict[Text, Text]
    """Of Python and the packages that trained it."""
    weights: WeightsFile

    @field_validator("model", mode="before")
    @classmethod
    def _of_an_older_file(cls, values: Any) -> Any:
        return BEFORE_THEY_WERE_KEYS | values if isinstance(values, dict) else values


def read_description(folder: str | PathLike[str]) -> Description:
    """Read a shared model's configuration; nothing heavy is imported.

    Raises:
        UserError: there is none, or it is none of this version.
    """
    path = Path(folder, CONFIG)
    if not path.parent.exists():
        raise UserError(f"{folder}: no such folder; name one that `neds export` or `neds import` wrote")
    if not path.is_file():
        raise UserError(f"{folder}: holds no {CONFIG}; name a folder that `neds export` or `neds import` wrote")
    if path.stat().st_size > MOST_CONFIG_BYTES:
        raise UserError(f"{path}: is larger than {MOST_CONFIG_BYTES} bytes; this is no model that neds exported")
    with reading(path):
        values = json.loads(path.read_bytes())
    return validated(Description, values, where=str(path))
