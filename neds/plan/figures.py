"""Every figure: what it shows, what it needs, and what it is drawn from. A new one is an entry here (docs/extending.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neds.config.overrides import Stage
from neds.figures.drawing import (
    CurvesDrawing,
    ModelsDrawing,
    OverviewDrawing,
    PairsDrawing,
    PretrainingSizeDrawing,
    RegionEncodingDrawing,
    RegionsDrawing,
)
from neds.figures.paper import read_region_accuracy
from neds.model.modes import ModeName
from neds.plan.drawn import Condition, Drawn, Inputs, Wildcards, drawing, paper_numbers
from neds.plan.evaluation import evaluated
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
    joint = "finetuned" in plan.config.regimes
    if plan.config.regions.hold_out == "sessions":
        how = "pretrain on two sessions or more (add finetuned to regimes), or hold out units"
        return joint and max(plan.models.set_sizes) > 1, how
    return joint or all_trials(plan)[0], all_trials(plan)[1]


def _predictions(task: str) -> Any:
    """Predictions of a session by the models that encode or decode."""

    def inputs(plan: Plan, wildcards: Wildcards) -> Inputs:
        eid, names = wildcards["eid"], plan.models.first(plan.models.drawn(task))
        return {"aligned": (plan.aligned(eid),), "predictions": evaluated(plan, "predictions", names, [eid])}

    return inputs


def _predicted_by(task: str) -> Any:
    def values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
        return {"models": plan.models.first(plan.models.drawn(task)), **drawing(plan)}

    return values


def _overview_inputs(plan: Plan, wildcards: Wildcards) -> Inputs:
    """Nothing but the configuration, or, where that does not say how many bins a trial has, sessions too."""
    return {} if _bins_of_a_trial(plan) else {"aligned": tuple(map(plan.aligned, plan.test))}


def _bins_of_a_trial(plan: Plan) -> int | None:
    """Bins that partition cuts a trial into; None for own arrays, whose files say it."""
    return None if plan.config.source == "aligned" else plan.config.partition.n_bins


def _overview_values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
    stage: Stage = "scratch" if "scratch" in plan.config.regimes else "pretrain"
    settings = {mode: plan.config.run_settings(stage, mode) for mode in plan.config.modes}
    return drawing(
        plan,
        OverviewDrawing,
        modes=plan.config.modes,
        model=settings[plan.config.modes[0]].model,
        maskings={mode: of_mode.masking for mode, of_mode in settings.items()},
        n_bins=_bins_of_a_trial(plan),
    )


def _lists(rows: list[list[tuple[str, str]]]) -> list[list[list[str]]]:
    return [[list(pair) for pair in row] for row in rows]


def _set_members(plan: Plan) -> dict[str, list[str]]:
    return {name: plan.config.pretraining_eids(name, plan.sessions) for name in plan.config.finetune_from}


def _units(plan: Plan, wildcards: Wildcards) -> Inputs:
    runs, seeds = plan.models.drawn("encoding"), plan.config.seeds
    names = [f"{run.label}-seed{seed}" for run in runs for seed in seeds]
    return {"units": evaluated(plan, "units", names)}


def _decoded(plan: Plan, wildcards: Wildcards) -> Inputs:
    return {
        "aligned": tuple(map(plan.aligned, plan.test)),
        "predictions": evaluated(plan, "predictions", plan.models.decoders()),
    }


def _region_files(plan: Plan, wildcards: Wildcards) -> Inputs:
    return {
        "map": (plan.path("regions", "map.parquet"),),
        "scores": (plan.path("tables", "regions.csv"),),
        "units": (plan.path("regions", "units.parquet"),),
    }


def _region_values(plan: Plan, wildcards: Wildcards) -> Mapping[str, Any]:
    chosen = plan.config.regions.model_dump(include={"classes", "projection"})
    paper = read_region_accuracy() if plan.config.figures.paper_numbers else None
    return {"settings": plain(RegionsDrawing(regions=RegionSettings(**chosen), paper=paper))}


def _pretrainings(plan: Plan, mode: str) -> list[tuple[Run, str]]:
    """Every pretraining of a mode; no one session is its."""
    return [(run, "") for run in plan.models.pretrained() if run.mode == mode]


def _trainings(plan: Plan, mode: ModeName) -> list[tuple[Run, str]]:
    """Every training of a mode on a test session with all trials and the first set."""
    shown = {run.training for run in plan.models.own([mode])}
    runs = [run for run in plan.models.of_sessions() if run.mode == mode and run.training in shown]
    return [(run, eid) for eid in plan.test for run in runs]


def _learning(which: Any) -> tuple[Any, Any]:
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


_PRETRAINING_INPUTS, _PRETRAINING_VALUES = _learning(_pretrainings)
_SESSIONS_INPUTS, _SESSIONS_VALUES = _learning(_trainings)

FIGURES = [
    Drawn(
        name="overview",
        title="masking schemes and network (Fig. 1)",
        category="Overview",
        draw="neds.figures.overview:draw_overview",
        inputs=_overview_inputs,
        values=_overview_values,
    ),
    Drawn(
        name="metrics",
        title="scores of all models (Fig. 2A)",
        category="Scores",
        draw="neds.figures.bars:draw_metrics",
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, ModelsDrawing, models=plan.models.compared(), paper=paper_numbers(plan)
        ),
    ),
    Drawn(
        name="gain",
        title="NEDS multi-session against single-session (Fig. 2B)",
        category="Scores",
        draw="neds.figures.pairs:draw_pairs",
        needs=lambda plan: [scratch(plan), pretrained(plan), all_trials(plan)],
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, PairsDrawing, rows=_lists(plan.models.gain_rows()), paper=paper_numbers(plan)
        ),
    ),
    Drawn(
        name="{eid}/psths",
        title="trial-averaged rates (Fig. 2C)",
        category="Sessions",
        draw="neds.figures.psths:draw_psths",
        needs=lambda plan: [conditions(plan), does(plan, "encoding"), all_trials(plan)],
        inputs=_predictions("encoding"),
        values=_predicted_by("encoding"),
    ),
    Drawn(
        name="{eid}/raster",
        title="single-trial variability (Fig. 2D)",
        category="Sessions",
        draw="neds.figures.raster:draw_raster",
        needs=lambda plan: [conditions(plan), does(plan, "encoding"), all_trials(plan)],
        inputs=_predictions("encoding"),
        values=_predicted_by("encoding"),
    ),
    Drawn(
        name="{eid}/traces",
        title="decoded traces (Fig. 2E, F)",
        category="Sessions",
        draw="neds.figures.traces:draw_traces",
        needs=lambda plan: [does(plan, "decoding"), has_behaviour(plan, "continuous"), all_trials(plan)],
        inputs=_predictions("decoding"),
        values=_predicted_by("decoding"),
    ),
    Drawn(
        name="multi_session",
        title="NEDS against other multi-session models (Fig. 3)",
        category="Scores",
        draw="neds.figures.pairs:draw_pairs",
        needs=lambda plan: [
            pretrained(plan),
            (bool(plan.models.multi_session_rows()), "add rrr-multi to baselines or a second set to finetune_from"),
            all_trials(plan),
        ],
        inputs=metrics_file,
        values=lambda plan, wildcards: drawing(
            plan, PairsDrawing, rows=_lists(plan.models.multi_session_rows()), paper=paper_numbers(plan)
        ),
    ),
    Drawn(
        name="regions",
        title="regions of units by their embeddings (Fig. 4A-C)",
        category="Regions",
        draw="neds.figures.regions:draw_regions",
        needs=lambda plan: [(plan.config.regions.classes != [], "name regions under regions: classes"), held_out(plan)],
        inputs=_region_files,
        values=_region_values,
    ),
    Drawn(
        name="pretraining_size",
        title="score against number of pretraining sessions",
        category="Amount of data",
        draw="neds.figures.pretraining_size:draw_pretraining_size",
        needs=lambda plan: [
            pretrained(plan),
            (len(plan.models.set_sizes) > 1, "add a set of another size to finetune_from"),
            all_trials(plan),
        ],
        inputs=metrics_and_sessions,
        values=lambda plan, wildcards: drawing(
            plan, PretrainingSizeDrawing, sets=_set_members(plan), curves=plan.models.pretraining_curves()
        ),
    ),
    Drawn(
        name="data_efficiency",
        title="score against number of training trials",
        category="Amount of data",
        draw="neds.figures.data_efficiency:draw_data_efficiency",
        needs=lambda plan: [
            (len(plan.config.train_trials) > 1, "give train_trials several numbers, e.g. [25, 50, 100, all]")
        ],
        inputs=metrics_and_sessions,
        values=lambda plan, wildcards: drawing(plan, CurvesDrawing, curves=plan.models.trial_curves()),
    ),
    Drawn(
        name="region_encoding",
        title="encoding by brain region",
        category="Regions",
        draw="neds.figures.region_encoding:draw_region_encoding",
        needs=lambda plan: [does(plan, "encoding"), all_trials(plan)],
        inputs=_units,
        values=lambda plan, wildcards: drawing(
            plan,
            RegionEncodingDrawing,
            model=plan.models.main("encoding").label,
            min_units=plan.config.figures.region_min_units,
        ),
    ),
    Drawn(
        name="calibration",
        title="calibration of decoded classes",
        category="Scores",
        draw="neds.figures.calibration:draw_calibration",
        needs=lambda plan: [does(plan, "decoding"), has_behaviour(plan, "categorical"), all_trials(plan)],
        inputs=_decoded,
        values=lambda plan, wildcards: {"models": plan.models.decoders(), **drawing(plan)},
    ),
    Drawn(
        name="learning/{mode}-pretraining",
        title="learning curves of pretraining",
        category="Training",
        draw="neds.figures.learning:draw_learning",
        needs=lambda plan: [pretrained(plan)],
        inputs=_PRETRAINING_INPUTS,
        values=_PRETRAINING_VALUES,
    ),
    Drawn(
        name="learning/{mode}-sessions",
        title="learning curves on the test sessions",
        category="Training",
        draw="neds.figures.learning:draw_learning",
        needs=lambda plan: [all_trials(plan)],
        inputs=_SESSIONS_INPUTS,
        values=_SESSIONS_VALUES,
    ),
]
"""In the order of the list of what is left out. {eid} and {mode} stand for a file per test session and mode."""
