"""Co-smoothing and forecasting: tasks that see a part of the units or bins and predict the rest of them.

What they are scored on is a part of the session, `scored_part`. Shapes: K trials, T bins, N units.
"""

import hashlib
import logging
from dataclasses import replace

import numpy as np

from neds.errors import UserError
from neds.evaluation.settings import WITH_BEHAVIOUR, HeldOut, UnitTasks
from neds.evaluation.tasks import Task, predicted_part
from neds.files.aligned import AlignedSession
from neds.model.hideable import has_units, n_last_bins

log = logging.getLogger(__name__)


def unit_tasks_of(
    session: AlignedSession, asked: UnitTasks, *, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> list[Task]:
    """The tasks asked for that a model with these inputs and outputs can do: each from what is neural alone, then from
    behaviour too.

    Co-smoothing shows all behaviours. Forecasting shows those that have bins, up to the first bin that is forecast, and no
    value per trial: choice, reward and the like are only known afterwards.

    Raises:
        UserError: the rule of the held-out units does not fit the unit table.
    """
    modalities = session.modalities

    def members(group: str, *, binned: bool = False) -> tuple[str, ...]:
        own = (name for name in inputs if modalities[name].group == group)
        return tuple(name for name in own if not (binned and modalities[name].per_trial))

    targets = tuple(name for name in outputs if name in inputs and has_units(modalities[name]))
    in_table = tuple(name for name in targets if len(session.statistics[name]["mean"]) == session.n_units)
    tasks = []
    if in_table and asked.held_out and (held_out := tuple(held_out_units(session, asked.held_out).tolist())):
        neural, behaviours = members("neural"), members("behaviour")
        tasks.append(Task("co_smoothing", neural, in_table, held_out))
        if behaviours:
            tasks.append(Task(f"co_smoothing{WITH_BEHAVIOUR}", neural + behaviours, in_table, held_out))
    if targets and asked.forecast_ratio and (last_bins := n_last_bins(asked.forecast_ratio, session.n_bins)):
        neural, behaviours = members("neural", binned=True), members("behaviour", binned=True)
        tasks.append(Task("forecasting", neural, targets, last_bins=last_bins))
        if behaviours:
            tasks.append(Task(f"forecasting{WITH_BEHAVIOUR}", neural + behaviours, targets, last_bins=last_bins))
    return tasks


def held_out_units(session: AlignedSession, rule: HeldOut) -> np.ndarray:
    """Rows (n,) of the unit table that co-smoothing holds out, ascending; none, with a word in the log, where the rule
    leaves no unit on one of the two sides.

    Raises:
        UserError: the unit table has no such column, or it is not true or false.
    """
    if rule.column is not None:
        held_out = _of_column(session, rule.column)
    elif rule.uuids:
        held_out = np.isin(session.units["uuid"].to_numpy(str), rule.uuids)
    else:
        held_out = _drawn(session, rule)
    rows = np.flatnonzero(held_out)
    if len(rows) in (0, session.n_units):
        log.warning(
            "session %s: no co-smoothing, because %d of its %d units are held out",
            *(session.eid, len(rows), session.n_units),
        )
        return rows[:0]
    return rows


def _of_column(session: AlignedSession, column: str) -> np.ndarray:
    if column not in session.units:
        raise UserError(
            f"config key evaluation.held_out_column: session {session.eid} has no column {column} of its units; it has "
            f"{', '.join(map(str, session.units))}"
        )
    values = session.units[column].to_numpy()
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise UserError(
            f"config key evaluation.held_out_column: column {column} of the units of session {session.eid} must be true or "
            f"false, or 1 or 0, for every unit; it is of type {values.dtype}"
        )
    return values.astype(bool)


def _drawn(session: AlignedSession, rule: HeldOut) -> np.ndarray:
    """A share (N,) of the units, one at least."""
    eid = int.from_bytes(hashlib.sha256(session.eid.encode()).digest()[:8], "little")
    order = np.random.default_rng([rule.seed, eid]).permutation(session.n_units)
    return order < max(round(rule.share * session.n_units), 1)


def scored_part(session: AlignedSession, task: Task) -> AlignedSession:
    """The session with the units and bins alone that a task predicts; itself for encoding and decoding.

    The statistics are those of the whole window.
    """
    if not task.held_out and not task.last_bins:
        return session
    units = list(task.held_out) or slice(None)
    values = {name: predicted_part(session.values[name][:], task) for name in task.targets}
    statistics = {name: {key: value[units] for key, value in session.statistics[name].items()} for name in task.targets}
    return replace(
        session,
        values=session.values | values,
        statistics=session.statistics | statistics,
        units=session.units.iloc[units].reset_index(drop=True),
    )
