"""The partition stage: a raw session file becomes an aligned one.

Shapes: K kept trials, T bins, N kept units.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from neds.files.aligned import SPLITS, AlignedSession
from neds.files.raw import RawSession, read_raw
from neds.modalities import Modality
from neds.partition.behaviour import RECIPES, align_behaviour, download_problems, require_recipes
from neds.partition.binning import bin_edges, spikes_in_windows
from neds.partition.conditions import condition_index
from neds.partition.settings import PartitionSettings
from neds.partition.split import split_trials
from neds.partition.statistics import training_statistics
from neds.partition.trials import drop_by_first_reason, keep_trials
from neds.partition.units import keep_units
from neds.partition.unusable import Unusable, require_splits, require_trials, require_units, write_outcome

UNIT_COLUMNS = ["uuid", "probe", "acronym", "beryl", "cosmos", "depth_um", "channel", "label"]


def partition(*, raw: Path, modalities: dict[str, Modality], settings: PartitionSettings, output: Path) -> None:
    """Cut the recording in the file `raw` into trials and bins, and write the aligned file `output`.

    A session that cannot be used is written with the reason.

    Raises:
        UserError: a missing or damaged file, a modality without a recipe, or an unusable session where
            `settings.unusable` is "error".
    """
    require_recipes(modalities)
    session = read_raw(raw)
    header = AlignedSession(
        eid=session.eid,
        subject=session.subject,
        lab=session.lab,
        bin_s=settings.bin_s,
        window_start_s=settings.window_start_s,
        modalities=modalities,
        n_trials_before=len(session.trials),
        settings=settings.model_dump(),
    )
    write_outcome(
        lambda: _aligned(header, session, settings), header=header, source=raw, settings=settings, output=output
    )


def _aligned(header: AlignedSession, raw: RawSession, settings: PartitionSettings) -> AlignedSession:
    if not len(raw.trials):
        raise Unusable(f"no trials{download_problems(raw)}")
    if not len(raw.spike_times):
        raise Unusable(f"no spikes{download_problems(raw)}")
    rows, edges, values, sources, dropped = _trials_and_behaviour(header, raw, settings)
    split, kept, between = split_trials(edges[:, [0, -1]], eid=raw.eid, settings=settings)
    dropped |= between
    require_trials(kept.sum(), len(raw.trials), settings, dropped)
    require_splits(split[kept], dropped)
    rows, edges, split = rows[kept], edges[kept], split[kept]
    values = {name: v[kept] for name, v in values.items()}
    training = split == SPLITS.index("train")

    windowed = spikes_in_windows(raw.spike_times, raw.spike_units, edges)
    rates_hz = windowed.mean_rates_hz(training, len(raw.units), settings.bin_s)
    kept_units, units_dropped = keep_units(raw.units, rates_hz, settings)
    dropped |= units_dropped
    require_units(kept_units.sum(), len(raw.units), settings, dropped)
    values = {name: windowed.counts(kept_units) if name == "spikes" else values[name] for name in header.modalities}

    units = raw.units.loc[kept_units, UNIT_COLUMNS].assign(rate_hz=rates_hz[kept_units]).reset_index(drop=True)
    trials = raw.trials.iloc[rows].reset_index(drop=True)
    factors = trials[["choice", "probabilityLeft"]].assign(reward=trials["feedbackType"] > 0)
    trials.insert(0, "original_index", rows)
    trials.insert(1, "align_time_s", trials[settings.align])
    trials.insert(2, "condition", condition_index(factors))
    return replace(
        header,
        values=values,
        statistics=training_statistics(values, header.modalities, training),
        units=units,
        trials=trials,
        split=split,
        dropped=dropped,
        settings=header.settings | {"sources": sources},
    )


def _trials_and_behaviour(
    header: AlignedSession, raw: RawSession, settings: PartitionSettings
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], dict[str, str], dict[str, int]]:
    """Rows (K,) of the trials kept, their bin edges (K, T + 1), behaviours, their sources, and trials dropped by reason."""
    mask, dropped = keep_trials(raw.trials, settings)
    rows = np.flatnonzero(mask)
    edges = bin_edges(raw.trials[settings.align].to_numpy()[rows], settings)
    values, sources, tests = {}, {}, {}
    for name in (name for name in header.modalities if name in RECIPES):
        measured = RECIPES[name](raw, settings)
        sources[name] = measured.source
        values[name], failures = align_behaviour(measured, rows, edges)
        tests |= failures
    served, unserved = drop_by_first_reason(tests, len(rows), prefix="trials")
    dropped |= unserved
    require_trials(served.sum(), len(raw.trials), settings, dropped)
    return rows[served], edges[served], {name: v[served] for name, v in values.items()}, sources, dropped
