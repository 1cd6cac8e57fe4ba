"""The configuration in use, each value with where it came from: for the terminal, for programs, and for the report."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from neds.config.layers import block_of, leaves
from neds.config.load import Loaded, load_config
from neds.config.overrides import RunSettings, Stage, combinations
from neds.config.schema import Config
from neds.model.modes import ModeName
from neds.validation import as_yaml

SHIPPED = Path(__file__).parents[2] / "config.yaml"
"""The project's own configuration, under every other."""
_COLUMN = 64


def show_config(*, configfile: Sequence[Path] = (), as_json: bool = False) -> str:
    """The configuration that files give over the shipped one: YAML with the origin of each value behind it, or JSON.

    The YAML text is a whole configuration itself. JSON has `config`, `origins` (dotted key -> origin), `stages` (stage ->
    mode -> {model, masking, training}) and `stage_origins` (stage -> mode -> dotted key -> origin).

    Args:
        configfile: your configurations, as for snakemake.
        as_json: print JSON, for programs.

    Raises:
        UserError: the configuration cannot be used.
    """
    loaded = load_config([*([SHIPPED] if SHIPPED.exists() else []), *configfile])
    return _as_json(loaded) if as_json else _as_yaml(loaded)


def configuration_rows(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Key, value and origin of everything, and of what differs in stages and modes in use: training.epochs (pretrain mm)."""
    rows = [(key, as_yaml(value), loaded.origins[key]) for key, value in leaves(Config, loaded.config.model_dump())]
    return rows + [(f"{key} ({stage} {mode})", as_yaml(v), by) for stage, mode, key, v, by in _differing(loaded)]


def _as_json(loaded: Loaded) -> str:
    stages: dict[str, dict[str, Any]] = {stage: {} for stage in get_args(Stage)}
    origins: dict[str, dict[str, Any]] = {stage: {} for stage in get_args(Stage)}
    for stage, mode in combinations():
        stages[stage][mode] = loaded.config.run_settings(stage, mode).model_dump(mode="json")
        origins[stage][mode] = loaded.run_origins(stage, mode)
    config = loaded.config.model_dump(mode="json")
    return json.dumps(
        {"config": config, "origins": loaded.origins, "stages": stages, "stage_origins": origins}, indent=2
    )


def _as_yaml(loaded: Loaded) -> str:
    lines = list(_lines(Config, loaded.config.model_dump(), loaded.origins))
    differing = [
        f"# {stage} {mode}: {key}: {as_yaml(value)}  # {by}" for stage, mode, key, value, by in _differing(loaded)
    ]
    if differing:
        lines += ["", "# What overrides make of it, for the modes and regimes in use:", *differing]
    if loaded.gave_way:
        lines += ["", "# Overrides that a later file took away:", *(f"# {sentence}" for sentence in loaded.gave_way)]
    if loaded.unused:
        lines += ["", "# Keys that have no effect here:", *(f"# {sentence}" for sentence in loaded.unused)]
    if loaded.doubtful:
        lines += ["", "# Values that are probably not meant so:", *(f"# {sentence}" for sentence in loaded.doubtful)]
    return "\n".join(lines)


def _lines(
    model: type[BaseModel], values: Mapping[str, Any], origins: Mapping[str, str], prefix: str = ""
) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for name, value in values.items():
        block = block_of(model, name)
        if block:
            yield f"{indent}{name}:"
            yield from _lines(block, value, origins, f"{prefix}{name}.")
        else:
            yield f"{f'{indent}{name}: {as_yaml(value)}':<{_COLUMN}}  # {origins[prefix + name]}"


def _differing(loaded: Loaded) -> Iterator[tuple[Stage, ModeName, str, Any, str]]:
    """Stage, mode, dotted key, value and origin of what is not as the blocks of the configuration say."""
    base = dict(leaves(RunSettings, loaded.config.blocks().model_dump()))
    regimes = {"pretrain": "finetuned"}
    for stage, mode in combinations():
        if mode not in loaded.config.modes or regimes.get(stage, stage) not in loaded.config.regimes:
            continue
        origins = loaded.run_origins(stage, mode)
        for key, value in leaves(RunSettings, loaded.config.run_settings(stage, mode).model_dump()):
            if value != base[key]:
                yield stage, mode, key, value, origins[key]
