"""What comes before the window of each trial: models read it, and nothing is predicted there.

Shapes: K trials, C bins of context, N kept units, width values of a behaviour.
"""

from dataclasses import dataclass

import numpy as np

from neds.files.aligned import SPLITS, Components
from neds.files.raw import RawSession
from neds.modalities import Modality
from neds.partition.behaviour import Events, align_behaviour, measure
from neds.partition.binning import spikes_in_windows
from neds.partition.recorded import coverage
from neds.partition.settings import PartitionSettings
from neds.signals.stretches import meets, merged
from neds.words import counted


@dataclass(frozen=True)
class Context:
    """The bins before the windows.

    Attributes:
        values: of each modality with values in bins, counts (K, C, N) or continuous (K, C, width), NaN where unknown.
        known: of each counts modality, (K, C) whether they were recorded in the bin.
        remarks: how much is unknown, and how far it reaches into other splits, a line each.
    """

    values: dict[str, np.ndarray]
    known: dict[str, np.ndarray]
    remarks: list[str]


def context_before(
    raw: RawSession,
    modalities: dict[str, Modality],
    settings: PartitionSettings,
    *,
    rows: np.ndarray,
    edges: np.ndarray,
    units: np.ndarray,
    split: np.ndarray,
    components: dict[str, Components],
) -> Context:
    """Cut the bins before the windows as those of the windows are cut. No trial is dropped for what is unknown there.

    Args:
        rows: (K,) of the trials table.
        edges: (K, T + 1) of the bins of the windows, in seconds.
        units: mask of the units that are kept.
        split: (K,) index into SPLITS.
        components: what modalities of many values per bin are reduced to.
    """
    before = edges[:, :1] + settings.bin_s * np.arange(-settings.n_context, 1)
    bins = np.stack([before[:, :-1], before[:, 1:]], axis=-1).reshape(-1, 2)
    covered = coverage(raw, bins, settings)
    of_units = covered.of_group[:, np.unique(covered.groups[units])].all(axis=1)
    values = {"spikes": spikes_in_windows(raw.spike_times, raw.spike_units, before).counts(units)}
    known = {"spikes": of_units.reshape(len(before), -1)}
    for name, modality in modalities.items():
        if name == "spikes" or modality.per_trial:
            continue
        measured = measure(modality, raw, settings)
        gap_s = settings.longest_gap_s.get(name, settings.longest_gap_s.get("others"))
        values[name], _ = align_behaviour(
            measured, rows, before, longest_gap_s=gap_s, holes="keep", trace_values=settings.trace_values
        )
        if name in components:
            values[name] = components[name].project(values[name])
        if isinstance(measured.data, Events):
            _, missed = align_behaviour(measured, rows, bins, longest_gap_s=gap_s)
            known[name] = ~np.any([np.zeros(len(bins), bool), *missed.values()], axis=0).reshape(len(before), -1)
    return Context(values, known, [*_unknown(values, known), *_reaching(before[:, [0, -1]], edges[:, [0, -1]], split)])


def _unknown(values: dict[str, np.ndarray], known: dict[str, np.ndarray]) -> list[str]:
    """A line for each modality of which not all of the context is known."""
    lines = []
    for name, array in values.items():
        missing = 1 - float(np.mean(known[name] if name in known else np.isfinite(array).all(axis=2)))
        if missing:
            lines.append(f"context of {name}: {100 * missing:.2g} % of the bins are unknown, and hidden")
    return lines


def _reaching(before_s: np.ndarray, windows_s: np.ndarray, split: np.ndarray) -> list[str]:
    """A line for each two splits of which the one has context (K, 2) in the windows (K, 2) of the other."""
    lines = []
    for index, own in enumerate(SPLITS):
        for other_index, other in enumerate(SPLITS):
            if index == other_index:
                continue
            taken = merged(windows_s[split == other_index])
            number = int(meets(before_s[split == index], taken).sum())
            if number:
                lines.append(
                    f"context of {counted(number, 'trial')} of {own} reaches into windows of {other}: read only"
                )
    return lines
