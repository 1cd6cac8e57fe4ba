"""Jobs that train models: pretraining, training from scratch, fine-tuning, variants; and searches of hyper-parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from neds.ablations.changes import with_changes
from neds.config import RunSettings, Stage
from neds.model.modes import ModeName
from neds.model.settings import NOT_OF_SHAPE, Scheme
from neds.partition.views import in_view
from neds.plan.step import Step, plain
from neds.run import Run
from neds.sharing.places import weights_file
from neds.training.settings import TrainingRun
from neds.tuning.settings import TuningRun
from neds.words import counted

if TYPE_CHECKING:
    from neds.plan.plan import Plan

STAGES: dict[str, Stage] = {"pretrained": "pretrain", "scratch": "scratch", "finetuned": "finetuned"}
"""The stage of each regime, as configurations call it."""


def steps(plan: Plan) -> Iterator[Step]:
    found = list(searches(plan))
    yield from (step for step in found if step.rule == "tune_pretrain")
    for run in plan.models.pretrained():
        yield _pretrained(plan, run)
    yield from (step for step in found if step.rule != "tune_pretrain")
    for eid in plan.test:
        for run in plan.models.of_sessions():
            yield _trained(plan, eid, run)
        for run in plan.models.of_variants():
            yield _variant(plan, eid, run)


def checkpoint(plan: Plan, run: Run, eid: str = "") -> str:
    """The weights that a model is used with."""
    return f"{folder(plan, run, eid)}/best.safetensors"


def folder(plan: Plan, run: Run, eid: str = "") -> str:
    """Folder of a model: of one session, or of a pretraining set."""
    if run.regime == "pretrained":
        return plan.path("models", run.training, run.mode, f"seed{run.seed}")
    return plan.path("models", eid, f"{run.mode}-{run.training}", f"seed{run.seed}")


def run_wildcards(run: Run) -> dict[str, str]:
    """Wildcards that tell a model of a session."""
    return {"mode": run.mode, "training": run.training, "seed": str(run.seed)}


def training_run(plan: Plan, run: Run, view: str = "") -> TrainingRun:
    """Everything but the data that determines a network."""
    settings = _settings(plan, run)
    model = settings.model
    if plan.shared and run.regime == "finetuned":
        model = plan.shared.model.model_copy(update={key: getattr(model, key) for key in NOT_OF_SHAPE})
    return TrainingRun(
        mode=run.mode,
        modalities=plan.config.modalities_of(view),
        model=model,
        masking=settings.masking,
        training=settings.training.of_result(),
        seed=run.seed or 0,
        train_trials=run.trials,
    )


def scheme_weights(plan: Plan, run: Run) -> dict[Scheme, float]:
    """The masking schemes that a multimodal model is trained with."""
    masking = {"masking": training_run(plan, run).masking.model_dump()}
    changes = plan.models.variants.get(run.variant, {})
    changes = {key: value for key, value in changes.items() if key.startswith("masking.weights")}
    weights: dict[Scheme, float] = with_changes(masking, changes)["masking"]["weights"]
    return weights


def known_test_sessions(plan: Plan) -> list[str]:
    """A warning of test sessions that somebody else's model was trained on, where there are any."""
    trained = (
        {session.eid for session in plan.shared.sessions} | plan.shared.trained_before.keys() if plan.shared else set()
    )
    known = [eid for eid in plan.test if eid in trained]
    if not known:
        return []
    return [
        f"{plan.config.pretrained}: was trained on {counted(len(known), 'test session')} ({', '.join(known[:3])}"
        f"{', ...' if len(known) > 3 else ''}), whose scores say nothing of sessions that are new to it"
    ]


def _outputs(folder: str) -> dict[str, str]:
    files = {"best": "best.safetensors", "last": "last.safetensors", "log_csv": "log.csv"}
    return {name: f"{folder}/{file}" for name, file in files.items()}


def _values(plan: Plan, run: Run, eids: Iterable[str]) -> dict[str, Any]:
    """Those of models of some sessions, all of them one view."""
    view = next((plan.view_of(eid) for eid in eids), "")
    return {"settings": plain(training_run(plan, run, view))}


def _settings(plan: Plan, run: Run) -> RunSettings:
    return plan.config.run_settings(STAGES[run.regime], run.mode)


def _operational(plan: Plan, run: Run) -> dict[str, Any]:
    said = {"same_torch": plan.config.same_torch, "loggers": list(plan.config.loggers)}
    return _memory(plan, run) | said


def _memory(plan: Plan, run: Run) -> dict[str, Any]:
    return {"memory": plain(_settings(plan, run).training.of_memory())}


def _pretrained(plan: Plan, run: Run) -> Step:
    return Step(
        rule="pretrain",
        command="train",
        wildcards={"pretraining_set": run.pretraining_set, "mode": run.mode, "seed": str(run.seed)},
        inputs=_tuned(plan, run) | {"aligned": _aligned(plan, run.pretraining_set)},
        values=_values(plan, run, plan.members(run.pretraining_set)),
        operational=_operational(plan, run),
        outputs=_outputs(folder(plan, run)),
    )


def _trained(plan: Plan, eid: str, run: Run) -> Step:
    inputs = _tuned(plan, run, eid) | {"aligned": (plan.aligned(eid),)}
    if run.regime == "finetuned":
        inputs["pretrained"] = (_source(plan, run, eid),)
    return Step(
        rule="finetune" if run.regime == "finetuned" else "train_from_scratch",
        command="train",
        wildcards={"eid": eid, **run_wildcards(run)},
        inputs=inputs,
        values=_values(plan, run, [eid]),
        operational=_operational(plan, run),
        outputs=_outputs(folder(plan, run, eid)),
    )


def _source(plan: Plan, run: Run, eid: str) -> str:
    """The weights that a model is fine-tuned from: those of its set in the session's view, or somebody else's."""
    if plan.config.pretrained:
        return str(weights_file(plan.config.pretrained))
    name = in_view(run.pretraining_set, plan.view_of(eid))
    return checkpoint(plan, Run(mode=run.mode, regime="pretrained", pretraining_set=name, seed=run.seed))


def _variant(plan: Plan, eid: str, run: Run) -> Step:
    return Step(
        rule="train_variant",
        command="train",
        wildcards={"eid": eid, **run_wildcards(run)},
        inputs=_tuned(plan, run, eid) | {"aligned": (plan.aligned(eid),)},
        values=_values(plan, run, [eid]) | {"changes": plan.models.variants[run.variant]},
        operational=_operational(plan, run),
        outputs=_outputs(folder(plan, run, eid)),
    )


def _aligned(plan: Plan, pretraining_set: str) -> tuple[str, ...]:
    return tuple(map(plan.aligned, plan.members(pretraining_set)))


def _tuned(plan: Plan, run: Run, eid: str = "") -> dict[str, tuple[str, ...]]:
    """The file from which a training takes searched values, where its stage is searched."""
    if STAGES[run.regime] not in plan.config.tune.stages:
        return {}
    return {"tuned": (f"{search_folder(plan, run, eid)}/best.yaml",)}


def search_folder(plan: Plan, run: Run, eid: str = "") -> str:
    """Folder of the search whose values a model is trained with: one for all seeds, numbers of trials, and variants."""
    if run.regime == "pretrained":
        return plan.path("tuning", run.training, run.mode)
    way = "-".join(part for part in (run.mode, run.regime, run.pretraining_set) if part)
    return plan.path("tuning", eid, way)


def searches(plan: Plan) -> Iterator[Step]:
    """One for each mode, and pretraining set or test session; with the first seed and all trials."""
    config, seed = plan.config, plan.config.seeds[0]
    for mode in config.modes:
        sets = plan.models.sets(mode) if "finetuned" in config.regimes else []
        of_views = [in_view(name, view) for name in sets for view in list(config.views) or [""]]
        for name in of_views if "pretrain" in config.tune.stages else []:
            run = Run(mode=mode, regime="pretrained", pretraining_set=name, seed=seed)
            yield _search(
                plan,
                run,
                rule="tune_pretrain",
                wildcards={"pretraining_set": name, "mode": mode},
                inputs={"aligned": _aligned(plan, name)},
            )
        for eid in plan.test:
            yield from _searches_of_session(plan, eid, mode, sets)


def _searches_of_session(plan: Plan, eid: str, mode: ModeName, sets: list[str]) -> Iterator[Step]:
    config, seed = plan.config, plan.config.seeds[0]
    aligned: dict[str, tuple[str, ...]] = {"aligned": (plan.aligned(eid),)}
    if "scratch" in config.tune.stages and "scratch" in config.regimes:
        run = Run(mode=mode, regime="scratch", seed=seed)
        yield _search(plan, run, eid, rule="tune_scratch", wildcards={"eid": eid, "mode": mode}, inputs=aligned)
    for name in sets if "finetuned" in config.tune.stages else []:
        run = Run(mode=mode, regime="finetuned", pretraining_set=name, seed=seed)
        yield _search(
            plan,
            run,
            eid,
            rule="tune_finetune",
            wildcards={"eid": eid, "mode": mode, "pretraining_set": name},
            inputs=aligned | {"pretrained": (_source(plan, run, eid),)},
        )


def _search(
    plan: Plan, run: Run, eid: str = "", *, rule: str, wildcards: dict[str, str], inputs: dict[str, tuple[str, ...]]
) -> Step:
    search = plan.config.tune.search_for(STAGES[run.regime])
    place = search_folder(plan, run, eid)
    view = plan.view_of(eid or plan.members(run.pretraining_set)[0])
    return Step(
        rule=rule,
        command="tune",
        wildcards=wildcards,
        inputs=inputs,
        values={"settings": plain(TuningRun(run=training_run(plan, run, view), search=search))},
        outputs={"best": f"{place}/best.yaml", "trials_csv": f"{place}/trials.csv"},
    )
