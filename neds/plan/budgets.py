"""What the table of budgets is told: which jobs each model cost, and what they chose from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from neds.baselines.registry import baselines
from neds.figures.drawing import BudgetPart, BudgetsDrawing, ModelBudget
from neds.partition.views import in_view
from neds.plan.drawn import Inputs, Wildcards
from neds.plan.drawn_from import metrics_file
from neds.plan.logs import times_of
from neds.plan.step import plain
from neds.plan.training import STAGES, checkpoint
from neds.run import Run

if TYPE_CHECKING:
    from neds.plan.plan import Plan


def budget_inputs(plan: Plan, wildcards: Wildcards) -> Inputs:
    """All scores, which are there when every job is done, and the models of the first seed, for their sizes."""
    seed = plan.config.seeds[0]
    models = [checkpoint(plan, replace(run, seed=seed), eid) for run in _trained(plan) for eid in plan.test]
    return {**metrics_file(plan, wildcards), "checkpoints": tuple(models)}


def budget_values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
    budgets = [_budget(plan, label) for label in plan.models.tabulated()]
    models = [run.label for run in _trained(plan) for _ in plan.test]
    return {"settings": plain(BudgetsDrawing(budgets=budgets, seeds=plan.config.seeds, models=models))}


def budget_times(plan: Plan) -> Mapping[str, Any]:
    """The folder of Snakemake's records, which differ from run to run and so make nothing stale."""
    return {"times": plan.path("benchmarks")}


def _trained(plan: Plan) -> list[Run]:
    runs = map(Run.parse, plan.models.tabulated())
    return [run for run in runs if run and not run.is_ensemble]


def _budget(plan: Plan, label: str) -> ModelBudget:
    run = Run.parse(label)
    if run is None:
        return _of_baseline(label)
    n_trials = [plan.config.tune.search_for(stage).n_trials for stage, _ in _searches(plan, run)]
    return ModelBudget(
        model=label,
        parts=[*(part for _, part in _searches(plan, run)), *_of_run(plan, run)],
        members=len(plan.config.seeds) if run.is_ensemble else 1,
        trials=sum(n_trials) if n_trials else None,
    )


def _of_baseline(name: str) -> ModelBudget:
    said = baselines()[name]
    fitted = _times("network_baseline" if said.settings else "baseline", baseline=name)
    pretrained = [_part("pretraining", _times("pretrain_baseline", baseline=name))] if said.is_pretrained else []
    return ModelBudget(model=name, parts=[*pretrained, _part("training", fitted)], candidates=said.candidates or None)


def _searches(plan: Plan, run: Run) -> Iterator[tuple[Any, BudgetPart]]:
    """Stage and jobs of each search whose values a model is trained with."""
    of_session = {"scratch": "tune_scratch", "finetuned": "tune_finetune"}[run.regime]
    if "pretrain" in plan.config.tune.stages and _is_pretrained_here(plan, run):
        yield "pretrain", _of_sets(plan, run, "search", "tune_pretrain")
    if STAGES[run.regime] in plan.config.tune.stages:
        times = _times(of_session, mode=run.mode, pretraining_set=run.pretraining_set)
        yield STAGES[run.regime], _part("search", times)


def _of_run(plan: Plan, run: Run) -> Iterator[BudgetPart]:
    if _is_pretrained_here(plan, run):
        yield _of_sets(plan, run, "pretraining", "pretrain")
    rule = "finetune" if run.regime == "finetuned" else "train_from_scratch"
    member = replace(run, is_ensemble=False)
    yield _part("training", _times(rule, mode=run.mode, training=member.training))


def _is_pretrained_here(plan: Plan, run: Run) -> bool:
    return run.regime == "finetuned" and not plan.config.pretrained


def _of_sets(plan: Plan, run: Run, column: Any, rule: str) -> BudgetPart:
    """Jobs of a pretraining set, one for each view."""
    names = [in_view(run.pretraining_set, view) for view in list(plan.config.views) or [""]]
    return _part(column, *(_times(rule, mode=run.mode, pretraining_set=name) for name in names))


def _part(column: Any, *times: str) -> BudgetPart:
    return BudgetPart(column=column, times=list(times))


def _times(rule: str, **wildcards: str) -> str:
    """Path of the records of a rule's times, in which {eid} and {seed} stay."""
    return re.sub(r"\{(\w+)\}", lambda found: wildcards.get(found[1], found[0]), times_of(rule))
