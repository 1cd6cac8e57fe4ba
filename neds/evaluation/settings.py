"""Settings of the evaluation: the tasks beside encoding and decoding, and what they hold out."""

from typing import Literal, get_args

from pydantic import model_validator

from neds.model.settings import Scheme
from neds.settings import Seed, Settings, key

UnitTaskName = Literal["co_smoothing", "forecasting"]
SCHEME_OF: dict[UnitTaskName, Scheme] = {"co_smoothing": "units", "forecasting": "future"}
"""The masking scheme that trains a model for each of these tasks."""
WITH_BEHAVIOUR = "_with_behaviour"
UNIT_TASKS: dict[str, UnitTaskName] = {
    f"{name}{given}": name for name in get_args(UnitTaskName) for given in ("", WITH_BEHAVIOUR)
}
"""Every task as results name it: from what is neural alone, and from behaviour too."""
TASK_TITLES = {
    "encoding": "encoding",
    "co_smoothing": "co-smoothing",
    "co_smoothing_with_behaviour": "co-smoothing with behaviour",
    "forecasting": "forecasting",
    "forecasting_with_behaviour": "forecasting with behaviour",
}


class HeldOut(Settings):
    """Which units co-smoothing holds out: those of a list, of a column, or else a share of them."""

    share: float
    seed: int
    column: str | None = None
    uuids: list[str] = []


class UnitTasks(Settings):
    """The tasks beside encoding and decoding that a model is evaluated on.

    Attributes:
        held_out: units of co-smoothing; null where it is not asked for.
        forecast_ratio: share of the bins that are forecast; null where forecasting is not asked for.
    """

    held_out: HeldOut | None = None
    forecast_ratio: float | None = None


class EvaluationSettings(Settings):
    """What models are evaluated on beside encoding and decoding."""

    tasks: list[UnitTaskName] | None = key(
        None, when="[co_smoothing, forecasting] to score models that were not trained for them too, [] for none"
    )
    """Tasks beside encoding and decoding: co_smoothing (held-out units from the others), forecasting (the last bins from
    those before). null: those that a model's masking schemes, units and future, train it for; baselines then have them
    too."""
    held_out_share: float = key(0.25, gt=0, lt=1, when="for more or fewer units of co-smoothing")
    """Share of the units of a session that co-smoothing holds out, drawn from its EID, the seed, and the number of units."""
    held_out_seed: Seed = key(0, when="for another draw of held-out units")
    """Seed of that draw."""
    held_out_column: str | None = key(None, when="for held-out units that your files name")
    """A column of the unit table, true for the units that co-smoothing holds out; in place of a draw. Of sources nwb and
    brainsets, any column of truth values that the file has of its units; of your own arrays, `held_out`."""
    held_out_uuids: list[str] = key([], when="for held-out units of a list")
    """UUIDs of the units that co-smoothing holds out, of all sessions together; in place of a draw."""
    forecast_ratio: float = key(0.1, gt=0, lt=1, when="together with masking.future_ratio")
    """Share of a window's bins, the last ones, that are forecast; one bin at least."""

    @model_validator(mode="after")
    def _named_once(self) -> "EvaluationSettings":
        if self.held_out_column is not None and self.held_out_uuids:
            raise ValueError("give held_out_column or held_out_uuids, not both")
        return self

    def of(self, names: list[UnitTaskName]) -> UnitTasks:
        """The settings of some tasks."""
        held_out = HeldOut(
            share=self.held_out_share,
            seed=self.held_out_seed,
            column=self.held_out_column,
            uuids=self.held_out_uuids,
        )
        return UnitTasks(
            held_out=held_out if "co_smoothing" in names else None,
            forecast_ratio=self.forecast_ratio if "forecasting" in names else None,
        )
