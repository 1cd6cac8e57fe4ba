"""The workflow as users run it: Snakemake itself, on a tiny synthetic data set."""

import os
import re

import h5py
import pandas as pd
import pytest

from tests.workflow_runs import TINY, planned, snakemake

pytestmark = pytest.mark.slow


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
    stems = {path.with_suffix("") for path in figures.rglob("*") if path.is_file()} - {
        figures / "left_out",
        figures / "left_out.txt-metadata",
    }
    of_all = ["overview", "metrics", "gain", "regions", "region_encoding", "calibration"]
    of_all += ["learning/mm-pretraining", "learning/mm-sessions"]
    assert {stem.relative_to(figures).as_posix() for stem in stems} >= set(of_all)
    assert len(stems) == len(of_all) + 2 * 3
    for stem in stems:
        assert all(stem.with_suffix(suffix).stat().st_size > 0 for suffix in (".pdf", ".png", ".csv"))


def test_what_is_left_out_is_said_with_what_would_make_it(finished):
    lines = (finished / "results/figures/left_out.txt").read_text().splitlines()
    named = {line.split(",")[0] for line in lines if "left out" in line}
    assert named == {
        *(
            "figures/multi_session",
            "figures/pretraining_size",
            "figures/data_efficiency",
            "figures/region_co_smoothing",
        ),
        *("tables/ablation_schemes", "tables/ablation_size", "tables/ablation_embeddings"),
    }


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


def test_damaged_result_is_made_again(copy_of_finished):
    damaged = sorted((copy_of_finished / "results/aligned").glob("*.h5"))[0]
    os.truncate(damaged, 2000)
    jobs = planned(copy_of_finished, TINY)
    assert jobs["partition"] == 1 and not jobs["download_alf"]


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

    # A file of the user's that is damaged fails its session alone, and the end says why.
    os.truncate(tmp_path / "mouse1.h5", 2000)
    with h5py.File(tmp_path / "mouse2.h5", "a") as handle:
        handle["wheel_speed"][0, 0] += 1
    printed = snakemake(tmp_path, "sessions", config=config, check=False)
    report = re.search(r"^1 of 3 jobs failed:\n(.*)", printed, re.MULTILINE | re.DOTALL).group(1).splitlines()
    log = "results/logs/partition/mouse1.log"
    assert report[0] == "  import_arrays mouse1" and report[2] == f"      log: {log}"
    assert report[1].startswith("      mouse1.h5: ") and "Traceback" not in (tmp_path / log).read_text()
    assert (tmp_path / "results/aligned/mouse2.h5").exists(), "the other session went on"


@pytest.mark.parametrize(
    "target, key",
    [
        ("benchmark", "benchmark.label"),
        ("ablations", "ablations.tables or ablations.variants"),
        ("baselines", "baselines"),
    ],
)
def test_a_target_of_which_nothing_is_asked_says_so(target, key, tmp_path):
    printed = snakemake(tmp_path, "-n", target, config=TINY | {"baselines": []}, check=False)
    assert f"target {target}: nothing is asked for; set config key {key}" in printed
    assert "Traceback" not in printed
