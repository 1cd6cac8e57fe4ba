"""A task is a set of observed modalities and the targets to predict from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neds.modalities import Modality

if TYPE_CHECKING:
    from neds.model.network import Design


@dataclass(frozen=True)
class Task:
    """What is observed, and what is predicted from it.

    Attributes:
        name: encoding (behaviour -> neural), decoding (neural -> behaviour), or of co-smoothing (some units -> others) and
            forecasting (first bins -> last bins) one of `neds.evaluation.settings.UNIT_TASKS`.
        observed: modalities that are seen, but for what follows.
        targets: modalities that are predicted.
        held_out: of co-smoothing, the units that are hidden and predicted: columns of the targets.
        last_bins: of forecasting, how many bins at the end are hidden, of all modalities, and predicted.
    """

    name: str
    observed: tuple[str, ...]
    targets: tuple[str, ...]
    held_out: tuple[int, ...] = ()
    last_bins: int = 0

    @property
    def inputs(self) -> str:
        """The observed modalities as one word, as tables name them."""
        return "+".join(self.observed)


def tasks_of_network(design: Design, *, each_input_alone: bool = False) -> list[Task]:
    """The tasks that a network of this design can do; `each_input_alone` as of `tasks_of`."""
    mode = design.mode
    return tasks_of(design.modalities, inputs=mode.inputs, outputs=mode.outputs, each_input_alone=each_input_alone)


def tasks_of(
    modalities: dict[str, Modality],
    *,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    each_input_alone: bool = False,
) -> list[Task]:
    """Encoding and decoding, as far as a model with these inputs and outputs can do them.

    Args:
        each_input_alone: add an encoding task for every single behaviour.
    """

    def members(names: tuple[str, ...], group: str) -> tuple[str, ...]:
        return tuple(name for name in names if modalities[name].group == group)

    tasks = []
    behaviours, neural_targets = members(inputs, "behaviour"), members(outputs, "neural")
    if behaviours and neural_targets:
        tasks.append(Task("encoding", behaviours, neural_targets))
        if each_input_alone and len(behaviours) > 1:
            tasks += [Task("encoding", (behaviour,), neural_targets) for behaviour in behaviours]
    neural, behaviour_targets = members(inputs, "neural"), members(outputs, "behaviour")
    if neural and behaviour_targets:
        tasks.append(Task("decoding", neural, behaviour_targets))
    return tasks


def predicted_part(values: np.ndarray, task: Task) -> np.ndarray:
    """What a task predicts of values of its target: of co-smoothing and forecasting (K, bins, units) of (K, T, N)."""
    values = values[:, values.shape[1] - task.last_bins :] if task.last_bins else values
    return values[..., list(task.held_out)] if task.held_out else values
