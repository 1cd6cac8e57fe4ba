"""Settings of the synthetic source: how many sessions, how large, from which seed."""

from pydantic import Field, model_validator

from neds.settings import Settings


class SyntheticSettings(Settings):
    """The synthetic data set. The same settings give the same bytes."""

    n_train: int = Field(3, ge=1)
    """Sessions of role train."""
    n_test: int = Field(2, ge=0)
    """Sessions of role test, held out of pretraining."""
    seed: int = Field(0, ge=0)
    """Seed of the whole data set; each session draws from (seed, its index)."""
    n_trials: int = Field(250, ge=1)
    """Trials per session, before the trial rule rejects any (a few per cent)."""
    units_min: int = Field(50, ge=1)
    """Fewest good units of a session; each session draws its number between the two."""
    units_max: int = Field(80, ge=1)
    """Most good units of a session."""
    noise_units: int = Field(6, ge=0)
    """Untuned clusters of poor quality per session on top of the good units, most of them below 2 Hz."""
    n_probes: int = Field(2, ge=1)
    """Probes per session; the units are shared out among them."""
    missing_whisker: list[int] = Field([])
    """Indices (from 0, role train first) of the sessions that have no camera files, hence no whisker trace."""

    @model_validator(mode="after")
    def _check(self) -> "SyntheticSettings":
        if self.units_min > self.units_max:
            raise ValueError(f"units_min {self.units_min} exceeds units_max {self.units_max}")
        if self.n_probes > self.units_min:
            raise ValueError(f"n_probes {self.n_probes} exceeds units_min {self.units_min}: a probe would have no unit")
        outside = [index for index in self.missing_whisker if not 0 <= index < self.n_train + self.n_test]
        if outside:
            raise ValueError(f"missing_whisker: no session {outside[0]}; indices run from 0 to n_train + n_test - 1")
        return self
