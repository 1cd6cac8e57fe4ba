"""Settings of the synthetic source: how many sessions, how large, from which seed."""

from pydantic import model_validator

from neds.settings import Seed, Settings, key

MOST_TRAIN_SESSIONS = 1000
MOST_TEST_SESSIONS = 9000


class SyntheticSessionSettings(Settings):
    """What determines one synthetic session, together with its index. The same settings give the same bytes."""

    seed: Seed = key(0, when="for another data set")
    """Seed of the whole data set; each session draws from (seed, its index)."""
    n_trials: int = key(250, ge=1, when="more for better scores")
    """Trials per session, before the trial rule rejects any (a few per cent)."""
    n_trials_max: int | None = key(None, ge=1, when="for sessions of different lengths")
    """Most trials of a session: each session draws its number between n_trials and this; null: all have n_trials."""
    units_min: int = key(50, ge=1, when="for larger or smaller sessions")
    """Fewest good units of a session; each session draws its number between the two."""
    units_max: int = key(80, ge=1, when="for larger or smaller sessions")
    """Most good units of a session."""
    noise_units: int = key(6, ge=0, when="to see units dropped")
    """Untuned clusters of poor quality per session on top of the good units, most of them below 2 Hz."""
    n_probes: int = key(2, ge=1, when="to see probes merged")
    """Probes per session; the units are shared out among them."""

    @model_validator(mode="after")
    def _check_sizes(self) -> "SyntheticSessionSettings":
        if self.n_trials_max is not None and self.n_trials > self.n_trials_max:
            raise ValueError(f"n_trials {self.n_trials} exceeds n_trials_max {self.n_trials_max}")
        if self.units_min > self.units_max:
            raise ValueError(f"units_min {self.units_min} exceeds units_max {self.units_max}")
        if self.n_probes > self.units_min:
            raise ValueError(f"n_probes {self.n_probes} exceeds units_min {self.units_min}: a probe would have no unit")
        return self


class SyntheticSettings(SyntheticSessionSettings):
    """The synthetic data set: its sessions, and what they have in common."""

    n_train: int = key(3, ge=1, le=MOST_TRAIN_SESSIONS, when="more to see what pretraining gives")
    """Sessions of role train, subjects SYN0001, SYN0002, ..."""
    n_test: int = key(2, ge=0, le=MOST_TEST_SESSIONS, when="6 or more for paired tests")
    """Sessions of role test, held out of pretraining, subjects SYN1001, SYN1002, ..."""
    missing_whisker: list[str] = key([], when="to see how unusable sessions are reported")
    """Subjects whose sessions have no camera files, hence no whisker trace."""

    def of_session(self) -> SyntheticSessionSettings:
        """The part that a single session depends on."""
        return SyntheticSessionSettings(**{name: getattr(self, name) for name in SyntheticSessionSettings.model_fields})

    @model_validator(mode="after")
    def _check_subjects(self) -> "SyntheticSettings":
        absent = set(self.missing_whisker) - {synthetic_subject(index) for index in self.indices()}
        if absent:
            raise ValueError(f"missing_whisker: no subject is called {', '.join(sorted(absent))}")
        return self

    def indices(self) -> list[int]:
        """Index of every session, role train first. Adding sessions of one role leaves those of the other alone."""
        return [*range(self.n_train), *range(MOST_TRAIN_SESSIONS, MOST_TRAIN_SESSIONS + self.n_test)]


def synthetic_subject(index: int) -> str:
    """Name of the subject of session `index`."""
    return f"SYN{index + 1:04d}"
