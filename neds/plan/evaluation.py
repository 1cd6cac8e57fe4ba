"""Jobs that score models and baselines, and that tell regions from what models have learned of units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from neds.baselines.registry import Baseline, baselines
from neds.evaluation.settings import SCHEME_OF, UnitTaskName
from neds.plan.step import Step, plain
from neds.plan.training import checkpoint, run_wildcards, scheme_weights
from neds.regions.settings import EmbeddedModelName, RegionSettings, RegionsRun
from neds.run import Run

if TYPE_CHECKING:
    from neds.plan.plan import Plan

FILES = {"metrics": "metrics.csv", "units": "units.parquet", "predictions": "predictions.h5"}


def steps(plan: Plan) -> Iterator[Step]:
    for baseline in plan.models.baselines:
        if baselines()[baseline].is_pretrained:
            yield _pretrained_baseline(plan, baseline)
    for eid in plan.test:
        for baseline in plan.models.baselines:
            yield _baseline(plan, eid, baseline)
        for run in evaluated_runs(plan):
            yield _evaluation(plan, eid, run)
        for run in plan.models.ensembles():
            yield _ensemble(plan, eid, run)
    scored = plan.models.of_sessions() + plan.models.ensembles()
    yield _table(plan, "metrics_table", "metrics.csv", _names(plan, scored))
    if plan.models.variants:
        compared = plan.models.unchanged() + plan.models.of_variants()
        yield _table(plan, "ablation_metrics", "ablations.csv", [run.name for run in compared])
    yield from _regions(plan)


def evaluated_runs(plan: Plan) -> list[Run]:
    """The models that each test session is evaluated with."""
    needed = plan.models.of_sessions() + plan.models.of_variants()
    return list(dict.fromkeys(needed + (plan.models.unchanged() if plan.models.variants else [])))


def evaluated(plan: Plan, file: str, names: Iterable[str], eids: Iterable[str] | None = None) -> tuple[str, ...]:
    """A file, such as metrics, of the evaluations with some models: those of a session after one another."""
    models = list(names)
    sessions = plan.test if eids is None else eids
    return tuple(plan.path("evaluation", eid, name, FILES[file]) for eid in sessions for name in models)


def _names(plan: Plan, runs: list[Run]) -> list[str]:
    return [*plan.models.baselines, *(run.name for run in runs)]


def _outputs(plan: Plan, eid: str, name: str) -> dict[str, str]:
    return {key: plan.path("evaluation", eid, name, file) for key, file in FILES.items()}


def _baseline(plan: Plan, eid: str, baseline: str) -> Step:
    said = baselines()[baseline]
    inputs: dict[str, tuple[str, ...]] = {"aligned": (plan.aligned(eid),)}
    if said.needs == "truth":
        inputs["truth"] = (plan.path("synthetic", plan.recording(eid), "truth.h5"),)
    if said.needs == "others":
        others = [other for other in plan.train if plan.view_of(other) == plan.view_of(eid)]
        inputs["others"] = tuple(map(plan.aligned, sorted(others)))
    if said.is_pretrained:
        inputs["pretrained"] = (_pretrained_weights(plan, baseline),)
    return Step(
        rule="network_baseline" if said.settings else "baseline",
        command="baseline",
        wildcards={"eid": eid, "baseline": baseline},
        inputs=inputs | _spike_times(plan, said, [eid]),
        values={"name": baseline}
        | _network_settings(plan, said)
        | _of_unit_tasks(plan, _names_of_baselines(plan, baseline)),
        outputs=_outputs(plan, eid, baseline),
    )


def _pretrained_baseline(plan: Plan, baseline: str) -> Step:
    said, members = baselines()[baseline], sorted(plan.train)
    return Step(
        rule="pretrain_baseline",
        command="pretrain-baseline",
        wildcards={"baseline": baseline},
        inputs={"aligned": tuple(map(plan.aligned, members))} | _spike_times(plan, said, members),
        values={"name": baseline} | _network_settings(plan, said),
        outputs={"output": _pretrained_weights(plan, baseline)},
    )


def _pretrained_weights(plan: Plan, baseline: str) -> str:
    return plan.path("models", "baselines", f"{baseline}.safetensors")


def _spike_times(plan: Plan, said: Baseline, eids: list[str]) -> dict[str, tuple[str, ...]]:
    """Raw files, for a baseline that reads them, of sources that have any."""
    if not said.reads_spike_times or plan.config.source == "aligned":
        return {}
    return {"raw": tuple(plan.path("raw", f"{plan.recording(eid)}.h5") for eid in eids)}


def _network_settings(plan: Plan, said: Baseline) -> dict[str, Any]:
    """Those of the one network, so that a change of the other makes nothing stale."""
    if not said.settings:
        return {}
    return {"settings": {said.settings: plain(getattr(plan.config.rivals, said.settings))}}


def _evaluation(plan: Plan, eid: str, run: Run) -> Step:
    return Step(
        rule="evaluate",
        command="evaluate",
        wildcards={"eid": eid, **run_wildcards(run)},
        inputs={"aligned": (plan.aligned(eid),), "checkpoint": (checkpoint(plan, run, eid),)},
        values={"model": run.model, "training": run.training, "seed": run.seed}
        | _of_unit_tasks(plan, unit_task_names(plan, run)),
        outputs=_outputs(plan, eid, run.name),
    )


def unit_task_names(plan: Plan, run: Run) -> list[UnitTaskName]:
    """The tasks beside encoding and decoding that a model is evaluated on."""
    asked = plan.config.evaluation.tasks
    if run.mode != "mm":
        return []
    if asked is not None:
        return asked
    weights = scheme_weights(plan, run)
    return [name for name in get_args(UnitTaskName) if weights.get(SCHEME_OF[name])]


def all_unit_task_names(plan: Plan) -> list[UnitTaskName]:
    """Those that any model of the test sessions is evaluated on, variants not counted."""
    found = {name for run in plan.models.of_sessions() for name in unit_task_names(plan, run)}
    return [name for name in get_args(UnitTaskName) if name in found]


def predicts_units(baseline: str) -> bool:
    """Whether a baseline does co-smoothing and forecasting."""
    return baselines()[baseline].predicts_units


def _names_of_baselines(plan: Plan, baseline: str) -> list[UnitTaskName]:
    if not predicts_units(baseline):
        return []
    asked = plan.config.evaluation.tasks
    return all_unit_task_names(plan) if asked is None else asked


def _of_unit_tasks(plan: Plan, names: list[UnitTaskName]) -> dict[str, Any]:
    """The value of an evaluation that says what beside encoding and decoding it is about; none where there is nothing."""
    return {"unit_tasks": plain(plan.config.evaluation.of(names))} if names else {}


def held_out_by_name(plan: Plan) -> dict[str, Any]:
    """The value of the sessions table that says which units co-smoothing holds out; none where it is not scored, or they are
    drawn.
    """
    held_out = plan.config.evaluation.of(["co_smoothing"]).held_out
    scored = [name for run in evaluated_runs(plan) for name in unit_task_names(plan, run)]
    scored += [name for baseline in plan.models.baselines for name in _names_of_baselines(plan, baseline)]
    is_named = held_out and (held_out.column or held_out.uuids)
    return {"held_out": plain(held_out)} if is_named and "co_smoothing" in scored else {}


def _ensemble(plan: Plan, eid: str, run: Run) -> Step:
    members = [replace(run, seed=seed, is_ensemble=False).name for seed in plan.config.seeds]
    return Step(
        rule="ensemble",
        command="ensemble",
        wildcards={"eid": eid, "mode": run.mode, "training": run.training},
        inputs={"aligned": (plan.aligned(eid),), "predictions": evaluated(plan, "predictions", members, [eid])},
        values={"model": run.model, "training": run.training},
        outputs={
            "output" if key == "predictions" else key: path for key, path in _outputs(plan, eid, run.name).items()
        },
    )


def _table(plan: Plan, rule: str, file: str, names: list[str]) -> Step:
    return Step(
        rule=rule,
        command="metrics-table",
        inputs={"metrics": evaluated(plan, "metrics", names)},
        outputs={"output": plan.path("tables", file)},
    )


def _regions(plan: Plan) -> Iterator[Step]:
    models = embedded_models(plan)
    for run, eid in models:
        yield embedding(plan, run, eid)
    if not models:
        return
    yield Step(
        rule="classify_regions",
        command="classify-regions",
        inputs={"embeddings": tuple(embedding_file(plan, *model) for model in models)},
        values=_of_regions(plan, [run for run, _ in models], "hold_out", "folds", "penalty"),
        outputs={"scores": plan.path("tables", "regions.csv"), "units": plan.path("regions", "units.parquet")},
    )
    mapped = min(models, key=_map_rank)
    yield Step(
        rule="map_units",
        command="map-units",
        inputs={"embeddings": (embedding_file(plan, *mapped),)},
        values=_of_regions(plan, [mapped[0]], "projection", "neighbors"),
        outputs={"output": plan.path("regions", "map.parquet")},
    )


def embedded_models(plan: Plan) -> list[tuple[Run, str]]:
    """Every model whose units are told apart by region, with its test session ("" for a pretrained one)."""
    config = plan.config
    if config.regions.classes == []:
        return []
    modes = sorted(config.modes, key=["encoding", "decoding", "mm"].index)
    trainings = [run.training for run in plan.models.own(config.modes[:1])]
    of_sessions = {(run.mode, run.training, run.seed): run for run in plan.models.of_sessions()}
    models = [
        (of_sessions[mode, training, seed], eid)
        for training in trainings
        for mode in modes
        for eid in plan.test
        for seed in config.seeds
    ]
    pretrained = plan.models.pretrained()
    return models + [(run, "") for mode in modes for run in pretrained if run.mode == mode]


def embedding_file(plan: Plan, run: Run, eid: str) -> str:
    if run.regime == "pretrained":
        return plan.path("embeddings", run.training, f"{run.model}-seed{run.seed}.h5")
    return plan.path("embeddings", eid, f"{run.name}.h5")


def embedding(plan: Plan, run: Run, eid: str) -> Step:
    """What a model of a test session, or a pretrained one (eid ""), has learned of each unit."""
    if run.regime == "pretrained":
        rule = "unit_embeddings_of_pretrained"
        wildcards = {"pretraining_set": run.pretraining_set, "mode": run.mode, "seed": str(run.seed)}
        aligned = tuple(map(plan.aligned, plan.members(run.pretraining_set)))
    else:
        rule, wildcards, aligned = "unit_embeddings", {"eid": eid, **run_wildcards(run)}, (plan.aligned(eid),)
    return Step(
        rule=rule,
        command="unit-embeddings",
        wildcards=wildcards,
        inputs={"aligned": aligned, "checkpoint": (checkpoint(plan, run, eid),)},
        outputs={"output": embedding_file(plan, run, eid)},
    )


def _of_regions(plan: Plan, runs: list[Run], *keys: str) -> dict[str, Any]:
    """Values of an analysis of the units of some models, which depends on the classes and on these keys alone."""
    chosen = plan.config.regions.model_dump(include={"classes", "merge", "min_units", *keys})
    return {"settings": plain(RegionsRun(regions=RegionSettings(**chosen), models=list(map(_description, runs))))}


def _description(run: Run) -> EmbeddedModelName:
    space: Literal["joint", "session"] = "joint" if run.regime == "pretrained" else "session"
    return EmbeddedModelName(model=run.model, training=run.training, space=space, seed=run.seed or 0)


def _map_rank(model: tuple[Run, str]) -> tuple[bool, bool]:
    """The units in a plane are those of the multimodal pretrained model, or else of the first test session's."""
    run, _ = model
    return run.regime != "pretrained", run.mode != "mm"
