"""A result is made again when its inputs, its settings or its code changed, and never otherwise: exact lists of jobs.

The plan judges a finished run here; that Snakemake does what the plan says is tested at the end.
"""

import base64
import os
import shutil
from collections import Counter
from functools import cache, partial
from pathlib import Path

import pandas as pd
import pytest
import yaml

from neds.commands.code import _scripts, command_code
from neds.config import load_config
from neds.plan.opened import OpenedPlan, command_of
from neds.plan.stale import Staleness
from neds.plan.step import Step
from neds.provenance.code import Package
from tests.workflow_runs import LISTED, ROOT, TINY, planned, snakemake

pytestmark = pytest.mark.slow

# What is made of the numbers of all test sessions; of one session; of one model.
OF_ALL = dict.fromkeys(
    ["metrics_table", "metrics", "gain", "benchmark", "encoding_inputs", "further_scores", "differences", "budgets"], 1
)
POOLED = {"region_encoding": 1, "calibration": 1, "sessions curves": 1}
REGIONS = {"classify_regions": 1, "regions": 1}
JOINT = {"unit_embeddings_of_pretrained": 1, "map_units": 1}
FIGURES = {"psths": 2, "raster": 2, "traces": 2} | POOLED
CURVES = {"pretraining curves": 1}
MODELS = {"train_from_scratch": 2, "finetune": 2, "evaluate": 4} | OF_ALL
TRAINED = {"pretrain": 1, "unit_embeddings": 4} | MODELS | FIGURES | CURVES | REGIONS | JOINT
PARTITIONED = {"partition": 4, "sessions_table": 1, "baseline": 4} | TRAINED
SESSION_FIGURES = dict.fromkeys(FIGURES, 1)  # of one session, and those that pool all
OF_SESSION = (
    {"train_from_scratch": 1, "finetune": 1, "baseline": 2, "evaluate": 2, "unit_embeddings": 2}
    | SESSION_FIGURES
    | REGIONS
)
TEST_SESSION = OF_SESSION | {"sessions_table": 1} | OF_ALL
# Raw files and what they are made from are needed only by what is missing or stale, and are not among the targets.
NEW = {"partition": 1}
FINETUNED = {"finetune": 2, "evaluate": 2, "unit_embeddings": 2} | FIGURES | OF_ALL | REGIONS
PRETRAINED = FINETUNED | {"pretrain": 1, "sessions_table": 1} | CURVES | JOINT
OVERVIEW = {"overview": 1}
SEEDS = {"pretrain": 1, "unit_embeddings": 4, "unit_embeddings_of_pretrained": 1}
SEEDS |= {"region_encoding": 1, "sessions curves": 1} | CURVES | REGIONS
TABULATED = {"ablation_metrics": 1, "ablation_own": 1}
EVERYTHING = {"synthesize": 4, "left_out": 1, "overview": 1, "download_alf": 4} | PARTITIONED
DOWNLOADED = {"download_alf": 4} | PARTITIONED


def changed(block: str, **values) -> dict:
    return TINY | {block: TINY.get(block, {}) | values}


def overridden(name: str, values: dict) -> dict:
    given = TINY["overrides"]
    return TINY | {"overrides": given | {name: given.get(name, {}) | values}}


def opened(folder: Path, config: dict, name: str = ".plan.yaml") -> OpenedPlan:
    file = folder / name
    file.write_text(yaml.safe_dump(config))
    return OpenedPlan(load_config([ROOT / "config.yaml", file], base=folder), is_main=True)


def job_name(step: Step) -> str:
    """What the tables above call a job."""
    if step.rule == "learning_figure":
        return f"{step.wildcards['stage']} curves"
    return step.wildcards.get("figure") or (step.wildcards["table"] if step.rule == "table" else step.rule)


def code_of(project: Path, step: Step) -> str:
    """Digest of the code that a job would run in a copy of the project."""
    _scripts.cache_clear()
    digest = _digests(project).digest
    return command_code(command_of(step), step.values, digest=digest, root=project)


@cache
def _digests(project: Path) -> Package:
    return Package(project, "neds")


def stale(folder: Path, config: dict = TINY, *, package: Path | None = None, scratch: Path | None = None) -> Counter:
    """Jobs that the plan would do again or for the first time, without those that list the configuration and versions.

    Args:
        package: folder of the code that is judged; that of this project when omitted.
    """
    found = opened(scratch or folder, config)
    code = found.code if package is None else partial(code_of, package)
    reasons = Staleness(found.plan, code, folder=folder).reasons()
    return Counter(job_name(step) for step, _ in reasons if step.rule not in LISTED)


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ({"source": "alf", "download": {"alf_root": "elsewhere"}}, "correct the paths or download.alf_root, or take"),
        ({"source": "aligned", "modalities": ["spikes", "wheel_speed"]}, "correct the paths, or take"),
    ],
)
def test_files_that_are_not_there_are_told_with_every_place_that_names_them(tmp_path, monkeypatch, source, how):
    monkeypatch.chdir(tmp_path)
    path = "lab/Subjects/mouse/2024-05-06/001" if source["source"] == "alf" else "arrays.npz"
    (tmp_path / "sheet.tsv").write_text(f"eid\trole\tpath\n00000000-0000-4000-8000-000000000001\ttest\t{path}\n")
    found = opened(tmp_path, {"sessions": "sheet.tsv", "regimes": ["scratch"]} | source)
    found.stale_files()
    table = next(step for step in found.plan.steps if step.rule == "sessions_table")
    told = found.absent_files(table.outputs.values())
    assert f"The sessions sheet names a file that is not there; {how} the sessions off the sheet:\n" in told
    assert path in told


@pytest.mark.parametrize(
    ("config", "jobs"),
    [
        (TINY, {}),
        (changed("synthetic", n_test=3), NEW | TEST_SESSION),
        (changed("synthetic", n_test=1), {"sessions_table": 1} | OF_ALL | POOLED | REGIONS),
        (changed("synthetic", n_train=3), NEW | PRETRAINED),
        (changed("synthetic", n_train=1), PRETRAINED),
        (changed("partition", bin_s=0.2), PARTITIONED | OVERVIEW),
        (changed("model", dim=32), TRAINED | OVERVIEW),
        (TINY | {"seeds": [1]}, TRAINED),
        (TINY | {"seeds": [0, 1]}, MODELS | SEEDS | {"ensemble": 4}),
        (TINY | {"train_trials": [20, "all"]}, MODELS | {"data_efficiency": 1, "left_out": 1}),
        (
            TINY | {"pretraining_sets": {"one": 1}, "finetune_from": ["all", "one"]},
            {"pretrain": 1, "finetune": 2, "evaluate": 2, "left_out": 1, "multi_session": 1, "pretraining_size": 1}
            | {"unit_embeddings_of_pretrained": 1}
            | CURVES
            | REGIONS
            | OF_ALL,
        ),
        (overridden("finetuned", {"training.epochs": 3}), FINETUNED),
        (overridden("pretrain", {"training.lr": 0.01}), FINETUNED | {"pretrain": 1} | CURVES | JOINT),
        (overridden("mm", {"training.lr": 0.01}), TRAINED),
        (TINY | {"baselines": ["psth"]}, OF_ALL),
        (changed("regions", hold_out="sessions"), REGIONS),
        (changed("regions", neighbors=5), {"map_units": 1, "regions": 1}),
        (changed("ablations", variants={"wide": {"model.dim": 32}}), {"train_variant": 2, "evaluate": 2} | TABULATED),
        (TINY | {"download": {"base_url": "https://alyx.example.org"}}, {}),
        (TINY | {"partition": TINY["partition"] | {"unusable": "error"}}, {}),
        (TINY | {"custom_modalities": {"tail": {"kind": "continuous"}}}, {}),
        (TINY | {"results": "./results/"}, {}),
        (changed("training", trials_at_once=2, recompute=True, memory_share=0.1), {}),
    ],
    ids=[
        *("same", "EID for testing added", "EID for testing removed", "EID for pretraining added"),
        *("EID for pretraining removed", "bin width", "model size", "seed", "seed added", "training trials"),
        *("pretraining set", "epochs of fine-tuning", "rate of pretraining", "rate of a mode", "baseline removed"),
        *("held-out sessions", "map of units", "variant", "database that is not asked", "what stops the workflow"),
        *("modality that is not used", "other spelling of the results", "how trainings fit into memory"),
    ],
)  # fmt: skip
def test_change_of_the_configuration(config, jobs, finished, tmp_path):
    assert stale(finished, config, scratch=tmp_path) == Counter(jobs)


def test_label_of_a_modality_is_drawn_again_and_nothing_more(finished, tmp_path, monkeypatch):
    import neds.modalities

    wheel = neds.modalities.BUILT_IN["wheel_speed"].model_copy(update={"label": "speed of the wheel"})
    monkeypatch.setitem(neds.modalities.BUILT_IN, "wheel_speed", wheel)
    drawn = (
        FIGURES
        | CURVES
        | OVERVIEW
        | dict.fromkeys(["metrics", "gain", "benchmark", "encoding_inputs", "further_scores", "differences"], 1)
    )
    assert stale(finished, scratch=tmp_path) == Counter(drawn)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the package, whose code tests edit."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("neds", "workflow_scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


DRAWN = FIGURES | CURVES | {"metrics": 1, "gain": 1, "regions": 1}


@pytest.mark.parametrize(
    ("module", "old", "new", "jobs"),
    [
        ("model/masking.py", "hidden.clone()", "hidden.clone().clone()", TRAINED | OVERVIEW),
        ("training/command.py", "run = with_best(settings", "settings.seed\n        run = with_best(settings", TRAINED),
        ("model/masking.py", '"""', '"""In other words: ', {}),
        ("model/masking.py", "\n\n\ndef ", "\n\n\n# A comment.\ndef ", {}),
        ("training/stage.py", "pretrain again with these settings", "pretrain once more", {}),
        ("training/stage.py", "log.warning(", "log.info(", {}),
        ("training/stage.py", "\n\n\ndef ", "\n\n\nX = 1\n\n\ndef ", {}),
        ("evaluation/metrics.py", "\n\n\ndef ", "\n\n\ndef new_score():\n    return 1\n\n\ndef ", {}),
        ("figures/style.py", '"neds-mm-scratch": "#E69F00"', '"neds-mm-scratch": "#E69F01"', DRAWN),
        ("figures/raster.py", "_SMOOTHING_BINS =", "_SMOOTHING_BINS = 2 *", {"raster": 2}),
        ("download/loaders.py", "\n\n\ndef load_session(", "\n\n\n@id\ndef load_session(", DOWNLOADED),
        ("tuning/search.py", "_OBJECT_STORE_BYTES =", "_OBJECT_STORE_BYTES = 2 *", {}),
        ("errors.py", "class UserError(Exception):", "class UserError(ValueError):", {}),
        ("commands/job.py", "function(**arguments | temporary)", "function(**arguments | temporary | {})", EVERYTHING),
        ("workflow_scripts/__main__.py", "main()", "main() or None", EVERYTHING),
        ("workflow_scripts/__main__.py", '"""', '"""In short: ', {}),
        ("validation.py", "import yaml", "import yaml\n\nyaml.warnings({})", EVERYTHING),
    ],
    ids=[
        *("masking", "command of training", "docstring", "comment", "message", "log line", "unused constant", "new metric"),
        *("colour", "figure", "download", "code that is not used", "plumbing"),
        *("what runs every command", "script", "docstring of a script"),
        "statement of the plumbing",
    ],
)  # fmt: skip
def test_edit_of_the_code(module, old, new, jobs, finished, project, tmp_path):
    path = project / module if module.startswith("workflow_scripts/") else project / "neds" / module
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    _digests.cache_clear()
    try:
        assert stale(finished, package=project, scratch=tmp_path) == Counter(jobs)
    finally:
        path.write_text(text)


def test_moved_and_renamed_results_are_judged_by_what_they_hold(copy_of_finished):
    """Copied by a program that keeps no times, without Snakemake's memory, under another name."""
    for number, path in enumerate(sorted(p for p in copy_of_finished.rglob("results/**/*") if p.is_file()), start=1):
        os.utime(path, (1.9e9 - number, 1.9e9 - number))
    shutil.rmtree(copy_of_finished / ".snakemake")
    (copy_of_finished / "results").rename(copy_of_finished / "other")
    config = TINY | {"results": "other"}
    assert not planned(copy_of_finished, config)
    jobs = planned(copy_of_finished, config | {"model": TINY["model"] | {"dim": 32}})
    assert {rule: jobs[rule] for rule in ("pretrain", "train_from_scratch", "finetune", "evaluate")} == {
        **{"pretrain": 1, "train_from_scratch": 2, "finetune": 2, "evaluate": 4}
    }
    assert not jobs["partition"] and not jobs["baseline"]


def test_a_file_that_is_another_one_makes_stale_what_was_made_from_it(copy_of_finished, tmp_path):
    """Two models that were made in the same way, of which one took the place of the other."""
    folders = sorted(copy_of_finished.glob("results/models/*/mm-scratch/seed0"))
    first, second = (folder / "best.safetensors" for folder in folders)
    content = first.read_bytes()
    shutil.copy(second, first)
    assert stale(copy_of_finished)["train_from_scratch"] == 1
    first.write_bytes(content)
    assert not stale(copy_of_finished)


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("aligned/{eid}.h5", {"partition": 1} | TEST_SESSION),
        (
            "models/{eid}/mm-scratch/seed0/best.safetensors",
            {"train_from_scratch": 1, "evaluate": 1, "unit_embeddings": 1} | SESSION_FIGURES | OF_ALL | REGIONS,
        ),
        ("evaluation/{eid}/psth/metrics.csv", {"baseline": 1} | OF_ALL),
        ("figures/{eid}/raster.png", {"raster": 1}),
        ("embeddings/{eid}/neds-mm-scratch-seed0.h5", {"unit_embeddings": 1} | REGIONS),
        ("raw/{eid}.h5", {}),
        ("synthetic/{eid}/truth.h5", {}),
    ],
)  # fmt: skip
def test_deleted_file_is_made_again_with_what_depends_on_it(file, jobs, copy_of_finished):
    sessions = pd.read_csv(copy_of_finished / "results/tables/sessions.csv")
    eid = sessions.loc[sessions["role"] == "test", "eid"].iloc[0]
    (copy_of_finished / "results" / file.format(eid=eid)).unlink()
    assert stale(copy_of_finished) == Counter(jobs)


@pytest.mark.parametrize(
    ("file", "rule"),
    [
        ("aligned/*.h5", "partition"),
        ("evaluation/*/neds-mm-scratch-seed0/metrics.csv", "evaluate"),
        ("evaluation/*/psth/metrics.csv", "baseline"),
        ("tables/metrics.csv", "metrics_table"),
        ("tables/benchmark.tex", "table"),
        ("figures/metrics.png", "figure"),
        ("figures/metrics.csv", "figure"),
        ("figures/metrics.pdf", "figure"),
    ],
)
def test_damaged_or_replaced_file_is_made_again(file, rule, copy_of_finished):
    path = next((copy_of_finished / "results").glob(file))
    path.write_text("something else\n")
    found = opened(copy_of_finished, TINY)
    reasons = Staleness(found.plan, found.code, folder=copy_of_finished).reasons()
    own = str(path.relative_to(copy_of_finished))
    assert [step.rule for step, _ in reasons if own in step.outputs.values()] == [rule]


def test_marks_of_a_killed_run_hide_nothing_that_is_missing(copy_of_finished):
    raw, aligned = (next((copy_of_finished / "results" / name).glob("*.h5")) for name in ("raw", "aligned"))
    aligned.unlink()
    marks = copy_of_finished / ".snakemake/incomplete"
    marks.mkdir(parents=True, exist_ok=True)
    for file in (raw, raw.with_name(aligned.name)):
        (marks / base64.b64encode(f"results/raw/{file.name}".encode()).decode()).touch()
    assert planned(copy_of_finished)["partition"] == 1


def test_another_torch_is_said_and_makes_stale_only_where_asked(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("neds.plan.stale.metadata.version", lambda name: "99.1.0")
    found = opened(tmp_path, TINY)
    state = Staleness(found.plan, found.code, folder=finished)
    assert not [step for step, _ in state.reasons() if step.rule not in LISTED]
    assert sum(state.other_torch.values()) == 5
    assert stale(finished, TINY | {"same_torch": True}, scratch=tmp_path)["pretrain"] == 1


def test_restored_configuration_costs_what_the_change_did(copy_of_finished):
    """A session removed and added again: its models are still there."""
    jobs = {"sessions_table": 1} | OF_ALL | POOLED | REGIONS
    fewer = changed("synthetic", n_test=1)
    snakemake(copy_of_finished, config=fewer)
    assert not planned(copy_of_finished, fewer)
    assert stale(copy_of_finished) == Counter(jobs)


def test_snakemake_does_what_the_plan_says(copy_of_finished):
    """Stale, missing and new results at once, and what depends on them."""
    eid = sorted((copy_of_finished / "results/evaluation").iterdir())[0].name
    (copy_of_finished / f"results/evaluation/{eid}/psth/metrics.csv").unlink()
    config = changed("training", epochs=3)
    expected = Counter()
    found = opened(copy_of_finished, config)
    for step, _ in Staleness(found.plan, found.code, folder=copy_of_finished).reasons():
        expected[step.rule] += step.rule not in LISTED
    assert planned(copy_of_finished, config) == +expected


def test_what_the_user_forces_takes_along_what_depends_on_it(finished):
    jobs = planned(finished, TINY, arguments=["--forcerun", "train_from_scratch"])
    assert (jobs["train_from_scratch"], jobs["evaluate"], jobs["metrics_table"], jobs["finetune"]) == (2, 2, 1, 0)
