"""Base class of the typed settings that each stage declares beside its code."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Immutable, strictly typed settings: unknown keys, text where a number belongs, and infinite numbers are refused.

    Every field carries a description; `config.yaml` repeats it for the reader.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
