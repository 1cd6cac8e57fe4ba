"""What the figures of one session compare: its test trials and what several models predict of them.

Shapes: K test trials, T bins, N units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neds.errors import UserError
from neds.evaluation.results import read_predictions
from neds.figures.names import EVENT_TITLES
from neds.figures.save import NothingToDraw
from neds.figures.style import bin_centers_s
from neds.files.aligned import AlignedSession, read_aligned
from neds.modalities import Kind, Modality
from neds.partition.settings import NO_EVENT


@dataclass(frozen=True)
class Comparison:
    """Predictions of one task, or of all, by several models.

    Attributes:
        trials: (K,) indices of the test trials in the session.
        predicted: arrays as in `neds.evaluation.score`, by model label and target.
    """

    session: AlignedSession
    trials: np.ndarray
    predicted: dict[str, dict[str, np.ndarray]]

    @property
    def time_s(self) -> np.ndarray:
        """Centre (T,) of each bin, from the alignment event."""
        return bin_centers_s(self.session.window_start_s, self.session.bin_s, self.session.n_bins)

    @property
    def cut_into(self) -> str:
        """What the recording was cut into, in the singular."""
        return "window" if self.session.settings.get("align") == NO_EVENT else "trial"

    @property
    def event(self) -> str:
        """What happens at 0 s. A user's own arrays do not say of which event their zero is."""
        align = self.session.settings.get("align", "")
        if not align or "arrays" in self.session.settings:
            return "0 s of the arrays"
        return "window start" if align == NO_EVENT else EVENT_TITLES.get(align, align)

    def targets(self, kind: Kind) -> list[Modality]:
        """The modalities of a kind that every model predicts, in the session's order."""
        return [
            modality
            for modality in self.session.modalities.values()
            if modality.kind == kind and all(modality.name in values for values in self.predicted.values())
        ]

    def truth(self, target: str) -> np.ndarray:
        return self.session.values[target][self.trials]

    def predictions_of(self, target: str) -> dict[str, np.ndarray]:
        return {model: values[target] for model, values in self.predicted.items()}

    def unit_title(self, unit: int) -> str:
        """The unit's index in the aligned file and its region, where known."""
        region = str(self.session.units["beryl"].iloc[unit]) if "beryl" in self.session.units else ""
        return f"unit {unit}, {region}" if region else f"unit {unit}"

    @property
    def condition(self) -> np.ndarray:
        """Condition (K,) of each trial."""
        return self.session.trials["condition"].to_numpy()[self.trials]

    def groups(self, by: str) -> np.ndarray | None:
        """Name (K,) of each trial's value of a task variable, "" where unknown; None when the session has none."""
        modality = self.session.modalities.get(by)
        if modality is not None and modality.kind == "categorical":
            names = np.array([*(f"{modality.title} {name}" for name in modality.classes), ""], dtype=object)
            return names[self.truth(by)]
        if by in self.session.trials:
            values = self.session.trials[by].iloc[self.trials]
            return np.where(values.isna(), "", by + " " + values.map(_value_name)).astype(object)
        return None

    def first_movement_s(self) -> np.ndarray | None:
        """Time (K,) of the first movement from the alignment event, NaN where unknown; None when nowhere known."""
        trials = self.session.trials
        if "firstMovement_times" not in trials or "align_time_s" not in trials:
            return None
        times_s = (trials["firstMovement_times"] - trials["align_time_s"]).to_numpy(np.float64)[self.trials]
        return times_s if np.isfinite(times_s).any() else None


def _value_name(value: object) -> str:
    """A task variable's value in full: a whole number without a decimal point, of which missing values make a float."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def read_comparison(
    *, aligned: Path, predictions: dict[str, Path], task: str | None, modalities: Sequence[Modality] = ()
) -> Comparison:
    """Read a session and the predictions of a task, None for all, by model label; a model that kept none is left out.

    Args:
        modalities: registry entries whose labels and units are shown.

    Raises:
        NothingToDraw: the session cannot be used, or no model kept predictions.
        UserError: a damaged file, or predictions of other trials than the aligned file's test trials.
    """
    session = read_aligned(aligned)
    if not session.usable:
        raise NothingToDraw(f"Session {session.eid} cannot be used: {session.reason}.")
    trials, predicted = session.trials_of("test"), {}
    for model, path in predictions.items():
        predicted_trials, arrays = read_predictions(path)
        of_task = {target: values for (name, target), values in arrays.items() if task in (None, name)}
        if of_task and not np.array_equal(predicted_trials, trials):
            raise UserError(
                f"{path}: is of other trials than the test trials of {aligned}; delete it and evaluate again"
            )
        if of_task:
            predicted[model] = of_task
    if not predicted:
        raise NothingToDraw(f"No model was evaluated on session {session.eid} ({task or 'any task'}).")
    called = {modality.name: modality for modality in modalities}
    shown = {
        name: own.model_copy(update={"label": called[name].label, "unit": called[name].unit}) if name in called else own
        for name, own in session.modalities.items()
    }
    return Comparison(replace(session, modalities=shown), trials, predicted)


def by_model(models: Sequence[str], predictions: Sequence[Path]) -> dict[str, Path]:
    """Files of predictions by the name of their model.

    Raises:
        UserError: not one name of its own for each file.
    """
    if len(models) != len(predictions) or len(set(models)) != len(models):
        raise UserError("--models: give each file of --predictions one name of its own")
    return dict(zip(models, predictions, strict=True))
