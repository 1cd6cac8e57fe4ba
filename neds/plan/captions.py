"""Captions and labels of the report."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from neds.plan.drawings import ALL_DRAWN, drawn_by_name


def caption_text(path: Path, *, config: Mapping[str, Any], wildcards: Mapping[str, str]) -> str:
    """The caption that a template says of this configuration; it knows `snakemake.config` and `snakemake.wildcards`."""
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
