"""What a configuration may say of a file of trial-aligned arrays, by its keys and their shapes.

Shapes: K trials.
"""

from collections.abc import Mapping

import numpy as np

from neds.commands.suggested import MOST_SERIES, Suggestion, free_name, known_column, per_trial, plain_name
from neds.commands.yaml_lines import Line
from neds.modalities import BUILT_IN
from neds.partition.array_keys import SPIKE_KEYS, WITH_MEANING

_SECONDS = {"bin_s": ("bin_s", 0.02), "t0_s": ("window_start_s", -0.5)}
"""Key of a file -> key of the configuration, and an example."""


def suggested_arrays(arrays: Mapping[str, np.ndarray]) -> Suggestion:
    """What the keys of a file suggest. Modalities are the keys called so, whatever their capitals, and the arrays of as many
    trials and bins as the spikes, by their own names.
    """
    found = Suggestion()
    rename: list[Line] = []
    spikes = next((key for key in SPIKE_KEYS if key in arrays), "")
    if not spikes:
        near = [key for key in arrays if plain_name(key) in SPIKE_KEYS]
        counts = near or [key for key, array in arrays.items() if array.ndim == 3 and array.dtype.kind in "iu"]
        rename += [Line(key, "spikes", _shown(arrays[key]), used=len(near) == 1) for key in counts]
        spikes = counts[0] if len(counts) == 1 else ""
    n_trials, n_bins = (len(arrays[spikes]), set(arrays[spikes].shape[1:])) if spikes else (None, set[int]())
    own: list[tuple[str, np.ndarray]] = []
    for key, array in arrays.items():
        if key in (spikes, *WITH_MEANING) and key not in BUILT_IN:
            continue
        if n_trials is not None and (array.ndim == 0 or len(array) != n_trials):
            continue
        name = plain_name(key)
        modality, note, is_readable = known_column(key, array) if array.ndim == 1 else (BUILT_IN.get(name), "", True)
        if key == spikes or (modality and modality.kind == "counts"):
            continue
        if modality and modality.name not in arrays.keys() - {key}:
            is_known = is_readable and (array.ndim == 1) == modality.per_trial and modality.name not in found.modalities
            found.modalities += [modality.name] if is_known else []
            rename += [Line(key, modality.name, note, used=is_known)] if key != modality.name else []
            if not is_readable:
                found.ask_values(modality.name, array, f"one of {', '.join(modality.classes)}")
        elif array.ndim == 1:
            own_name = free_name(key, found)
            line = per_trial(own_name, array) if own_name else None
            found.custom += [line] if line else []
            rename += [Line(key, own_name, used=False)] if line and own_name != key else []
        elif array.ndim in (2, 3) and array.shape[1] in n_bins and array.dtype.kind in "iuf":
            own.append((key, array))
    for key, array in own:
        own_name, is_used = free_name(key, found), len(own) <= MOST_SERIES
        if not own_name:
            continue
        rename += [Line(key, own_name, used=is_used)] if own_name != key else []
        entry = {"kind": "continuous"} | ({"width": array.shape[2]} if array.ndim == 3 else {})
        found.custom.append(Line(own_name, entry, _shown(array), used=is_used))
    found.modalities += [line.name for line in found.custom if line.used]
    found.mapping["rename"] = rename
    said = "seconds; the file does not say: put the right number here"
    found.further = [
        Line(name, value, said, used=False) for key, (name, value) in _SECONDS.items() if key not in arrays
    ]
    return found


def _shown(array: np.ndarray) -> str:
    return f"shape {' x '.join(map(str, array.shape))}"
