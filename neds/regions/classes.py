"""Which class of brain regions a unit belongs to."""

import numpy as np
import pandas as pd

from neds.regions.settings import RegionSettings

_PARCELLATIONS = ("acronym", "beryl", "cosmos")
_NOWHERE = ("", "root", "void")


def region_classes(units: pd.DataFrame, settings: RegionSettings) -> np.ndarray:
    """Class (N,) of each unit, "" for a unit of none.

    A unit is of a class when its Allen acronym, its Beryl region or its Cosmos region is the class's name, or is among
    the regions that `merge` gives the class. Of two classes that fit, the first counts. Names must agree in full, because
    acronyms that begin alike can be far apart (PO is thalamus, POST is hippocampal formation).

    Args:
        units: acronym, beryl and cosmos of each unit, or some of these.
    """
    regions = [units[column].to_numpy(str) for column in _PARCELLATIONS if column in units]
    if settings.classes is None:
        found = units["beryl"].to_numpy(str) if "beryl" in units else np.full(len(units), "")
        names, number = np.unique(found, return_counts=True)
        frequent = names[number >= settings.min_units]
        return np.where(np.isin(found, frequent) & ~np.isin(found, _NOWHERE), found, "").astype(object)
    assigned = np.full(len(units), "", object)
    for name in reversed(settings.classes):
        members = settings.merge.get(name, [name])
        for region in regions:
            assigned[np.isin(region, members)] = name
    return assigned
