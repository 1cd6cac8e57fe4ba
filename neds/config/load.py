"""From files to a checked configuration: every fault at once, one line each."""

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from neds.config.checks import CHECKS, Checked
from neds.config.doubtful import doubtful_values
from neds.config.layers import DEFAULT, Layer, Merged, leaves, merge
from neds.config.overrides import Stage, decisions
from neds.config.renamed import renamed_faults
from neds.config.schema import Config
from neds.config.unused import unused_keys
from neds.config.yaml_files import read_config_file
from neds.errors import UserError
from neds.model.modes import ModeName
from neds.roster import Session, in_views, read_sheet, synthetic_sessions
from neds.validation import fault_lines, overlap, place_in

Model = TypeVar("Model", bound=BaseModel)

COMMAND_LINE = "--config"
"""Origin of what the command line says."""


@dataclass(frozen=True)
class Loaded:
    """A configuration that was checked.

    Attributes:
        config: all of it, typed.
        sessions: the roster, in the order of the sheet.
        origins: dotted key -> where its value came from: "default", the name of a file, or "--config". Of every key.
        gave_way: overrides of a file that a later one took away, of models that are trained, a sentence each.
        unused: keys that somebody wrote and that have no effect, a sentence each.
        doubtful: values that are probably not meant so, a sentence each.
    """

    config: Config
    sessions: list[Session]
    origins: dict[str, str]
    gave_way: list[str]
    unused: list[str]
    doubtful: list[str]

    def run_origins(self, stage: Stage, mode: ModeName) -> dict[str, str]:
        """Likewise of the keys of model, masking and training in a stage and mode, e.g. "overrides: pretrain"."""
        overridden = decisions(self.config.overrides, stage, mode)
        settings = self.config.run_settings(stage, mode).model_dump()
        origins = {}
        for name, block in settings.items():
            for field in block:
                key = f"{name}.{field}"
                by = dict.fromkeys(override for changed, (override, _) in overridden.items() if overlap(changed, key))
                origins[key] = f"overrides: {', '.join(by)}" if by else self.origins[key]
        return origins


def load_config(files: Sequence[Path], *, extra: Mapping[str, Any] | None = None, base: Path | None = None) -> Loaded:
    """The configuration that several files give together, each over the ones before it, and all over the defaults.

    Args:
        files: YAML files (JSON, where a name ends so), the shipped config.yaml usually the first.
        extra: what the command line gives, over all files.
        base: folder to which relative paths belong; None for the current one.

    Raises:
        UserError: all faults of the files, of the configuration and of the sessions sheet, one line each. What depends on a
            faulty key is not judged.
    """
    layers, faults = [], []
    for file, name in zip(files, _names(files), strict=True):
        try:
            layers.append(Layer(name, read_config_file(file)))
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("\n".join(faults))
    return _load([*layers, *([Layer(COMMAND_LINE, extra)] if extra else [])], base=base)


def check_config(values: Mapping[str, Any], *, base: Path | None) -> tuple[Config, list[Session]]:
    """The configuration that these values over the defaults are, and the roster of sessions; else as `load_config`."""
    loaded = _load([Layer("given", values)], base=base)
    return loaded.config, loaded.sessions


def _load(layers: Sequence[Layer], *, base: Path | None) -> Loaded:
    layers, faults = renamed_faults(layers)
    merged = merge(layers)
    config, own_faults, broken = _validated_in_part(Config, merged.values)
    faults += own_faults
    base = base or Path()
    sessions: list[Session] = []
    if config.source == "synthetic":
        sessions = synthetic_sessions(config.synthetic)
    elif config.sessions and not any(overlap(key, fault) for key in ("source", "sessions") for fault in broken):
        sessions, sheet_faults = read_sheet(base / config.sessions, source=config.source)
        faults += sheet_faults
    checked = Checked(config, sessions, base, frozenset(merged.origins))
    for check, keys in CHECKS.items():
        if not any(overlap(key, fault) for key in keys for fault in broken):
            faults += check(checked)
    if faults:
        raise UserError("\n".join(dict.fromkeys(faults)))
    unused = unused_keys(config, sessions, merged.origins)
    return Loaded(
        config=config,
        sessions=in_views(sessions, config.views),
        origins=_origins(config, merged),
        gave_way=[sentence for name, sentence in merged.gave_way if _is_trained(config, name)],
        unused=unused,
        doubtful=doubtful_values(config),
    )


def _is_trained(config: Config, name: str) -> bool:
    """Whether a configuration trains any model of a stage, a mode or both, as overrides name them."""
    pretrains = "finetuned" in config.regimes and not config.pretrained
    return set(name.split()) <= {*config.regimes, *config.modes, *(["pretrain"] if pretrains else [])}


def _origins(config: Config, merged: Merged) -> dict[str, str]:
    return {key: merged.origin_of(key) for key, _ in leaves(Config, config.model_dump())}


def _names(files: Sequence[Path]) -> list[str]:
    """The files by name, with their places where two are called alike: a path would change the tables when it is moved."""
    counts = Counter([DEFAULT, *(file.name for file in files)])
    return [file.name if counts[file.name] == 1 else f"{file.name} (file {n})" for n, file in enumerate(files, 1)]


def _validated_in_part(model: type[Model], values: Mapping[str, Any]) -> tuple[Model, list[str], set[str]]:
    """`values` as a `model`, with what is faulty at its default, so that the rest can be checked further.

    Returns:
        The model, its faults (one line each), and the dotted keys that were replaced by their defaults.
    """
    left = copy.deepcopy(dict(values))
    faults: list[str] = []
    broken: set[str] = set()
    while True:
        try:
            return model.model_validate(left), faults, broken
        except ValidationError as error:
            # What a block says of a part that is a default by now would be no fault of the user's.
            before = set(broken)
            for place, line in fault_lines(error, model, left):
                if not any(overlap(place, key) for key in before):
                    faults.append(f"config key {place}: {line}")
            broken |= {_removed(left, fault["loc"]) for fault in error.errors()}


def _removed(values: dict[str, Any], location: tuple[str | int, ...]) -> str:
    """Remove the innermost key that holds the fault; its dotted name."""
    place = place_in(values, location)
    keys: list[Any] = []
    inner: Any = values
    for part in place:
        if not isinstance(inner, dict):
            break
        keys.append(part)
        holder, inner = inner, inner[part]
    if keys:
        del holder[keys[-1]]
    return ".".join(map(str, keys))
