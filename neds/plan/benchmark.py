"""Jobs that make a submission to BrainWideBench, and score it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from neds.benchmark.protocol import TASKS, UNIT_TASKS
from neds.benchmark.settings import DecodingRun, RegionsSubmission, ScoresRun, SubmittedRun, UnitTasksSubmission
from neds.config.benchmark_views import unit_view, views_of_tasks
from neds.evaluation.settings import SCHEME_OF, UnitTaskName
from neds.partition.views import in_view
from neds.plan.evaluation import embedded_models, embedding, embedding_file, evaluated, unit_task_names
from neds.plan.sessions import session_file
from neds.plan.step import Step, plain
from neds.plan.training import checkpoint
from neds.roster import Session
from neds.run import Run

if TYPE_CHECKING:
    from neds.plan.plan import Plan


def steps(plan: Plan) -> Iterator[Step]:
    label = plan.config.benchmark.label
    if label is None:
        return
    views = views_of_tasks(plan.config)
    of_recordings = {session.recording: session for session in plan.sessions if session.role == "test"}
    parts = [_decoding(plan, label, session) for session in of_recordings.values() if views]
    of_units = [_unit_tasks(plan, label, session) for session in of_recordings.values() if unit_tasks(plan)]
    parts += of_units
    yield from parts
    regions = []
    if tells_regions(plan):
        models = [model for models in _embedded(plan) for model in models]
        there = embedded_models(plan)
        yield from (embedding(plan, *model) for model in models if model not in there)
        regions = [_regions(plan, label, list(of_recordings))]
        of_pretraining = {plan.recording(eid): plan.session(eid) for eid in _pretrained_on(plan)}
        yield from (_region_units(plan, session) for session in (of_recordings | of_pretraining).values())
        yield from regions
    yield Step(
        rule="benchmark_submission",
        command="join-submission",
        inputs={
            "parts": tuple(step.outputs["submission"] for step in parts),
            "ground_truths": tuple(step.outputs["ground_truth"] for step in parts),
            "coverages": tuple(step.outputs["coverage"] for step in [*parts, *regions]),
        },
        values={"eids": list(of_recordings)},
        outputs={
            "submission": plan.path("benchmark", f"{label}.zip"),
            "ground_truth": plan.path("benchmark", "ground_truth.zip"),
            "coverage": plan.path("tables", "benchmark_coverage.csv"),
        },
    )
    yield Step(
        rule="benchmark_scores",
        command="score-submission",
        inputs={
            "submissions": (
                plan.path("benchmark", f"{label}.zip"),
                *(step.outputs[scope] for step in regions for scope in ("single", "multi")),
            ),
            "ground_truths": (
                plan.path("benchmark", "ground_truth.zip"),
                *(step.outputs["ground_truth"] for step in regions),
            ),
            "metrics": (plan.path("tables", "metrics.csv"),) if views else (),
            "scores": tuple(step.outputs["scores"] for step in [*of_units, *regions]),
        },
        values={"settings": plain(ScoresRun(label=label, model=submitted(plan).label, views=views))},
        outputs={"output": plan.path("tables", "benchmark_wide.csv")},
    )


def submitted(plan: Plan) -> Run:
    """The model that is submitted, without a seed."""
    chosen = plan.config.benchmark.model
    found = Run.parse(chosen) if chosen else plan.models.main("decoding")
    assert found is not None, "checked with the configuration"
    return found


def unit_tasks(plan: Plan) -> list[UnitTaskName]:
    """The tasks of the second suite that are submitted: those that the model is evaluated on, if a view is cut for them."""
    return [] if unit_view(plan.config) is None else unit_task_names(plan, submitted(plan))


def tells_regions(plan: Plan) -> bool:
    """Whether the third suite is submitted: units that were pretrained on share a space with those of each recording."""
    is_joint = submitted(plan).regime == "finetuned" and not plan.config.pretrained
    return is_joint and unit_view(plan.config) is not None


def left_out_tasks(plan: Plan) -> list[str]:
    """A line for each task of the benchmark that is not submitted, and what would make it."""
    if plan.config.benchmark.label is None:
        return []
    there = views_of_tasks(plan.config)
    needed = {
        name: f"add a view of {task.target} around {task.align}, {task.start_s:g} to {task.end_s:g} s"
        for name, task in TASKS.items()
        if name not in there
    }
    has_windows = unit_view(plan.config) is not None
    for unit_task in UNIT_TASKS:
        if unit_task not in unit_tasks(plan):
            how = f"train an mm model with the masking scheme {SCHEME_OF[unit_task]}"
            if plan.config.evaluation.tasks is not None and unit_task not in plan.config.evaluation.tasks:
                how = f"name it in evaluation.tasks, and {how}"
            needed[unit_task] = how if has_windows else "add a view with the windows of docs/benchmark.md"
    if not tells_regions(plan):
        needed["regions"] = "submit a model that is fine-tuned from one pretrained here, of a view as of co_smoothing"
    return [f"submission to BrainWideBench, {name}: left out; to have it, {how}" for name, how in needed.items()]


def _decoding(plan: Plan, label: str, session: Session) -> Step:
    """What is submitted of a recording, of which `session` is a view."""
    views = views_of_tasks(plan.config)
    eid, in_use = session.recording, list(dict.fromkeys(views.values()))
    sessions = {view: in_view(eid, view) for view in in_use}
    runs = [SubmittedRun(view=view, seed=seed) for view in in_use for seed in plan.config.seeds]
    models = [(sessions[run.view], replace(submitted(plan), seed=run.seed)) for run in runs]
    file, place = session_file(plan, session, name="recording")
    settings = DecodingRun(label=label, eid=eid, views=views, runs=runs, missing=plan.config.benchmark.missing)
    return Step(
        rule="benchmark_decoding",
        command="submit-decoding",
        wildcards={"eid": eid},
        inputs={
            **file,
            "aligned": tuple(map(plan.aligned, sessions.values())),
            "predictions": tuple(evaluated(plan, "predictions", [model.name], [own])[0] for own, model in models),
            "checkpoints": tuple(checkpoint(plan, model, own) for own, model in models),
        },
        values={"settings": plain(settings), **place},
        outputs={
            "submission": plan.path("benchmark", "ts1", eid, "predictions.zip"),
            "ground_truth": plan.path("benchmark", "ts1", eid, "ground_truth.zip"),
            "coverage": plan.path("benchmark", "ts1", eid, "coverage.csv"),
        },
    )


def _unit_tasks(plan: Plan, label: str, session: Session) -> Step:
    """What is submitted of a recording, of which `session` is a view, to the second suite."""
    eid, view = session.recording, unit_view(plan.config) or ""
    own = in_view(eid, view)
    file, place = session_file(plan, session, name="recording")
    models = [replace(submitted(plan), seed=seed) for seed in plan.config.seeds]
    settings = UnitTasksSubmission(label=label, eid=eid, view=view, tasks=unit_tasks(plan), seeds=plan.config.seeds)
    return Step(
        rule="benchmark_unit_tasks",
        command="submit-unit-tasks",
        wildcards={"eid": eid},
        inputs={
            **file,
            "aligned": (plan.aligned(own),),
            "checkpoints": tuple(checkpoint(plan, model, own) for model in models),
        },
        values={"settings": plain(settings), **place},
        outputs={
            "submission": plan.path("benchmark", "ts2", eid, "predictions.zip"),
            "ground_truth": plan.path("benchmark", "ts2", eid, "ground_truth.zip"),
            "coverage": plan.path("benchmark", "ts2", eid, "coverage.csv"),
            "scores": plan.path("benchmark", "ts2", eid, "scores.csv"),
        },
    )


def _embedded(plan: Plan) -> tuple[list[tuple[Run, str]], list[tuple[Run, str]]]:
    """The models whose embeddings tell regions: of each seed the pretrained one, and those of every recording."""
    run, view = submitted(plan), unit_view(plan.config) or ""
    name = in_view(run.pretraining_set, view)
    pretrained = [
        Run(mode=run.mode, regime="pretrained", pretraining_set=name, seed=seed) for seed in plan.config.seeds
    ]
    own = [eid for eid in plan.test if plan.view_of(eid) == view]
    return [(model, "") for model in pretrained], [
        (replace(run, seed=s), eid) for s in plan.config.seeds for eid in own
    ]


def _pretrained_on(plan: Plan) -> list[str]:
    """The sessions that the models whose embeddings tell regions were pretrained on."""
    return plan.members(in_view(submitted(plan).pretraining_set, unit_view(plan.config) or ""))


def _region_units(plan: Plan, session: Session) -> Step:
    """The units of a recording, of which `session` is a view, as the third suite asks for them."""
    file, place = session_file(plan, session, name="recording")
    return Step(
        rule="benchmark_region_units",
        command="region-units",
        wildcards={"eid": session.recording},
        inputs=file,
        values={"eid": session.recording, **place},
        outputs={"output": _units_file(plan, session.recording)},
    )


def _units_file(plan: Plan, recording: str) -> str:
    return plan.path("benchmark", "ts3", "units", f"{recording}.parquet")


def _regions(plan: Plan, label: str, scored: list[str]) -> Step:
    """What is submitted of all recordings to the third suite."""
    pretrained, own = _embedded(plan)
    settings = RegionsSubmission(
        label=label,
        eids=scored,
        view=unit_view(plan.config) or "",
        seeds=plan.config.seeds,
        missing=plan.config.benchmark.missing,
    )
    return Step(
        rule="benchmark_regions",
        command="submit-regions",
        inputs={
            "recordings": tuple(_units_file(plan, eid) for eid in scored),
            "pretraining": tuple(_units_file(plan, plan.recording(eid)) for eid in _pretrained_on(plan)),
            "embeddings": tuple(embedding_file(plan, *model) for model in own),
            "pretrained": tuple(embedding_file(plan, *model) for model in pretrained),
            "checkpoints": tuple(checkpoint(plan, *model) for model in own),
        },
        values={"settings": plain(settings)},
        outputs={
            "single": plan.path("benchmark", f"{label}_single.zip"),
            "multi": plan.path("benchmark", f"{label}_multi.zip"),
            "ground_truth": plan.path("benchmark", "ts3", "ground_truth.zip"),
            "coverage": plan.path("benchmark", "ts3", "coverage.csv"),
            "scores": plan.path("benchmark", "ts3", "scores.csv"),
        },
    )
