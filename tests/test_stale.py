"""A result is made again when its inputs, its settings or its code changed, and never otherwise: exact lists of jobs."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow_runs import ROOT, TINY, planned, snakemake

pytestmark = pytest.mark.slow

# What is made of the numbers of all test sessions; of one session; of one model.
OF_ALL = dict.fromkeys(
    ["metrics_table", "figure_metrics", "figure_gain", "table_benchmark", "table_encoding_inputs"], 1
)
POOLED = {"figure_region_encoding": 1, "figure_calibration": 1, "figure_learning": 1}
REGIONS = {"classify_regions": 1, "figure_regions": 1}
JOINT = {"unit_embeddings_of_pretrained": 1, "map_units": 1}
FIGURES = {"figure_psths": 2, "figure_raster": 2, "figure_traces": 2} | POOLED
MODELS = {"train_from_scratch": 2, "finetune": 2, "evaluate": 4} | OF_ALL
TRAINED = {"pretrain": 1, "unit_embeddings": 4} | MODELS | FIGURES | {"figure_learning": 2} | REGIONS | JOINT
PARTITIONED = {"partition": 4, "sessions_table": 1, "baseline": 4} | TRAINED
SESSION_FIGURES = dict.fromkeys(FIGURES, 1)  # of one session, and those that pool all
OF_SESSION = (
    {"train_from_scratch": 1, "finetune": 1, "baseline": 2, "evaluate": 2, "unit_embeddings": 2}
    | SESSION_FIGURES
    | REGIONS
)
TEST_SESSION = OF_SESSION | {"sessions_table": 1} | OF_ALL
NEW = {"synthesize": 1, "download_alf": 1, "partition": 1}
FINETUNED = {"finetune": 2, "evaluate": 2, "unit_embeddings": 2} | FIGURES | OF_ALL | REGIONS
PRETRAINED = FINETUNED | {"pretrain": 1, "sessions_table": 1, "figure_learning": 2} | JOINT
OVERVIEW = {"figure_overview": 1}
SEEDS = {"pretrain": 1, "unit_embeddings": 4, "unit_embeddings_of_pretrained": 1}
SEEDS |= {"figure_region_encoding": 1, "figure_learning": 2} | REGIONS
TABULATED = {"ablation_metrics": 1, "table_ablation": 1}


def changed(block: str, **values) -> dict:
    return TINY | {block: TINY.get(block, {}) | values}


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
        (TINY | {"seeds": [0, 1]}, MODELS | SEEDS),
        (TINY | {"train_trials": [20, "all"]}, MODELS | {"figure_data_efficiency": 1, "left_out": 1}),
        (
            TINY | {"pretraining_sets": {"one": 1}, "finetune_from": ["all", "one"]},
            {"pretrain": 1, "finetune": 2, "evaluate": 2, "left_out": 1, "figure_learning": 1}
            | {"figure_multi_session": 1, "figure_pretraining_size": 1, "unit_embeddings_of_pretrained": 1}
            | REGIONS
            | OF_ALL,
        ),
        (changed("overrides", finetuned={"training.shared_lr": 0.3, "training.epochs": 3}), FINETUNED),
        (TINY | {"baselines": ["psth"]}, OF_ALL),
        (changed("regions", hold_out="sessions"), REGIONS),
        (changed("regions", neighbors=5), {"map_units": 1, "figure_regions": 1}),
        (changed("ablations", variants={"wide": {"model.dim": 32}}), {"train_variant": 2, "evaluate": 2} | TABULATED),
    ],
    ids=[
        *("same", "EID for testing added", "EID for testing removed", "EID for pretraining added"),
        *("EID for pretraining removed", "bin width", "model size", "seed", "seed added", "training trials"),
        *("pretraining set", "epochs of fine-tuning", "baseline removed"),
        *("held-out sessions", "map of units", "variant"),
    ],
)  # fmt: skip
def test_change_of_the_configuration(config, jobs, finished):
    assert planned(finished, config) == jobs


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project, whose code tests edit."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("rules", "neds", "workflow_scripts", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


DOWNLOADED = {"download_alf": 4} | PARTITIONED
DRAWN = FIGURES | {"figure_metrics": 1, "figure_gain": 1, "figure_learning": 2, "figure_regions": 1} | OVERVIEW


@pytest.mark.parametrize(
    ("module", "old", "new", "jobs"),
    [
        ("model/masking.py", "hidden.clone()", "hidden.clone().clone()", TRAINED | OVERVIEW),
        ("model/masking.py", '"""', '"""In other words: ', {}),
        ("model/masking.py", "\n\n\ndef ", "\n\n\n# A comment.\ndef ", {}),
        ("figures/style.py", '"#', '"#1', DRAWN),
        ("figures/raster.py", "\n\n\ndef ", "\n\n\nX = 1\n\n\ndef ", {"figure_raster": 2}),
        ("download/loaders.py", "\n\n\ndef ", "\n\n\nX = 1\n\n\ndef ", DOWNLOADED),
        ("tuning/search.py", "\n\n\ndef ", "\n\n\nX = 1\n\n\ndef ", {}),
    ],
    ids=["masking", "docstring", "comment", "colour", "figure", "download", "code that is not used"],
)
def test_edit_of_the_code(module, old, new, jobs, finished, project):
    path = project / "neds" / module
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        assert planned(finished, project=project) == jobs
    finally:
        path.write_text(text)


def test_restored_code_and_touched_files_are_what_they_were(copy_of_finished, project):
    """Content counts, not time, which a restored backup or another checkout of the code would change."""
    for number, path in enumerate(sorted(p for p in copy_of_finished.rglob("results/**/*") if p.is_file()), start=1):
        os.utime(path, (1.9e9 - number, 1.9e9 - number))
    for path in project.rglob("*.py"):
        path.touch()
    assert not planned(copy_of_finished, project=project)


def test_restored_configuration_costs_what_the_change_did(copy_of_finished):
    """A session removed and added again: its models are still there."""
    jobs = {"sessions_table": 1} | OF_ALL | POOLED | REGIONS
    fewer = changed("synthetic", n_test=1)
    snakemake(copy_of_finished, config=fewer)
    assert not planned(copy_of_finished, fewer)
    assert planned(copy_of_finished) == jobs


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("aligned/{eid}.h5", {"partition": 1} | TEST_SESSION),
        (
            "models/{eid}/mm-scratch/seed0/best.safetensors",
            {"train_from_scratch": 1, "evaluate": 1, "unit_embeddings": 1} | SESSION_FIGURES | OF_ALL | REGIONS,
        ),
        ("evaluation/{eid}/psth/metrics.csv", {"baseline": 1} | OF_ALL),
        ("figures/{eid}/raster.png", {"figure_raster": 1}),
    ],
)  # fmt: skip
def test_deleted_file_is_made_again_with_what_depends_on_it(file, jobs, copy_of_finished):
    sessions = pd.read_csv(copy_of_finished / "results/tables/sessions.csv")
    eid = sessions.loc[sessions["role"] == "test", "eid"].iloc[0]
    (copy_of_finished / "results" / file.format(eid=eid)).unlink()
    assert planned(copy_of_finished) == jobs
