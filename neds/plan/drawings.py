"""Jobs that draw figures and write tables, and what this configuration leaves out of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from neds.baselines.registry import baselines
from neds.plan.benchmark import left_out_tasks
from neds.plan.drawn import Condition, Drawn, Wildcards
from neds.plan.figures import FIGURES
from neds.plan.step import Step
from neds.plan.tables import OWN_VARIANTS, SUFFIXES, TABLES
from neds.plan.training import searches

if TYPE_CHECKING:
    from neds.plan.plan import Plan

FIGURE_SUFFIXES = ("png", "pdf", "csv")
PAGES = {
    "sessions": "sessions: what was kept and dropped",
    "metrics": "every score",
    "regions": "regions told from embeddings",
    "ablations": "every score of the ablations",
    "benchmark_wide": "scores of BrainWideBench",
    "configuration": "configuration",
    "software": "versions of the software",
}
"""Tables that the report shows whole."""
_NEEDED = {
    "truth": "true rates, which source synthetic alone has",
    "conditions": "trials of task conditions",
    "others": "sessions of role train to be fitted with",
}
ALL_DRAWN = [*FIGURES, *TABLES, OWN_VARIANTS]


def steps(plan: Plan) -> Iterator[Step]:
    for drawn in TABLES + ([OWN_VARIANTS] if plan.config.ablations.variants else []):
        if not drawn.missing(plan):
            yield _table(plan, drawn)
    yield from _lists(plan)
    for drawn in FIGURES:
        if not drawn.missing(plan):
            yield from _figures(plan, drawn)
    yield from _figures_of_searches(plan)
    yield Step(
        rule="left_out",
        command="left-out",
        values={"messages": left_out_messages(plan) or ["nothing"]},
        outputs={"output": plan.path("figures", "left_out.txt")},
    )


def drawn_by_name(name: str) -> Drawn:
    """The figure or table of a name."""
    return next(drawn for drawn in ALL_DRAWN if drawn.name == name)


def left_out_messages(plan: Plan) -> list[str]:
    """A line for each figure, table or part of one that is left out, and what would make it."""
    lines = [
        f"{folder}/{drawn.name}, {drawn.title}: left out; to have it, {drawn.missing(plan)}"
        for folder, kind in (("figures", FIGURES), ("tables", TABLES))
        for drawn in kind
        if drawn.missing(plan)
    ]
    lines += [f"figures/metrics and tables/benchmark: without {part}" for part in _absent_models(plan)]
    unable = [name for name in plan.config.baselines if name not in plan.models.baselines]
    lines += left_out_tasks(plan)
    return lines + [f"baseline {name}: left out; it needs {_NEEDED[baselines()[name].needs]}" for name in unable]


def _absent_models(plan: Plan) -> list[str]:
    """Models of the paper's Fig. 2A that are not there, and what would add them."""
    modes, regimes, baselines = set(plan.config.modes), plan.config.regimes, plan.models.baselines
    parts: dict[str, Condition] = {
        "linear": ("linear" in baselines, "add linear to baselines"),
        "RRR": ("rrr" in baselines, "add rrr to baselines"),
        "unimodal NEDS for encoding": ("encoding" in modes, "add encoding to modes"),
        "unimodal NEDS for decoding": ("decoding" in modes, "add decoding to modes"),
        "multimodal NEDS": ("mm" in modes, "add mm to modes"),
        "NEDS single-session": ("scratch" in regimes, "add scratch to regimes"),
        "NEDS multi-session": ("finetuned" in regimes, "add finetuned to regimes"),
        "NEDS": ("all" in plan.config.train_trials, "add all to train_trials"),
    }
    return [f"{part}; to have it, {how}" for part, (there, how) in parts.items() if not there]


def _table(plan: Plan, drawn: Drawn) -> Step:
    return Step(
        rule="table",
        command=drawn.command,
        wildcards={"table": drawn.name},
        inputs=drawn.inputs(plan, {}),
        values=drawn.values(plan, {}),
        operational=drawn.operational(plan),
        outputs={suffix: plan.path("tables", f"{drawn.name}.{suffix}") for suffix in SUFFIXES},
    )


def _figures(plan: Plan, drawn: Drawn) -> Iterator[Step]:
    """One, or one for each test session or mode."""
    if "{eid}" in drawn.name:
        for eid in plan.test:
            yield _figure(plan, drawn, "session_figure", {"eid": eid}, {"figure": drawn.caption, "eid": eid})
    elif "{mode}" in drawn.name:
        for mode in plan.config.modes:
            stage = drawn.name.rpartition("-")[2]
            yield _figure(plan, drawn, "learning_figure", {"mode": mode}, {"mode": mode, "stage": stage})
    else:
        yield _figure(plan, drawn, "figure", {}, {"figure": drawn.name})


def _figure(plan: Plan, drawn: Drawn, rule: str, parts: Wildcards, wildcards: Wildcards) -> Step:
    stem = plan.path("figures", drawn.name.format(**parts))
    return Step(
        rule=rule,
        command=drawn.command,
        wildcards=wildcards,
        inputs=drawn.inputs(plan, parts),
        values=drawn.values(plan, parts),
        operational=drawn.operational(plan),
        outputs={suffix: f"{stem}.{suffix}" for suffix in FIGURE_SUFFIXES},
    )


def _figures_of_searches(plan: Plan) -> Iterator[Step]:
    for step in searches(plan):
        path = step.outputs["trials_csv"]
        search = path.removeprefix(plan.path("tuning") + "/").removesuffix("/trials.csv")
        yield Step(
            rule="search_figure",
            command="figure-search",
            wildcards={"search": search},
            inputs={"trials": (path,)},
            outputs={suffix: plan.path("figures", "tuning", f"{search}.{suffix}") for suffix in FIGURE_SUFFIXES},
        )


def _lists(plan: Plan) -> Iterator[Step]:
    """Tables that list the configuration and the software, and the pages of all that the report shows whole."""
    yield Step(
        rule="configuration_table",
        command="configuration-table",
        values={"settings": {"rows": plan.configuration_rows}},
        outputs={"output": plan.path("tables", "configuration.csv")},
    )
    # The versions are then those that the scores were made with.
    yield Step(
        rule="software_table",
        command="software-table",
        inputs={"scores": (plan.path("tables", "metrics.csv"),)},
        outputs={"output": plan.path("tables", "software.csv")},
    )
    absent = {"ablations": not plan.models.variants}
    absent["benchmark_wide"] = plan.config.benchmark.label is None
    absent["regions"] = bool(drawn_by_name("regions").missing(plan))
    for name, title in PAGES.items():
        if not absent.get(name):
            yield Step(
                rule="table_page",
                command="table-page",
                wildcards={"table": name},
                inputs={"table": (plan.path("tables", f"{name}.csv"),)},
                values={"title": title},
                outputs={"output": plan.path("tables", f"{name}.html")},
            )
