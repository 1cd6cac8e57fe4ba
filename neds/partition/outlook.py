"""What a recording has for its partition, told before its spikes are read.

Shapes: n samples, K0 trials.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from neds.errors import UserError
from neds.files.raw import RawSession, Trace
from neds.modalities import Modality
from neds.partition.behaviour import Events, concerns, download_problems, measure
from neds.partition.settings import PartitionSettings
from neds.partition.trials import keep_trials
from neds.partition.unusable import Unusable
from neds.words import counted


@dataclass
class Outlook:
    """What is in a recording.

    Attributes:
        holds: what there is, a clause each, e.g. "12 units".
        readings: how values were read, a clause each.
        faults: what would stop the workflow, one line each.
        lacks: what would make the session unusable, one line each.
        units: the unit table; None where it was not read.
    """

    holds: list[str] = field(default_factory=list)
    readings: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    units: pd.DataFrame | None = None

    def __str__(self) -> str:
        return "; ".join([", ".join(self.holds), *dict.fromkeys(self.readings)])


def without_spikes(
    *,
    units: pd.DataFrame,
    trials: pd.DataFrame,
    traces: dict[str, Trace],
    problems: dict[str, str],
    mapped: Collection[str] = (),
) -> RawSession:
    """A recording of which the rest was read.

    Args:
        problems: why something is absent, by what it is of.
        mapped: series and columns of trials that a configuration names, whether a modality uses them or not.
    """
    return RawSession(
        eid="",
        subject="",
        lab="",
        date="",
        spike_times=np.zeros(0),
        spike_units=np.zeros(0, np.int32),
        units=units,
        trials=trials,
        traces=traces,
        provenance={"problems": problems, "mapped": list(mapped)},
    )


def outlook(
    raw: RawSession,
    *,
    n_spikes: int,
    where: str,
    modalities: Mapping[str, Mapping[str, Modality]],
    cuttings: Mapping[str, PartitionSettings],
) -> Outlook:
    """Count what a recording has, and hold it against what its partition wants.

    Args:
        raw: the recording, without its spikes.
        n_spikes: how many there are.
        where: what holds the recording, for messages.
        modalities: that are looked for in each view, by name.
        cuttings: how the recording will be cut in each view.
    """
    found = Outlook(units=raw.units)
    n_units = len(raw.units)
    found.holds += [counted(n_units, "unit"), counted(n_spikes, "spike")]
    if not n_spikes:
        found.lacks.append(f"{where}: no spikes{download_problems(raw)}")
    fewest = min((cutting.min_units for cutting in cuttings.values()), default=0)
    if n_spikes and n_units < fewest:
        found.lacks.append(f"{where}: {counted(n_units, 'unit')}, fewer than partition.min_units {fewest}")
    told: dict[str, None] = {}
    needs_trials = not all(cutting.cuts_windows for cutting in cuttings.values())
    if needs_trials:
        found.holds.append(counted(len(raw.trials), "trial") if len(raw.trials) else "no trials")
    for view, cutting in cuttings.items():
        own = f"{where}{f', view {view}' if view else ''}"
        if not cutting.cuts_windows and not _has_trials(raw, cutting, own, view, found):
            continue
        for name, modality in modalities[view].items():
            if name != "spikes":
                told |= dict.fromkeys(_behaviour(raw, modality, cutting, own, found))
    found.holds += told
    known = {name: modality for own in modalities.values() for name, modality in own.items()}
    problems = {
        what: why for what, why in raw.provenance.get("problems", {}).items() if needs_trials or what != "trials"
    }
    found.readings += [f"{what} is absent: {why}" for what, why in problems.items() if concerns(what, raw, known)]
    return found


def _has_trials(raw: RawSession, cutting: PartitionSettings, where: str, view: str, found: Outlook) -> bool:
    """Whether there are trials at all, of which the trial rule may keep few."""
    if not len(raw.trials):
        why = raw.provenance.get("problems", {}).get("trials", "its table of trials is empty")
        found.lacks.append(f"{where}: {why}")
        return False
    try:
        kept, dropped = keep_trials(raw.trials, cutting)
    except Unusable as problem:
        found.lacks.append(f"{where}: {problem}")
        return True
    except UserError as error:
        found.faults.append(f"{where}: config key {error}")
        return True
    found.holds[-1] += f" ({kept.sum()} kept by the trial rule{f' of {view}' if view else ''})"
    if kept.sum() < cutting.min_trials:
        reasons = "".join(
            f"; {number} dropped: {reason.removeprefix('trials: ')}" for reason, number in dropped.items()
        )
        found.lacks.append(
            f"{where}: {kept.sum()} of {counted(len(kept), 'trial')} kept by the trial rule, fewer than "
            f"partition.min_trials {cutting.min_trials}{reasons}"
        )
    return True


def _behaviour(
    raw: RawSession, modality: Modality, cutting: PartitionSettings, where: str, found: Outlook
) -> list[str]:
    """How much of a behaviour is known, as a clause; none where it cannot be had."""
    try:
        measured = measure(modality, raw, cutting)
    except Unusable as problem:
        found.lacks.append(f"{where}: {modality.name}: {problem}")
        return []
    except UserError as error:
        found.faults.append(f"{where}: {error}")
        return []
    if measured.reading:
        found.readings.append(measured.reading)
    if isinstance(measured.data, Events):
        return [f"{modality.name} {counted(len(measured.data.times), 'event')}"]
    share = share_known(measured.data.values if isinstance(measured.data, Trace) else measured.data)
    if not share:
        found.lacks.append(f"{where}: {modality.name} is unknown throughout")
        return []
    return [f"{modality.name} {percent(share)} known"]


def share_known(values: np.ndarray) -> float:
    """Share of known rows: numbers (n,) or (n, ..., width), NaN where unknown, or class indices (n,), -1 where unknown."""
    known = values >= 0 if values.dtype.kind == "i" else np.isfinite(values)
    if not known.size:
        return 0.0
    return float(known.all(axis=-1).mean() if known.ndim > 1 else known.mean())


def percent(share: float) -> str:
    """In tenths, rounded down, so that 100% is all of it."""
    return f"{math.floor(share * 1000) / 10:g}%"
