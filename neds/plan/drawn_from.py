"""What figures need of a configuration, and what they are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neds.config.overrides import Stage
from neds.figures.drawing import (
    OverviewDrawing,
    RegionsDrawing,
)
from neds.figures.paper import read_region_accuracy
from neds.model.modes import ModeName
from neds.plan.drawn import Condition, Inputs, Wildcards, drawing
from neds.plan.evaluation import evaluated, predicts_units, unit_task_names
from neds.plan.step import plain
from neds.plan.training import folder
from neds.regions.settings import RegionSettings
from neds.run import Run

if TYPE_CHECKING:
    from neds.plan.plan import Plan


def metrics_file(plan: Plan, wildcards: Wildcards) -> Inputs:
    return {"metrics": (plan.path("tables", "metrics.csv"),)}


def metrics_and_sessions(plan: Plan, wildcards: Wildcards) -> Inputs:
    return {**metrics_file(plan, wildcards), "sessions": (plan.path("tables", "sessions.csv"),)}


def scratch(plan: Plan) -> Condition:
    return "scratch" in plan.config.regimes, "add scratch to regimes"


def pretrained(plan: Plan) -> Condition:
    return "finetuned" in plan.config.regimes, "add finetuned to regimes"


def pretrains(plan: Plan) -> Condition:
    how = "leave `pretrained` out, so that a model is pretrained here"
    return bool(plan.models.pretrained()), how if plan.config.pretrained else pretrained(plan)[1]


def all_trials(plan: Plan) -> Condition:
    return "all" in plan.config.train_trials, "add all to train_trials"


def conditions(plan: Plan) -> Condition:
    return plan.config.has_conditions, "align trials to an event (partition: align)"


def does(plan: Plan, task: str) -> Condition:
    return any(mode in ("mm", task) for mode in plan.config.modes), f"add mm or {task} to modes"


def has_behaviour(plan: Plan, kind: str) -> Condition:
    there = any(m.kind == kind and m.group == "behaviour" for m in plan.modalities.values())
    return there, f"add a {kind} behaviour to modalities"


def held_out(plan: Plan) -> Condition:
    """What there must be to tell regions apart. Whole sessions can be held out only where sessions share a space."""
    joint = bool(plan.models.pretrained())
    if plan.config.regions.hold_out == "sessions":
        how = "pretrain on two sessions or more (add finetuned to regimes), or hold out units"
        return joint and max(plan.models.set_sizes) > 1, how
    return joint or all_trials(plan)[0], all_trials(plan)[1]


def predictions(task: str) -> Any:
    """Predictions of a session by the models that encode or decode."""

    def inputs(plan: Plan, wildcards: Wildcards) -> Inputs:
        eid, names = wildcards["eid"], plan.models.first(plan.models.drawn(task))
        return {"aligned": (plan.aligned(eid),), "predictions": evaluated(plan, "predictions", names, [eid])}

    return inputs


def predicted_by(task: str) -> Any:
    def values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
        return {"models": plan.models.first(plan.models.drawn(task)), **drawing(plan)}

    return values


def overview_inputs(plan: Plan, wildcards: Wildcards) -> Inputs:
    """Nothing but the configuration, or, where that does not say how many bins a trial has, sessions too."""
    return {} if bins_of_a_trial(plan) else {"aligned": tuple(map(plan.aligned, plan.test))}


def bins_of_a_trial(plan: Plan) -> int | None:
    """Bins that partition cuts a trial into; None for own arrays, whose files say it."""
    first = next(iter(plan.config.cuttings().values()))
    return None if plan.config.source == "aligned" else first.n_bins


def overview_values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
    stage: Stage = "scratch" if "scratch" in plan.config.regimes else "pretrain"
    settings = {mode: plan.config.run_settings(stage, mode) for mode in plan.config.modes}
    return drawing(
        plan,
        OverviewDrawing,
        modes=plan.config.modes,
        model=plan.shared.model if plan.shared else settings[plan.config.modes[0]].model,
        maskings={mode: of_mode.masking for mode, of_mode in settings.items()},
        n_bins=bins_of_a_trial(plan),
        n_context=next(iter(plan.config.cuttings().values())).n_context,
    )


def lists(rows: list[list[tuple[str, str]]]) -> list[list[list[str]]]:
    return [[list(pair) for pair in row] for row in rows]


def set_members(plan: Plan) -> dict[str, list[str]]:
    first = next(iter(plan.config.views), "")
    sets = plan.config.finetune_from
    return {name: plan.config.pretraining_eids(name, plan.sessions, first) for name in sets}


def units(plan: Plan, wildcards: Wildcards) -> Inputs:
    runs, seeds = plan.models.drawn("encoding"), plan.config.seeds
    names = [f"{run.label}-seed{seed}" for run in runs for seed in seeds]
    return {"units": evaluated(plan, "units", names)}


def co_smoothers(plan: Plan) -> list[Run]:
    """The models that are scored on co-smoothing, the multi-session model first, without seeds."""
    runs = [run for run in plan.models.own(["mm"]) if "co_smoothing" in unit_task_names(plan, run)]
    return sorted(runs, key=lambda run: run.regime != "finetuned") if "mm" in plan.config.modes else []


def co_smooths(plan: Plan) -> Condition:
    return bool(co_smoothers(plan)), "add units to masking.weights, or co_smoothing to evaluation.tasks, of a model mm"


def co_smoothed_units(plan: Plan, wildcards: Wildcards) -> Inputs:
    names = [f"{run.label}-seed{seed}" for run in co_smoothers(plan) for seed in plan.config.seeds]
    baselines = [name for name in plan.models.baselines if predicts_units(name)]
    return {"units": evaluated(plan, "units", [*baselines, *names])}


def decoded(plan: Plan, wildcards: Wildcards) -> Inputs:
    return {
        "aligned": tuple(map(plan.aligned, plan.test)),
        "predictions": evaluated(plan, "predictions", plan.models.decoders()),
    }


def region_files(plan: Plan, wildcards: Wildcards) -> Inputs:
    return {
        "map": (plan.path("regions", "map.parquet"),),
        "scores": (plan.path("tables", "regions.csv"),),
        "units": (plan.path("regions", "units.parquet"),),
    }


def region_values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
    chosen = plan.config.regions.model_dump(include={"classes", "projection"})
    paper = read_region_accuracy() if plan.config.figures.paper_numbers else None
    return {"settings": plain(RegionsDrawing(regions=RegionSettings(**chosen), paper=paper))}


def pretrainings(plan: Plan, mode: str) -> list[tuple[Run, str]]:
    """Every pretraining of a mode; no one session is its."""
    return [(run, "") for run in plan.models.pretrained() if run.mode == mode]


def trainings(plan: Plan, mode: ModeName) -> list[tuple[Run, str]]:
    """Every training of a mode on a test session with all trials and the first set."""
    shown = {run.training for run in plan.models.own([mode])}
    runs = [run for run in plan.models.of_sessions() if run.mode == mode and run.training in shown]
    return [(run, eid) for eid in plan.test for run in runs]


def learning(which: Any) -> tuple[Any, Any]:
    def inputs(plan: Plan, wildcards: Wildcards) -> Inputs:
        return {"logs": tuple(f"{folder(plan, *run)}/log.csv" for run in which(plan, wildcards["mode"]))}

    def values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
        runs = which(plan, wildcards["mode"])
        return {
            "models": [run.label for run, _ in runs],
            "eids": [eid or "-" for _, eid in runs],
            "seeds": [run.seed for run, _ in runs],
            **drawing(plan),
        }

    return inputs, values
