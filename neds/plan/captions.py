"""Captions and labels of the report."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from neds.plan.drawings import ALL_DRAWN, drawn_by_name


def as_plain_text(value: Any) -> Any:
    """What the user wrote (texts within lists and mappings, keys too), so that reStructuredText has no markup in it.

    In a template it may stand in a sentence or in :literal:`...`, but not in ``...``, which knows no backslash.
    """
    if isinstance(value, Mapping):
        return {as_plain_text(key): as_plain_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain_text(item) for item in value]
    if not isinstance(value, str):
        return value
    # A key of the configuration, such as paper_numbers, is found under its own name.
    return value if re.fullmatch("[A-Za-z0-9]+(_[A-Za-z0-9]+)*", value) else _escaped(" ".join(value.split()))


def _escaped(text: str) -> str:
    return re.sub(r"([^\w\s]|_)", r"\\\1", text)


def caption_text(path: Path, *, config: Mapping[str, Any], wildcards: Mapping[str, str]) -> str:
    """The caption that a template says of this configuration; it knows `snakemake.config` and `snakemake.wildcards`.

    Args:
        config: as `as_plain_text` makes it.
    """
    from jinja2 import Environment

    template = Environment().from_string(path.read_text(encoding="utf-8"))
    return template.render(snakemake=SimpleNamespace(config=config, wildcards=wildcards))


def caption_file(name: str) -> str:
    """Name of the template of a figure, table, or other file of the report."""
    return {drawn.name.rpartition("/")[2]: drawn.caption for drawn in ALL_DRAWN}.get(name, name)


def drawn_labels(wildcards: Mapping[str, str]) -> dict[str, str]:
    """How the report tells a figure from others."""
    if "search" in wildcards:
        return {"figure": "search of hyper-parameters", "search": wildcards["search"]}
    if "stage" in wildcards:
        of = "pretraining" if wildcards["stage"] == "pretraining" else "the test sessions"
        return {"figure": f"learning curves of {of}", "model": wildcards["mode"]}
    if "eid" in wildcards:
        return {"figure": drawn_by_name(f"{{eid}}/{wildcards['figure']}").title, "session": wildcards["eid"]}
    return {"figure": drawn_by_name(wildcards["figure"]).title}
