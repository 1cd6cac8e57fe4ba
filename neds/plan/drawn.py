"""What describes a figure or a table of the report: its title, what it needs, what it is drawn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neds.figures.drawing import Drawing
from neds.figures.paper import PaperNumbers, read_paper_numbers
from neds.plan.step import plain

if TYPE_CHECKING:
    from neds.plan.plan import Plan

TABLES = "Tables"
"""The category of tables of means."""
Condition = tuple[bool, str]
"""Whether something is configured, and what would configure it."""
Wildcards = Mapping[str, str]
Inputs = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A figure, or a table of means.

    Attributes:
        name: its path below the folder of figures or tables. {eid} or {mode} stands for a file per test session or mode.
        title: what it shows, in a few words.
        category: its heading in the report.
        draw: "module:function" that draws or writes it.
        needs: conditions of the configuration without which it is left out.
        inputs: paths by the name of the command's option.
        values: all other options that what it shows depends on.
        operational: options that make nothing stale.
    """

    name: str
    title: str
    category: str
    draw: str
    needs: Callable[[Plan], list[Condition]] = lambda plan: []
    inputs: Callable[[Plan, Wildcards], Inputs]
    values: Callable[[Plan, Wildcards], Mapping[str, Any]] = lambda plan, wildcards: {}
    operational: Callable[[Plan], Mapping[str, Any]] = lambda plan: {}

    @property
    def caption(self) -> str:
        """Name of the caption's text, without its suffix."""
        shared = next((name for name in ("learning", "ablation") if self.name.startswith(name)), None)
        return shared or self.name.rpartition("/")[2]

    @property
    def verb(self) -> str:
        return "Tabulate" if self.category == TABLES else "Draw"

    @property
    def command(self) -> str:
        """Name of its command."""
        kind = "table" if self.category == TABLES else "figure"
        return f"{kind}-{self.caption.replace('_', '-')}"

    def missing(self, plan: Plan) -> str:
        """What the configuration needs to have this; empty where it has all."""
        return " and ".join(how for there, how in self.needs(plan) if not there)


def drawing(plan: Plan, kind: type[Drawing] = Drawing, **more: Any) -> dict[str, Any]:
    """Settings of a figure or table: the modalities, and its own."""
    return {"settings": plain(kind(modalities=list(plan.modalities.values()), **more))}


def paper_numbers(plan: Plan) -> PaperNumbers | None:
    """What the paper says, where it is to be shown beside."""
    return read_paper_numbers() if plan.config.figures.paper_numbers else None
