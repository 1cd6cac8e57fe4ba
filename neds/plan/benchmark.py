"""Jobs that make a submission to BrainWideBench, and score it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from neds.benchmark.protocol import TASKS, Task
from neds.benchmark.settings import DecodingRun, ScoresRun, SubmittedRun
from neds.config import Config
from neds.partition.views import in_view
from neds.plan.evaluation import evaluated
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
    of_recordings = {session.recording: session for session in plan.sessions if session.role == "test"}
    parts = [_decoding(plan, label, session) for session in of_recordings.values()]
    yield from parts
    yield Step(
        rule="benchmark_submission",
        command="join-submission",
        inputs={
            "parts": tuple(step.outputs["submission"] for step in parts),
            "ground_truths": tuple(step.outputs["ground_truth"] for step in parts),
            "coverages": tuple(step.outputs["coverage"] for step in parts),
        },
        values={"eids": list(dict.fromkeys(map(plan.recording, plan.test)))},
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
            "submissions": (plan.path("benchmark", f"{label}.zip"),),
            "ground_truths": (plan.path("benchmark", "ground_truth.zip"),),
            "metrics": (plan.path("tables", "metrics.csv"),),
        },
        values={"settings": plain(ScoresRun(model=submitted(plan).label, views=views_of_tasks(plan.config)))},
        outputs={"output": plan.path("tables", "benchmark_wide.csv")},
    )


def submitted(plan: Plan) -> Run:
    """The model that is submitted, without a seed."""
    chosen = plan.config.benchmark.model
    found = Run.parse(chosen) if chosen else plan.models.main("decoding")
    assert found is not None, "checked with the configuration"
    return found


def views_of_tasks(config: Config) -> dict[str, str]:
    """The view of each task of the first suite that has one; "" where there are no views."""
    return {name: view for name, task in TASKS.items() if (view := _view_of(config, task)) is not None}


def _view_of(config: Config, task: Task) -> str | None:
    for view, cut in config.cuttings().items():
        window = (cut.align, round(cut.window_start_s, 6), round(cut.window_end_s, 6))
        if window == (task.align, task.start_s, task.end_s) and task.target in config.modalities_of(view):
            return view
    return None


def left_out_tasks(plan: Plan) -> list[str]:
    """A line for each task of the first suite that no view is made for."""
    if plan.config.benchmark.label is None:
        return []
    there = views_of_tasks(plan.config)
    return [
        f"submission to BrainWideBench, {name}: left out; to have it, add a view of {task.target} around {task.align}, "
        f"{task.start_s:g} to {task.end_s:g} s"
        for name, task in TASKS.items()
        if name not in there
    ]


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
