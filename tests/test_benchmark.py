"""From files in the layout of BrainWideBench to a submission that IBL's own scorer scores as we do."""

import shlex
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from torch_brain.data import Data
from torch_brain.samplers import TrialSampler

from neds.benchmark.archive import read_archive, write_archive
from neds.benchmark.check import submission_faults
from neds.benchmark.leak import refuse_leak
from neds.benchmark.protocol import TASKS, evaluation_sessions
from neds.benchmark.recording import opened
from neds.benchmark.sheet import write_sheet
from neds.commands.cli import main
from neds.config.load import load_config
from neds.errors import UserError
from neds.files.tables import read_csv
from neds.model.checkpoint import Checkpoint, write_checkpoint
from neds.plan.plan import Plan
from neds.plan.step import Step, options
from tests import brain_wide_bench as bench

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs/examples/brain_wide_bench.yaml"
TINY = {
    "model": {"dim": 16, "layers": 1, "heads": 2, "mlp": 16},
    "training": {"epochs": 1},
    "partition": {"min_trials": 5, "min_units": 2},
    "baselines": [],
}
RUN = ("convert", "partition", "train_from_scratch", "evaluate", "ensemble", "metrics_table")
SUBMITTED = ("benchmark_decoding", "benchmark_submission", "benchmark_scores")


def run(step: Step) -> int | str:
    """A job of the plan as its rule calls it; its exit status."""
    named = {name: list(paths) for name, paths in step.inputs.items()} | dict(step.outputs)
    words = shlex.split(f"{options(named)} {options(step.values)}")
    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(SystemExit) as ended:
        monkeypatch.setattr(sys, "argv", ["neds", step.command, *words])
        main()
    return ended.value.code or 0


@pytest.fixture(scope="module")
def submitted(tmp_path_factory) -> tuple[Path, Plan]:
    """Two recordings with three models of each view, and all of their submission."""
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "files/eval").mkdir(parents=True)
    for seed, eid in enumerate(("aaaa", "bbbb")):
        bench.write_recording(folder / "files/eval" / f"{eid}.h5", seed=seed)
    told = write_sheet(folder=folder / "files", output=folder / "sheet.tsv")
    assert told.endswith("2 sessions of role test; 29 of the benchmark's 29 are not there")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        loaded = load_config([EXAMPLE, folder / "tiny.yaml"])
        plan = Plan(loaded.config, loaded.sessions)
        for step in plan.steps:
            if step.rule in (*RUN, *SUBMITTED):
                assert run(step) == 0, step.title
    return folder, plan


@pytest.mark.slow
def test_every_score_of_the_scorer_is_ours(submitted):
    folder, _ = submitted
    scores = read_csv(folder / "results/tables/benchmark_wide.csv")
    assert set(scores["label"]) == {"neds"} and set(scores["task"]) == {task.id for task in TASKS.values()}
    of_files = scores[scores["eid"] != "all"]
    primary = of_files[[TASKS[row.task[4:]].metric == row.metric for row in of_files.itertuples()]]
    assert len(primary) == 2 * 3 * len(TASKS)
    np.testing.assert_allclose(primary["value"], primary["own"], atol=1e-5)
    assert set(primary["seed"]) == {43, 44, 45}
    means = scores[scores["eid"] == "all"]
    clipped = primary.assign(value=primary["value"].clip(lower=0)).groupby(["task", "seed"])["value"].mean()
    shown = means.set_index(["task", "metric"])["value"]
    for task in TASKS.values():
        if task.metric != "bacc":
            assert shown[task.id, task.metric] == pytest.approx(clipped[task.id].mean(), abs=1e-6)
    coverage = read_csv(folder / "results/tables/benchmark_coverage.csv")
    assert (coverage["n_predicted"] == coverage["n_scored"]).all() and not coverage["n_filled"].any()


@pytest.mark.slow
def test_the_truth_is_that_of_torch_brain(submitted):
    """As the benchmark's own data set takes it: a slice of each of the intervals in common."""
    folder, _ = submitted
    truths = {entry.path: entry for entry in read_archive(folder / "results/benchmark/ground_truth.zip")}
    assert len(truths) == 2 * len(TASKS)
    for eid in ("aaaa", "bbbb"):
        with h5py.File(folder / "files/eval" / f"{eid}.h5") as handle:
            data = Data.from_hdf5(handle)
            for task in TASKS.values():
                own = truths[f"{task.id}/{eid}/ground_truth.safetensors"].tensors
                expected = scored_by_torch_brain(data, task)
                assert own["trial_id"].tolist() == [trial for trial, *_ in expected]
                for row, (_, values, known) in enumerate(expected):
                    np.testing.assert_allclose(own["values"][row].reshape(-1), values, rtol=1e-5, atol=1e-6)
                    if known is not None:
                        np.testing.assert_array_equal(own["mask"][row], known)


def scored_by_torch_brain(data: Data, task) -> list[tuple[int, np.ndarray, np.ndarray | None]]:
    """Trial, values and which of them count."""
    place = task.interval.replace("/", ".")
    window = data.get_nested_attribute(place)
    if task.known:
        counts = data.get_nested_attribute(f"{place}.num_{task.known.partition('/')[2].removeprefix('is_')}")
        window = window.select_by_mask(counts[:] > 0)
    intervals = data.task_aligned_intervals.domain & data.ts1_test_domain & window
    intervals = intervals & (getattr(data, task.series).domain if task.series else window)
    found = []
    for index in TrialSampler(sampling_intervals={"one": intervals}):
        inside = data.slice(index.start, index.end)
        trial = inside.get_nested_attribute(f"{place}.trial_index")[:]
        assert len(trial) == 1
        values = inside.get_nested_attribute(task.values.replace("/", "."))[:]
        if task.normalised:
            scale = data.get_nested_attribute(task.normalised.replace("/", "."))
            values = (values - scale.mean) / scale.std
        if task.kind == "log_counts":
            values = np.round(values / 50.0)
        known = inside.get_nested_attribute(task.known.replace("/", "."))[:] if task.known else None
        found.append((int(trial[0]), values, known))
    return found


@pytest.mark.slow
def test_the_zip_has_the_benchmarks_layout(submitted):
    folder, _ = submitted
    path = folder / "results/benchmark/neds.zip"
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == sorted(
            f"neds/{task.id}/{eid}/seed_{seed}.safetensors"
            for task in TASKS.values()
            for eid in ("aaaa", "bbbb")
            for seed in (43, 44, 45)
        )
    entries = {entry.path: entry for entry in read_archive(path)}
    choice = entries["neds/ts1-choice/aaaa/seed_43.safetensors"]
    assert choice.header == {
        "label": "neds",
        "task": "ts1-choice",
        "seed": "43",
        "recording_id": "aaaa",
        "ibl_bwb_eval_version": "0.1.0",
        "unit_filtering": "selected_units",
        "dataset_version": "0.1.0",
    }
    n_trials = len(choice.tensors["trial_id"])
    assert choice.tensors["predictions"].shape == (n_trials, 1, 2) and choice.tensors["trial_id"].dtype == np.int64
    wheel = entries["neds/ts1-wheel_speed/aaaa/seed_43.safetensors"].tensors
    # The wheel ended before the last trial.
    assert wheel["predictions"].shape == (n_trials - 1, 50, 1) and wheel["predictions"].dtype == np.float32
    assert wheel["timestamps"].shape == (n_trials - 1, 50) and (wheel["timestamps"] < 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "spoil, fault",
    [
        (lambda e: replace(e, tensors={k: v[1:] for k, v in e.tensors.items()}), "trials .* are missing"),
        (
            lambda e: replace(e, tensors=e.tensors | {"predictions": e.tensors["predictions"] * np.nan}),
            "are not finite",
        ),
        (
            lambda e: replace(e, tensors=e.tensors | {"predictions": e.tensors["predictions"][..., :1]}),
            "predictions are",
        ),
        (lambda e: replace(e, header=dict(e.header) | {"label": "other"}), "its header says label 'other'"),
        (lambda e: replace(e, header=dict(e.header) | {"unit_filtering": "mine"}), "unit_filtering is mine"),
        (lambda e: replace(e, path=e.path.replace("seed_45", "seed_47")), "do not follow|its header says seed"),
        (lambda e: replace(e, path="notes.md"), "notes.md: no file of a submission"),
        (lambda e: replace(e, path=e.path.replace("neds/", "two/", 1)), "2 labels; a submission has one"),
    ],
)
def test_what_the_server_would_refuse_is_found_before(spoil, fault, submitted, tmp_path):
    folder, _ = submitted
    truth = folder / "results/benchmark/ground_truth.zip"
    entries = list(read_archive(folder / "results/benchmark/neds.zip"))
    at = next(i for i, entry in enumerate(entries) if entry.path == "neds/ts1-choice/aaaa/seed_45.safetensors")
    entries[at] = spoil(entries[at])
    write_archive(tmp_path / "spoilt.zip", iter(entries))
    faults = submission_faults(tmp_path / "spoilt.zip", truth)
    assert any(pd.Series([line]).str.contains(fault).any() for line in faults), faults


@pytest.mark.slow
def test_a_trial_that_is_missing_is_refused_or_filled_and_counted(submitted, tmp_path, capsys):
    folder, plan = submitted
    step = next(step for step in plan.steps if step.rule == "benchmark_decoding" and step.wildcards["eid"] == "aaaa")
    cut = next(step for step in plan.steps if step.rule == "partition" and step.wildcards["eid"] == "aaaa_choice")
    # Cut by another rule, the test trials are fewer.
    pytest.MonkeyPatch().chdir(folder)
    assert cut.outputs["output"] in step.inputs["aligned"]
    with h5py.File(cut.outputs["output"], "r+") as handle:
        row = np.flatnonzero(handle["split"][:] == 2)[0]
        original = int(handle["trials/original_index"][row])
        handle["trials/original_index"][row] = 1000
    try:
        assert "of which 1 trial" in str(run(step)) and f"({original})" in str(run(step))
        settings = dict(step.values["settings"]) | {"missing": "mean"}
        outputs = {name: str(tmp_path / Path(path).name) for name, path in step.outputs.items()}
        assert run(replace(step, values={"settings": settings}, outputs=outputs)) == 0
        coverage = read_csv(tmp_path / "coverage.csv")
        assert coverage.loc[coverage["task"] == "choice", "n_filled"].tolist() == [1, 1, 1]
        assert not coverage.loc[coverage["task"] != "choice", "n_filled"].any()
    finally:
        with h5py.File(cut.outputs["output"], "r+") as handle:
            handle["trials/original_index"][row] = original


def test_a_model_that_was_pretrained_on_an_evaluation_session_is_refused(tmp_path):
    listed = "0802ced5-33a3-405e-8336-b65ebc5cb07c"
    assert listed in evaluation_sessions() and len(evaluation_sessions()) == 29
    path = tmp_path / "best.safetensors"
    for seen, leaks in ((f"{listed}_choice", True), ("mine_choice", True), ("other_choice", False)):
        write_checkpoint(path, Checkpoint(skipped="a test", record={"trained_before": {seen: ["0"]}}), {})
        if leaks:
            with pytest.raises(UserError, match="which the benchmark evaluates"):
                refuse_leak(path, "mine", ["choice"])
        else:
            refuse_leak(path, "mine", ["choice"])


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"seeds": [43, 45, 46]}, "seeds: BrainWideBench takes 3 seeds or more that follow one another"),
        ({"benchmark": {"label": "neds", "model": "neds-mm-finetuned-all"}}, "benchmark.model: .* is no model of this"),
        ({"partition": {"trace_values": "interpolated"}}, "trace_values: the benchmark scores samples"),
        ({"partition": {"split": "random"}}, "the benchmark tests on ts1_test_domain"),
        ({"views": {}}, "views: none has the window of a task"),
        (
            {"regimes": ["finetuned"]},
            "0802ced5-33a3-405e-8336-b65ebc5cb07c of role train: BrainWideBench evaluates them",
        ),
    ],
)
def test_a_configuration_that_makes_no_submission_is_refused(changes, fault, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sheet.tsv").write_text(
        "eid\trole\tpath\naaaa\ttest\ta.h5\n0802ced5-33a3-405e-8336-b65ebc5cb07c\ttrain\tb.h5\n"
    )
    Path("mine.yaml").write_text(yaml.safe_dump(changes))
    with pytest.raises(UserError, match=fault):
        load_config([EXAMPLE, Path("mine.yaml")])


def test_tasks_without_a_view_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sheet.tsv").write_text("eid\trole\tpath\naaaa\ttest\ta.h5\n")
    views = {"choice": yaml.safe_load(EXAMPLE.read_text())["views"]["choice"]}
    Path("mine.yaml").write_text(yaml.safe_dump({"views": views, "modalities": ["spikes", "choice"]}))
    loaded = load_config([EXAMPLE, Path("mine.yaml")])
    plan = Plan(loaded.config, loaded.sessions)
    (left_out,) = [step for step in plan.steps if step.rule == "left_out"]
    lines = [line for line in left_out.values["messages"] if line.startswith("submission to BrainWideBench")]
    assert len(lines) == 7 + 2 + 1
    assert lines[0].startswith(
        "submission to BrainWideBench, reward: left out; to have it, add a view of reward around"
    )


def test_a_file_that_is_none_of_the_benchmarks_is_one_line(tmp_path):
    path = bench.write_recording(tmp_path / "aaaa.h5", seed=0)
    with h5py.File(path, "r+") as handle:
        handle["brainset"].attrs["unit_filtering"] = "whatever"
    with pytest.raises(UserError, match="says no unit_filtering of all_units"), opened(path):
        pass
    pretrained = bench.write_recording(tmp_path / "bbbb.h5", seed=0, pretrain=True)
    with pytest.raises(UserError, match="the file has no ts1_test_domain/start"), opened(pretrained) as recording:
        recording.scored(TASKS["choice"])
