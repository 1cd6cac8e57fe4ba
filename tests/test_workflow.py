"""The workflow as users run it: Snakemake itself, on a tiny synthetic data set."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import h5py
import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
TINY = {
    "synthetic": {"n_train": 2, "n_test": 2, "n_trials": 90, "units_min": 12, "units_max": 16, "noise_units": 2},
    "partition": {"bin_s": 0.1, "min_units": 5},
    "model": {"dim": 16, "layers": 1, "heads": 2, "mlp": 16},
    "training": {"epochs": 2, "validate_every": 1},
    "baselines": ["psth", "oracle"],
    "regions": {"projection": "pca"},
}

# Jobs that read the scores of all evaluations; those that read all sessions; and those of one test session more.
SCORES = dict.fromkeys(
    ["metrics_table", "figure_metrics", "figure_gain", "table_benchmark", "table_encoding_inputs"], 1
)
ALL_SESSIONS = SCORES | {
    "sessions_table": 1,
    "figure_region_encoding": 1,
    "figure_calibration": 1,
    "figure_learning": 1,
    "classify_regions": 1,
    "figure_regions": 1,
}
ONE_SESSION = ALL_SESSIONS | {
    "train_from_scratch": 1,
    "finetune": 1,
    "baseline": 2,
    "evaluate": 2,
    "figure_psths": 1,
    "figure_raster": 1,
    "figure_traces": 1,
    "unit_embeddings": 2,
}

# Targets that do nothing, and what follows every change of the configuration or of a score: what a report lists.
UNCOUNTED = {
    *("all", "sessions", "models", "tables", "figures", "pages", "ablations"),
    *("configuration_table", "software_table", "table_page"),
}


def snakemake(
    folder: Path, *arguments: str, config: dict | None = None, check: bool = True, project: Path = ROOT
) -> str:
    """Run Snakemake in `folder` on a project's Snakefile; returns what it printed."""
    if config is not None:
        (folder / "my.yaml").write_text(yaml.safe_dump(config))
    environment = os.environ | {"HOME": str(folder)}
    command = [Path(sys.executable).with_name("snakemake"), "--snakefile", project / "Snakefile", "--directory", folder]
    command += ["--configfile", folder / "my.yaml", "--cores", "2", *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment)
    printed = done.stdout + done.stderr
    assert done.returncode == 0 or not check, printed
    return printed


def planned(folder: Path, config: dict, *, project: Path = ROOT) -> Counter:
    """Jobs that a dry run would start, by rule; without those of `UNCOUNTED`."""
    printed = snakemake(folder, "-n", config=config, project=project)
    jobs = Counter(re.findall(r"^(?:local)?rule (\w+):", printed, re.MULTILINE))
    return Counter({rule: n for rule, n in jobs.items() if rule not in UNCOUNTED})


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("workflow")
    snakemake(folder, config=TINY)
    return folder


def test_tables_are_complete(finished):
    sessions = pd.read_csv(finished / "results/tables/sessions.csv")
    assert sessions["role"].tolist() == ["train", "train", "test", "test"]
    assert sessions["usable"].all()

    metrics = pd.read_csv(finished / "results/tables/metrics.csv", keep_default_na=False)
    assert not metrics.duplicated(["eid", "model", "training", "seed", "task", "inputs", "target", "metric"]).any()
    test_eids = set(sessions.loc[sessions["role"] == "test", "eid"])
    for model, training in (
        ("neds-mm", "scratch"),
        ("neds-mm", "finetuned-all"),
        ("psth", ""),
        ("oracle", ""),
    ):
        rows = metrics[(metrics["model"] == model) & (metrics["training"] == training)]
        assert set(rows["eid"]) == test_eids, model


def test_oracle_is_not_beaten(finished):
    metrics = pd.read_csv(finished / "results/tables/metrics.csv")
    bits = metrics[(metrics["metric"] == "bits_per_spike") & (metrics["task"] == "encoding")]
    best = bits.groupby(["eid", "model"])["value"].max().unstack()
    assert (best["oracle"] > best.drop(columns="oracle").max(axis=1)).all()


def test_every_figure_has_its_three_files(finished):
    figures = finished / "results/figures"
    stems = {path.with_suffix("") for path in figures.rglob("*") if path.is_file()} - {figures / "left_out"}
    of_all = ["overview", "metrics", "gain", "regions", "region_encoding", "calibration"]
    of_all += ["learning/mm-pretraining", "learning/mm-sessions"]
    assert {stem.relative_to(figures).as_posix() for stem in stems} >= set(of_all)
    assert len(stems) == len(of_all) + 2 * 3
    for stem in stems:
        assert all(stem.with_suffix(suffix).stat().st_size > 0 for suffix in (".pdf", ".png", ".csv"))


def test_nothing_to_do_afterwards(finished):
    assert not planned(finished, TINY)


def test_only_stale_work_is_done_again(finished):
    """Exact job lists after changes of the config and of the files."""
    more = TINY | {"synthetic": TINY["synthetic"] | {"n_test": 3}}
    assert planned(finished, more) == ONE_SESSION | {"synthesize": 1, "download_alf": 1, "partition": 1}

    fewer = TINY | {"synthetic": TINY["synthetic"] | {"n_test": 1}}
    assert planned(finished, fewer) == ALL_SESSIONS

    seeds = TINY | {"seeds": [0, 1]}
    trained = {"train_from_scratch": 2, "finetune": 2, "evaluate": 4}
    assert planned(finished, seeds) == SCORES | trained | {
        "pretrain": 1,
        "figure_region_encoding": 1,
        "figure_learning": 2,
        "unit_embeddings": 4,
        "unit_embeddings_of_pretrained": 1,
        "classify_regions": 1,
        "figure_regions": 1,
    }

    few = TINY | {"train_trials": [20, "all"]}
    assert planned(finished, few) == SCORES | trained | {"figure_data_efficiency": 1, "left_out": 1}

    sets = TINY | {"pretraining_sets": {"one": 1}, "finetune_from": ["all", "one"]}
    jobs = planned(finished, sets)
    assert jobs["pretrain"] == 1 and jobs["finetune"] == 2 and "train_from_scratch" not in jobs

    tuned = TINY | {"training_overrides": {"finetuned": {"epochs": 3}}}
    jobs = planned(finished, tuned)
    assert jobs["finetune"] == 2 and not {"pretrain", "train_from_scratch", "partition", "baseline"} & jobs.keys()

    bins = TINY | {"partition": TINY["partition"] | {"bin_s": 0.2}}
    jobs = planned(finished, bins)
    assert jobs["partition"] == 4 and jobs["pretrain"] == 1 and "download_alf" not in jobs

    assert not planned(finished, TINY), "the old configuration is up to date as before"


def test_another_colour_draws_figures_again_and_nothing_else(finished, tmp_path):
    shutil.copytree(ROOT, tmp_path / "project", ignore=lambda folder, names: {".venv", ".git", "shared"} & set(names))
    style = tmp_path / "project/neds/figures/style.py"
    text = style.read_text()
    style.write_text(text.replace('"neds-mm-scratch": "#E69F00"', '"neds-mm-scratch": "#FF0000"'))
    assert style.read_text() != text
    assert planned(finished, TINY, project=tmp_path / "project") == {
        **{"figure_metrics": 1, "figure_gain": 1, "figure_region_encoding": 1, "figure_calibration": 1},
        **{"figure_learning": 2, "figure_psths": 2, "figure_raster": 2, "figure_traces": 2},
        **{"figure_overview": 1, "figure_regions": 1},
    }
    style.write_text(text)
    bars = tmp_path / "project/neds/figures/bars.py"
    bars.write_text(bars.read_text().replace("width=0.78", "width=0.5"))
    assert planned(finished, TINY, project=tmp_path / "project") == {"figure_metrics": 1}


def test_what_is_left_out_is_said_with_what_would_make_it(finished):
    lines = (finished / "results/figures/left_out.txt").read_text().splitlines()
    assert {line.split(",")[0] for line in lines if "left out" in line} == {
        *("figures/multi_session", "figures/pretraining_size", "figures/data_efficiency"),
        *("tables/ablation_schemes", "tables/ablation_size", "tables/ablation_embeddings"),
    }


def test_deleting_an_aligned_file_reruns_its_session_alone(finished):
    sessions = pd.read_csv(finished / "results/tables/sessions.csv")
    eid = sessions.loc[sessions["role"] == "test", "eid"].iloc[0]
    kept = finished / "aligned.kept"
    aligned = finished / "results/aligned" / f"{eid}.h5"
    aligned.rename(kept)
    try:
        jobs = planned(finished, TINY)
    finally:
        kept.rename(aligned)
    assert jobs == ONE_SESSION | {"partition": 1}


def test_unusable_session_is_reported_and_stops_nobody(tmp_path):
    """A held-out and a pretraining session without whisker: the others are trained and scored."""
    config = TINY | {
        "synthetic": TINY["synthetic"] | {"missing_whisker": ["SYN0002", "SYN1001"]},
        "baselines": ["psth"],
        "training": {"epochs": 1},
    }
    snakemake(tmp_path, config=config)
    sessions = pd.read_csv(tmp_path / "results/tables/sessions.csv").set_index("subject")
    assert sessions["usable"].to_dict() == {"SYN0001": True, "SYN0002": False, "SYN1001": False, "SYN1002": True}
    assert "whisker_motion_energy" in sessions.loc["SYN1001", "why_not"]
    metrics = pd.read_csv(tmp_path / "results/tables/metrics.csv")
    assert set(metrics["subject"]) == {"SYN1002"}


def test_wrong_config_starts_no_job(tmp_path):
    printed = snakemake(tmp_path, config={"training": {"lr": "1e-4"}, "seed": 3}, check=False)
    assert "config key training.lr: '1e-4' is text" in printed
    assert "config key seed: unknown key; did you mean seeds?" in printed
    assert not (tmp_path / "results").exists()


def test_damaged_file_fails_its_session_alone_with_one_line(tmp_path, finished):
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    sessions = pd.read_csv(folder / "results/tables/sessions.csv")
    eid, other = sessions.loc[sessions["role"] == "test", "eid"]
    for session in (eid, other):
        (folder / f"results/evaluation/{session}/psth/metrics.csv").unlink()
    damaged = folder / f"results/aligned/{eid}.h5"
    os.truncate(damaged, 2000)
    printed = snakemake(folder, config=TINY, check=False)
    assert f"error: results/aligned/{eid}.h5: damaged or not HDF5" in printed
    assert "delete it and run snakemake again" in printed
    assert "Traceback" not in (folder / f"results/logs/baselines/{eid}-psth.log").read_text()
    assert (folder / f"results/evaluation/{other}/psth/metrics.csv").exists(), "the other session went on"

    damaged.unlink()
    jobs = planned(folder, TINY)
    assert jobs["partition"] == 1 and jobs["train_from_scratch"] == 1


def test_own_arrays_go_through_the_whole_workflow(tmp_path):
    """Source aligned: two sessions with a modality of the user's own, no IBL, unimodal models."""
    from tests.aligned_sessions import make_session

    lines = ["eid\trole\tpath"]
    for name, role in (("mouse1", "train"), ("mouse2", "test")):
        values = make_session(name, n_trials=70, n_units=12).values
        with h5py.File(tmp_path / f"{name}.h5", "w") as handle:
            handle["spikes"] = values["spikes"]
            handle["wheel_speed"] = values["wheel_speed"][..., 0]
            handle["tail_angle"] = values["whisker_motion_energy"][..., 0]
            handle["bin_s"], handle["t0_s"] = 0.05, -0.2
        lines.append(f"{name}\t{role}\t{name}.h5")
    (tmp_path / "sessions.tsv").write_text("\n".join(lines))
    config = {
        "source": "aligned",
        "sessions": "sessions.tsv",
        "modalities": ["spikes", "wheel_speed", "tail_angle"],
        "custom_modalities": {"tail_angle": {"kind": "continuous", "unit": "rad"}},
        "modes": ["encoding", "decoding"],
        "baselines": ["linear", "oracle"],
        "model": TINY["model"],
        "training": {"epochs": 1},
    }
    snakemake(tmp_path, "tables", config=config)
    metrics = pd.read_csv(tmp_path / "results/tables/metrics.csv")
    assert set(metrics["model"]) == {"neds-encoding", "neds-decoding", "linear"}
    assert set(metrics.loc[metrics["task"] == "decoding", "target"]) == {"wheel_speed", "tail_angle"}
