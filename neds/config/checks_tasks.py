"""Checks of whether models and baselines have something to read and something to predict."""

from collections.abc import Iterator

from neds.baselines.registry import baselines
from neds.config.checked import Checked
from neds.errors import UserError
from neds.modalities import Modality

SPIKES = "spikes"


def group_faults(checked: Checked) -> list[str]:
    """Modalities of one group alone, between which no model goes."""
    faults = []
    for key, modalities in _sets(checked):
        groups = {modality.group for modality in modalities.values()}
        if len(groups) == 1:
            lacking = "behaviour" if groups == {"neural"} else f"neural activity ({SPIKES})"
            faults.append(
                f"config key {key}: models go between neural activity and behaviour; of {', '.join(modalities)} none is "
                f"{lacking}; add one"
            )
    return faults


def baseline_faults(checked: Checked) -> list[str]:
    """Baselines that somebody asked for and that could do nothing with the modalities in use."""
    if "baselines" not in checked.given:
        return []
    asked = [baseline for name, baseline in baselines().items() if name in checked.config.baselines]
    of_spikes = [baseline.name for baseline in asked if baseline.of_spikes]
    networks = [baseline.name for baseline in asked if baseline.settings]
    faults = []
    for key, modalities in _sets(checked):
        if of_spikes and SPIKES not in modalities:
            are = "is" if len(of_spikes) == 1 else "are"
            faults.append(
                f"config key baselines: {', '.join(of_spikes)} {are} of spikes, which {key} does not have; add spikes "
                f"there, or remove {', '.join(of_spikes)}"
            )
        elif networks and all(m.group == "neural" or m.kind == "counts" for m in modalities.values()):
            faults.append(
                f"config key baselines: {', '.join(networks)} would decode nothing; {key} has no behaviour of kind "
                f"continuous, categorical or scalar; add one, or remove {', '.join(networks)}"
            )
    return faults


def _sets(checked: Checked) -> Iterator[tuple[str, dict[str, Modality]]]:
    """The modalities of each view, or of the only one, with the key that says them. What is wrong with the names themselves
    is said by other checks.
    """
    config = checked.config
    try:
        known = config.modality_registry()
    except (UserError, ValueError):
        return
    seen: set[str] = set()
    for view in config.views or [""]:
        key = f"views.{view}.modalities" if view and config.views[view].modalities else "modalities"
        if key not in seen:
            seen.add(key)
            yield key, {name: known[name] for name in config.modalities_of(view) if name in known}
