"""Every table of means, as the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from neds.ablations.paper import paper_rows
from neds.ablations.settings import AblationName
from neds.figures.drawing import AblationTable, DifferencesDrawing, ModelsDrawing
from neds.plan.budgets import budget_inputs, budget_times, budget_values
from neds.plan.drawn import Condition, Drawn, Inputs, Wildcards, drawing, paper_numbers
from neds.plan.drawn_from import all_trials, does, metrics_file
from neds.plan.models import labels
from neds.plan.training import checkpoint
from neds.run import Run

if TYPE_CHECKING:
    from neds.plan.plan import Plan

SUFFIXES = ("csv", "md", "tex", "html")
_TITLES: dict[AblationName, str] = {
    "schemes": "masking schemes removed (Table 2)",
    "size": "model size (Table 9)",
    "embeddings": "embeddings removed (Table 11)",
}


def _several_behaviours(plan: Plan) -> Condition:
    several = sum(modality.group == "behaviour" for modality in plan.modalities.values()) > 1
    return several, "add a second behaviour to modalities"


def _further_scored(plan: Plan) -> Condition:
    kinds = {modality.kind for modality in plan.modalities.values()}
    return bool(kinds & {"counts", "categorical"}), "add a modality of counts or classes"


def _references(plan: Plan) -> list[str]:
    """The model that others are compared with, of each task."""
    return labels(dict.fromkeys(plan.models.main(task) for task in ("encoding", "decoding")))


def _compared(plan: Plan, ablation: str) -> list[Run]:
    """The unchanged model and the variants of an ablation, of the first seed."""
    seed = plan.config.seeds[0]
    names = ["", *plan.models.ablations[ablation].variants]
    return [Run(mode="mm", regime="scratch", variant=name, seed=seed) for name in names]


def ablation(name: str, title: str, needs: Any) -> Drawn:
    """The table of an ablation of the paper, or of one's own variants."""

    def inputs(plan: Plan, wildcards: Wildcards) -> Inputs:
        runs = _compared(plan, name)
        return {
            "metrics": (plan.path("tables", "ablations.csv"),),
            "checkpoints": tuple(checkpoint(plan, run, eid) for eid in plan.test for run in runs),
        }

    def values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
        chosen = plan.models.ablations[name]
        rows = paper_rows(name) if plan.config.figures.paper_numbers else []
        return {
            "trainings": [run.training for run in _compared(plan, name)] * len(plan.test),
            **drawing(
                plan,
                AblationTable,
                title=chosen.title,
                variants=list(chosen.variants),
                paper_rows=rows,
            ),
        }

    return Drawn(
        name=f"ablation_{name}",
        title=title,
        category="Tables",
        draw="neds.tables.ablation:tabulate_ablation",
        needs=needs,
        inputs=inputs,
        values=values,
    )


def _of_the_paper(name: AblationName) -> Drawn:
    def needs(plan: Plan) -> list[Condition]:
        asked = name in plan.config.ablations.tables, f"add {name} to tables under ablations"
        return [("mm" in plan.config.modes, "add mm to modes"), asked]

    return ablation(name, _TITLES[name], needs)


TABLES = [
    Drawn(
        name="benchmark",
        title="scores of all models (Table 10)",
        category="Tables",
        draw="neds.tables.benchmark:tabulate_benchmark",
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, ModelsDrawing, models=plan.models.tabulated(), paper=paper_numbers(plan)
        ),
    ),
    Drawn(
        name="further_scores",
        title="scores that other benchmarks use, calibration, shares of the oracles",
        category="Tables",
        draw="neds.tables.further_scores:tabulate_further_scores",
        needs=lambda plan: [_further_scored(plan)],
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(plan, ModelsDrawing, models=plan.models.tabulated()),
    ),
    Drawn(
        name="differences",
        title="differences between models, paired by session",
        category="Tables",
        draw="neds.tables.differences:tabulate_differences",
        needs=lambda plan: [all_trials(plan), (len(plan.models.tabulated()) > 1, "add another model or baseline")],
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, DifferencesDrawing, models=plan.models.tabulated(), references=_references(plan)
        ),
    ),
    Drawn(
        name="budgets",
        title="what the models cost: time, parameters, choices",
        category="Tables",
        draw="neds.tables.budgets:tabulate_budgets",
        inputs=budget_inputs,
        values=budget_values,
        operational=budget_times,
    ),
    Drawn(
        name="encoding_inputs",
        title="encoding by input variable (Table 1)",
        category="Tables",
        draw="neds.tables.encoding_inputs:tabulate_encoding_inputs",
        needs=lambda plan: [does(plan, "encoding"), _several_behaviours(plan), all_trials(plan)],
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, ModelsDrawing, models=labels(plan.models.drawn("encoding")), paper=paper_numbers(plan)
        ),
    ),
    *(_of_the_paper(name) for name in get_args(AblationName)),
]
OWN_VARIANTS = ablation("own", "own variants", lambda plan: [(bool(plan.config.ablations.variants), "name variants")])
