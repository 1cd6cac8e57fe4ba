"""The benchmark's second and third suite: from files in its layout to submissions that IBL's own scorer scores as we do."""

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from torch_brain.data import Data
from torch_brain.samplers import SequentialFixedWindowSampler
from torch_brain.utils.binning import bin_spikes

from neds.benchmark.archive import Entry, encoded, prediction, read_archive, truth, write_archive
from neds.benchmark.check import submission_faults
from neds.benchmark.protocol import REGION_TASK, UNIT_TASKS
from neds.benchmark.recording import opened
from neds.benchmark.settings import UnitTasksSubmission
from neds.benchmark.sheet import write_sheet
from neds.benchmark.unit_tasks import submit_unit_tasks
from neds.benchmark.windows import scored_windows
from neds.config.load import load_config
from neds.errors import UserError
from neds.files.tables import read_csv
from neds.plan.plan import Plan
from tests import brain_wide_bench as bench
from tests.brain_wide_bench import changed
from tests.file_server import serving
from tests.workflow_runs import snakemake

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs/examples/brain_wide_bench_units.yaml"
SEEDS = (43, 44, 45)


def test_windows_and_their_spikes_are_those_of_torch_brain(tmp_path):
    path = bench.write_recording(tmp_path / "aaaa.h5", seed=3)
    with opened(path) as recording:
        windows = scored_windows(recording)
    with h5py.File(path) as handle:
        data = Data.from_hdf5(handle)
        inside = data.task_aligned_intervals.domain & data.ts2_test_domain
        indices = list(SequentialFixedWindowSampler(sampling_intervals={"aaaa": inside}, window_length=1.0, step=0.02))
        # To the last bit, as the scorer compares.
        assert windows.start_s.tolist() == [float(index.start) for index in indices]
        alone = Data(spikes=data.spikes, domain=data.domain)
        everything = np.arange(bench.N_UNITS)
        for row in {*range(0, len(indices), 7), len(indices) - 1}:
            spikes = alone.slice(indices[row].start, indices[row].end).spikes
            expected = bin_spikes(spikes, num_units=bench.N_UNITS, bin_size=0.02)
            np.testing.assert_array_equal(windows.of(slice(row, row + 1), units=everything)[0], expected)
    # The last window of a stretch lies off the grid of the others.
    assert (np.diff(windows.start_s) < 0.0199).any()


def test_a_stretch_that_holds_no_window_is_one_line(tmp_path):
    path = bench.write_recording(tmp_path / "aaaa.h5", seed=3)
    with h5py.File(path, "r+") as handle:
        handle["ts2_test_domain/end"][0] = handle["task_aligned_intervals/domain/start"][8] + 0.5
    with pytest.raises(UserError, match="is shorter than a window"), opened(path) as recording:
        scored_windows(recording)


def unit_task_archives(folder: Path) -> tuple[Entry, Path]:
    """One file of predictions, and the truth to score it by."""
    starts_s, ids = 3.0 + 0.02 * np.arange(4), encoded(["u1", "u2"])
    header = {"recording_id": "aaaa", "unit_filtering": "selected_units", "dataset_version": "0.1.0"}
    tensors = {"window_timestamps": starts_s, "unit_ids": ids}
    known = truth(
        task=UNIT_TASKS["co_smoothing"],
        eid="aaaa",
        tensors=tensors | {"targets": np.zeros((4, 50, 2), np.uint8)},
        header=header,
    )
    write_archive(folder / "truth.zip", iter([known]))
    return prediction(
        label="neds",
        task=UNIT_TASKS["co_smoothing"],
        seed=43,
        tensors=tensors | {"predictions": np.zeros((4, 50, 2), np.float16)},
        header=header | {"context_window": "1.0", "bin_size": "0.02"},
    ), folder / "truth.zip"


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({}, ""),
        ({"predictions": np.zeros((4, 50, 2), np.float32)}, "predictions are float32"),
        ({"predictions": np.full((4, 50, 2), np.inf, np.float16)}, "400 predictions are not finite"),
        ({"window_timestamps": np.nextafter(3.0 + 0.02 * np.arange(4), 9)}, r"are missing \(4 of 4\)"),
        ({"window_timestamps": np.full(4, 3.0)}, "holds times twice"),
        ({"unit_ids": encoded(["u2", "u1"])}, "in another order"),
        ({"header": {"unit_filtering": "all_units"}}, "of this suite it must be selected_units"),
        ({"header": {"context_window": ""}}, "its header has no context_window"),
    ],
)
def test_what_the_server_would_refuse_of_co_smoothing_is_found_before(changes, fault, tmp_path):
    entry, known = unit_task_archives(tmp_path)
    header = dict(entry.header) | changes.pop("header", {})
    entry = replace(entry, tensors=dict(entry.tensors) | changes, header=header)
    write_archive(
        tmp_path / "all.zip",
        (replace(entry, path=entry.path.replace("43", str(s)), header=header | {"seed": str(s)}) for s in SEEDS),
    )
    faults = submission_faults(tmp_path / "all.zip", known)
    assert bool(faults) == bool(fault)
    assert not fault or any(pd.Series([line]).str.contains(fault).any() for line in faults), faults


def with_sheet(folder: Path, monkeypatch, *, changes: dict, examples: tuple[Path, ...] = (EXAMPLE,)) -> Plan:
    monkeypatch.chdir(folder)
    for name in ("units.tsv", "sheet.tsv"):
        Path(name).write_text("eid\trole\tpath\naaaa\ttest\ta.h5\nbbbb\ttrain\tb.h5\n")
    Path("mine.yaml").write_text(yaml.safe_dump(changes))
    loaded = load_config([*examples, Path("mine.yaml")])
    return Plan(loaded.config, loaded.sessions)


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"partition": {"split_intervals": {"test": ["ts1_test_domain"]}}}, "tested on ts2_test_domain"),
        (
            {"views": {"windows": {"align": "none", "window_start_s": 0.0, "window_end_s": 1.0}}},
            "of 1 s in task_aligned_intervals/domain",
        ),
        ({"modalities": ["spikes", "choice"]}, "one value per trial of choice"),
        ({"masking": {"weights": {"encoding": 1.0, "decoding": 1.0}}}, "the model that is submitted does none of its"),
        ({"evaluation": {"tasks": []}}, "name the tasks in evaluation.tasks or leave that out"),
        ({"modes": ["decoding"]}, "submit one of mode mm"),
        ({"benchmark": {"label": "ground_truth"}}, "ground_truth is the name of another file of a submission"),
    ],
)
def test_windows_that_the_benchmark_does_not_score_are_refused(changes, fault, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=fault):
        with_sheet(tmp_path, monkeypatch, changes=changes)


def test_one_configuration_may_have_all_suites(tmp_path, monkeypatch):
    plan = with_sheet(tmp_path, monkeypatch, changes={}, examples=(EXAMPLE.with_name("brain_wide_bench_all.yaml"),))
    rules = {step.rule for step in plan.steps}
    assert {"benchmark_decoding", "benchmark_unit_tasks", "benchmark_regions"} <= rules
    (joined,) = [step for step in plan.steps if step.rule == "benchmark_submission"]
    assert len(joined.inputs["parts"]) == 2 and len(joined.inputs["coverages"]) == 3
    (left_out,) = [step for step in plan.steps if step.rule == "left_out"]
    assert not any(line.startswith("submission to BrainWideBench") for line in left_out.values["messages"])


def test_suites_that_a_model_cannot_do_are_named(tmp_path, monkeypatch):
    plan = with_sheet(
        tmp_path, monkeypatch, changes={"masking": {"weights": {"encoding": 1.0, "units": 1.0}}, "regimes": ["scratch"]}
    )
    (left_out,) = [step for step in plan.steps if step.rule == "left_out"]
    lines = [line for line in left_out.values["messages"] if line.startswith("submission to BrainWideBench")]
    assert lines[-2].endswith("forecasting: left out; to have it, train an mm model with the masking scheme future")
    assert "regions: left out; to have it, submit a model that is fine-tuned" in lines[-1]
    assert not any("co_smoothing:" in line for line in lines)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Results of a whole run of the workflow on files in a bucket: one recording that is scored, one to pretrain on."""
    folder = tmp_path_factory.mktemp("units")
    for name, eid, seed in (("eval", "aaaa", 0), ("pretrain", "cccc", 1)):
        (folder / "files" / name).mkdir(parents=True)
        bench.write_recording(folder / "files" / name / f"{eid}.h5", seed=seed, pretrain=name == "pretrain")
    config = yaml.safe_load(EXAMPLE.read_text())
    config["partition"] |= {"min_trials": 5, "min_units": 2}
    # The silent unit has no embedding, and its region is no class.
    small = {"model": {"dim": 16, "layers": 1, "heads": 2, "mlp": 16}, "training": {"epochs": 1}, "baselines": []}
    with serving(folder) as server, pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL_S3", server.url)
        write_sheet(folder="s3://files", output=folder / "units.tsv", pretrain=True)
        printed = snakemake(folder, "benchmark", config=config | small | {"overrides": {}, "ensembles": False})
    (folder / "printed.txt").write_text(printed)
    return folder / "results_units"


@pytest.mark.slow
def test_the_workflow_makes_both_suites_and_every_score_is_ours(finished):
    scores = read_csv(finished / "tables/benchmark_wide.csv", dtype={"eid": str})
    of_files = scores[scores["eid"] != "all"]
    units = of_files[of_files["task"].isin(UNIT_TASKS.values())]
    assert len(units) == 2 * 2 * len(SEEDS) and units["value"].notna().all()
    regions = of_files[(of_files["task"] == REGION_TASK) & (of_files["metric"] == "macro/f1-score")]
    assert sorted(set(regions["label"])) == ["neds_multi", "neds_single"] and len(regions) == 2 * len(SEEDS)
    for table in (units, regions):
        np.testing.assert_allclose(table["value"], table["own"], atol=1e-5)
    coverage = read_csv(finished / "tables/benchmark_coverage.csv").set_index(["suite", "task", "seed"])
    assert coverage.loc[("ts2", "co_smoothing", 43), ["n_scored", "n_predicted", "n_filled"]].tolist() == [3, 2, 1]
    assert coverage.loc[("ts2", "forecasting", 43), ["n_scored", "n_filled"]].tolist() == [bench.N_UNITS, 1]


@pytest.mark.slow
def test_the_run_ends_with_scores_what_is_missing_and_where_the_zips_are(finished):
    printed = (finished.parent / "printed.txt").read_text()
    said = printed[printed.index("Submission neds to BrainWideBench") :].splitlines()
    scores = [line.split(":")[0].strip() for line in said[1:5]]
    assert scores == [
        *(f"neds, {task}" for task in UNIT_TASKS.values()),
        *(f"neds_{scope}, {REGION_TASK}" for scope in ("multi", "single")),
    ]
    assert "  filled with a mean, as no model predicts them: 3 of 9 units of ts2, co_smoothing" in said
    assert any("regions: no unit that was pretrained on is in " in line for line in said)
    assert any(line.startswith("  not complete: 29 of the benchmark's 29 sessions are no") for line in said)
    zips = ", ".join(f"results_units/benchmark/neds{scope}.zip" for scope in ("", "_single", "_multi"))
    assert f"Zips: {zips}" in said
    for name in ("tables/sessions.csv", "figures/left_out.txt"):
        assert (finished / name).is_file()


@pytest.mark.slow
def test_files_of_co_smoothing_and_forecasting_have_the_benchmarks_layout(finished):
    entries = {entry.path: entry for entry in read_archive(finished / "benchmark/neds.zip")}
    assert sorted(entries) == sorted(
        f"neds/{task}/aaaa/seed_{seed}.safetensors" for task in UNIT_TASKS.values() for seed in SEEDS
    )
    hidden, later = (entries[f"neds/{task}/aaaa/seed_43.safetensors"] for task in UNIT_TASKS.values())
    assert hidden.header | {"task": ""} == {
        **{"label": "neds", "task": "", "seed": "43", "recording_id": "aaaa", "ibl_bwb_eval_version": "0.1.0"},
        **{"unit_filtering": "selected_units", "dataset_version": "0.1.0", "context_window": "1.0", "bin_size": "0.02"},
    }
    n_windows = len(hidden.tensors["window_timestamps"])
    assert hidden.tensors["predictions"].shape == (n_windows, 50, len(bench.HELD_OUT))
    assert later.tensors["predictions"].shape == (n_windows, 5, bench.N_UNITS)
    assert later.tensors["unit_ids"].shape == (bench.N_UNITS, 36)
    assert {entry.tensors["predictions"].dtype for entry in (hidden, later)} == {np.dtype(np.float16)}
    # A unit without a spike in the training windows has one rate everywhere, that of half a spike in all of them.
    silent = np.unique(hidden.tensors["predictions"][..., -1])
    assert len(silent) == 1 and silent[0] < -8
    assert len(np.unique(hidden.tensors["predictions"][..., 0])) > 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "place, values, fault",
    [
        ("units/ts2_co_smoothing_is_held_out_test", [False] * bench.N_UNITS, "true for a unit"),
        ("units/ts2_co_smoothing_is_held_out_test", [b"False"] * bench.N_UNITS, "must be truth values"),
        ("units/id", [f"unit {number}" for number in range(bench.N_UNITS)], "it was replaced; delete the file aaaa.h5"),
    ],
)
def test_a_recording_that_its_models_do_not_fit_is_one_line(place, values, fault, finished, tmp_path):
    recording = tmp_path / "aaaa.h5"
    shutil.copy(finished.parent / "files/eval/aaaa.h5", recording)
    changed(recording, place, values)
    with pytest.raises(UserError, match=fault):
        submit_unit_tasks(
            recording=recording,
            aligned=finished / "aligned/aaaa_windows.h5",
            checkpoints=[finished / "models/aaaa_windows/mm-finetuned-all/seed43/best.safetensors"],
            settings=UnitTasksSubmission(
                label="neds", eid="aaaa", view="windows", tasks=["co_smoothing"], seeds=list(SEEDS[:1])
            ),
            **{name: tmp_path / name for name in ("submission", "ground_truth", "coverage", "scores")},
        )


@pytest.mark.slow
def test_held_out_spikes_enter_no_prediction_of_them(finished, tmp_path):
    recording = tmp_path / "aaaa.h5"
    shutil.copy(finished.parent / "files/eval/aaaa.h5", recording)
    with h5py.File(recording, "r+") as handle:
        units = handle["spikes/unit_index"][:]
        handle["spikes/unit_index"][:] = np.where(np.isin(units, bench.HELD_OUT), -1, units)
    submit_unit_tasks(
        recording=recording,
        aligned=finished / "aligned/aaaa_windows.h5",
        checkpoints=[finished / f"models/aaaa_windows/mm-finetuned-all/seed{seed}/best.safetensors" for seed in SEEDS],
        settings=UnitTasksSubmission(
            label="neds", eid="aaaa", view="windows", tasks=["co_smoothing"], seeds=list(SEEDS)
        ),
        **{name: tmp_path / name for name in ("submission", "ground_truth", "coverage", "scores")},
    )
    whole = {entry.path: entry.tensors["predictions"] for entry in read_archive(finished / "benchmark/neds.zip")}
    for entry in read_archive(tmp_path / "submission"):
        np.testing.assert_array_equal(entry.tensors["predictions"], whole[entry.path])
    (known,) = read_archive(tmp_path / "ground_truth")
    assert not known.tensors["targets"].any()
