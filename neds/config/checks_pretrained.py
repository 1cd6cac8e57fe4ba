"""Checks of somebody else's model that is to be fine-tuned."""

from collections.abc import Iterator
from pathlib import Path

from neds.config.checked import Checked
from neds.config.schema import Config
from neds.errors import UserError
from neds.modalities import Modality
from neds.run import name_fault
from neds.sharing.description import Description, read_description
from neds.sharing.places import weights_file


def pretrained_faults(checked: Checked) -> list[str]:
    """What keeps the model from being used in the place of pretraining."""
    config = checked.config
    if not config.pretrained:
        return []
    return [f"config key pretrained: {fault}" for fault in _faults(config, checked)]


def _faults(config: Config, checked: Checked) -> Iterator[str]:
    if "finetuned" not in config.regimes:
        yield "nothing is fine-tuned; add finetuned to regimes, or take it out"
    for key in ("finetune_from", "pretraining_sets"):
        if any(given.partition(".")[0] == key for given in checked.given):
            yield f"takes the place of pretraining, which {key} is about; keep one of them"
    if "pretrain" in config.tune.stages:
        yield "takes the place of pretraining; take pretrain off tune.stages"
    (name,) = config.sets_in_use
    if fault := name_fault(name) or ("this is the set of all sessions of role train" if name == "all" else ""):
        yield f"the folder is called {name!r}: {fault}; rename it"
    folder = Path(checked.base, config.pretrained or "")
    try:
        model = read_description(folder)
    except UserError as error:
        yield str(error)
        return
    weights = weights_file(folder)
    if not weights.is_file() or weights.stat().st_size != model.weights.size:
        yield f"{weights} is missing or not whole; take the model over again with `neds import`"
    yield from _misfits(config, model)


def _misfits(config: Config, model: Description) -> Iterator[str]:
    """Where the configuration differs from what the model was trained with."""
    if config.modes != [model.mode]:
        yield f"is a model of mode {model.mode}, modes are {', '.join(config.modes)}; set modes: [{model.mode}]"
    trained = {modality.name: modality for modality in model.modalities}
    if list(trained) != config.modalities:
        yield (
            f"was trained with {', '.join(trained)}; modalities are {', '.join(config.modalities)}, and must be the same in "
            "the same order"
        )
    try:
        own = config.modality_registry()
    except UserError:
        # What is wrong with them is said of modalities.
        own = {}
    for name in (name for name in own if name in trained and _nature(own[name]) != _nature(trained[name])):
        yield f"was trained with a {name} of kind {trained[name].kind}; kind, group and classes must be those of {name} here"
    cut = config.partition
    if config.source == "aligned":
        yield from _misfits_of_arrays(config, model)
    else:
        theirs = (model.n_bins, round(model.bin_s, 6), round(model.window_start_s, 6), model.n_context)
        if (cut.n_bins, round(cut.bin_s, 6), round(cut.window_start_s, 6), cut.n_context) != theirs:
            yield (
                f"was trained on {model.n_bins} bins of {model.bin_s:g} s from {model.window_start_s:g} s, partition cuts "
                f"{cut.n_bins} of {cut.bin_s:g} s from {cut.window_start_s:g} s; set partition.bin_s, window_start_s, "
                f"window_end_s and context_s ({model.n_context * model.bin_s:g}) to those"
            )


def _misfits_of_arrays(config: Config, model: Description) -> Iterator[str]:
    """Likewise of one's own arrays, as far as the configuration says their bins; `neds check` reads what the files say."""
    given = config.arrays
    if model.n_context:
        yield (
            f"reads {model.n_context} bins before the window, which arrays do not hold; take one that was trained with "
            "context_s 0"
        )
    trained = f"was trained on {model.n_bins} bins of {model.bin_s:g} s from {model.window_start_s:g} s"
    if given.bin_s is not None and round(given.bin_s, 6) != round(model.bin_s, 6):
        yield f"{trained}, arrays.bin_s is {given.bin_s:g}; bin the arrays as that"
    if given.bins is not None and given.bins[1] - given.bins[0] != model.n_bins:
        yield f"{trained}, arrays.bins {given.bins} holds {given.bins[1] - given.bins[0]}; choose as many"
    if given.window_start_s is not None:
        start_s = given.window_start_s + (given.bins[0] if given.bins else 0) * (given.bin_s or model.bin_s)
        if round(start_s, 6) != round(model.window_start_s, 6):
            yield f"{trained}, the arrays' first bin in use starts at {start_s:g} s; cut them around the event as that"


def _nature(modality: Modality) -> tuple[object, ...]:
    """What must agree. Values per bin may be any number: their maps are each session's own, and new where those differ."""
    return modality.kind, modality.group, modality.classes
