"""The table of what models cost: from a real network's file and records as Snakemake writes them; and from which jobs."""

import math
import re
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from neds.baselines.registry import baselines, module_of
from neds.evaluation.results import METRIC_COLUMNS
from neds.figures.drawing import BudgetPart, BudgetsDrawing, ModelBudget
from neds.files.aligned import write_aligned
from neds.files.atomic import write_csv
from neds.model.checkpoint import load_network
from neds.plan.budgets import budget_values
from neds.plan.logs import times_of
from neds.tables.budgets import tabulate_budgets
from neds.training.stage import run_training
from tests.aligned_sessions import make_session
from tests.test_damaged_files import RUN
from tests.test_model_tables import rows_of
from tests.test_plan import ROOT, plan

HEADS = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def record(folder: Path, name: str, *, wall_s: float, cpu_s: float | str) -> None:
    """A job's times as Snakemake writes them."""
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(f"{HEADS}{wall_s}\t0:00:01\t1\t1\t1\t1\t0\t0\t50\t{cpu_s}\n")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    write_aligned(folder / "s0.h5", make_session("s0", n_trials=20))
    run = RUN.model_copy(update={"training": RUN.training.model_copy(update={"epochs": 1})})
    files = {name: folder / name for name in ("best", "last", "log_csv")}
    run_training(run=run, aligned=[folder / "s0.h5"], **files)
    return files["best"]


def test_costs_are_summed_over_searches_and_averaged_over_seeds_and_sessions(checkpoint, tmp_path):
    label = "neds-mm-finetuned-all"
    parts = [
        BudgetPart(column="search", times=["tune/all-mm.tsv"]),
        BudgetPart(column="search", times=["tune/{eid}.tsv"]),
        BudgetPart(column="pretraining", times=["pretrain/{seed}.tsv"]),
        BudgetPart(column="training", times=["finetune/{eid}-{seed}.tsv"]),
    ]
    budgets = [
        ModelBudget(model="linear", parts=[BudgetPart(column="training", times=["{eid}.tsv"])], candidates=9),
        ModelBudget(model=label, parts=parts, trials=80),
        ModelBudget(model=f"{label}-ensemble", parts=parts, trials=80, members=2),
        ModelBudget(model="rrr", parts=[]),
    ]
    times = tmp_path / "benchmarks"
    record(times, "s0.tsv", wall_s=2, cpu_s="NA")
    record(times, "tune/all-mm.tsv", wall_s=100, cpu_s=150)
    for eid, search in (("s0", 10), ("s1", 30)):
        record(times, f"tune/{eid}.tsv", wall_s=search, cpu_s=search)
        for seed in (0, 1):
            record(times, f"finetune/{eid}-{seed}.tsv", wall_s=search + seed, cpu_s=1)
    record(times, "pretrain/0.tsv", wall_s=40, cpu_s=50)
    metrics = [
        rows_of(name, [0.1, 0.2], training=training) for name, training in (("linear", ""), ("neds-mm", label[8:]))
    ]
    metrics.append(rows_of("neds-mm", [0.1, 0.2], training=f"{label[8:]}-ensemble"))
    write_csv(tmp_path / "metrics.csv", pd.concat(metrics).reindex(columns=METRIC_COLUMNS))
    tabulate_budgets(
        metrics=tmp_path / "metrics.csv",
        settings=BudgetsDrawing(budgets=budgets, seeds=[0, 1], models=[label]),
        output=tmp_path / "budgets",
        checkpoints=[checkpoint],
        times=times,
    )
    table = pd.read_csv(tmp_path / "budgets.csv").set_index("model")
    linear, ours, ensemble = (table.loc[name] for name in table.index)
    assert linear["validation: candidates"] == 9
    assert (linear["training: wall (s)"], linear["training: wall (s), n"]) == (2, 1), "the other session has no record"
    assert pd.isna(linear["training: CPU (s)"]), "Snakemake has not measured it"
    n_parameters = sum(parameter.numel() for parameter in load_network(checkpoint)[0].parameters())
    assert ours["parameters: all (M)"] == pytest.approx(n_parameters / 1e6)
    assert 0 < ours["parameters: shared (M)"] < ours["parameters: all (M)"]
    assert (ours["search: trials"], ours["search: wall (s)"], ours["search: CPU (s)"]) == (80, 120, 170)
    assert ours["training: wall (s)"] == pytest.approx((10 + 11 + 30 + 31) / 4)
    assert ours["training: wall (s), s.e.m."] == pytest.approx(10)
    assert not any("pretraining" in column for column in table), "no mean is of one of two seeds"
    assert ensemble["training: wall (s)"] == 2 * ours["training: wall (s)"], "each of its members was trained"
    assert ensemble["search: wall (s)"] == ours["search: wall (s)"], "one search serves all seeds"
    assert "cpu (1)" in (tmp_path / "budgets.md").read_text()


def test_without_records_cells_are_empty(tmp_path):
    budgets = [ModelBudget(model="linear", parts=[BudgetPart(column="training", times=["{eid}.tsv"])], candidates=9)]
    write_csv(tmp_path / "metrics.csv", rows_of("linear", [0.1]).reindex(columns=METRIC_COLUMNS))
    settings = BudgetsDrawing(budgets=budgets, seeds=[0])
    tabulate_budgets(
        metrics=tmp_path / "metrics.csv", settings=settings, output=tmp_path / "b", times=tmp_path / "benchmarks"
    )
    assert list(pd.read_csv(tmp_path / "b.csv")) == [
        "model", "validation: candidates", "validation: candidates, s.e.m.", "validation: candidates, n",
    ]  # fmt: skip


def test_jobs_of_a_model_are_those_that_the_rules_time():
    found = plan(
        seeds=[0, 1], baselines=["psth", "ndt2-multi"], tune={"stages": ["pretrain", "finetuned"], "n_trials": 5}
    )
    step = found.step("table", {"table": "budgets"})
    budgets = {each["model"]: each for each in budget_values(found, {})["settings"]["budgets"]}
    ours = budgets["neds-mm-finetuned-all-ensemble"]
    assert [(part["column"], part["times"]) for part in ours["parts"]] == [
        ("search", ["tune/all-mm.tsv"]),
        ("search", ["tune/{eid}-mm-finetuned-all.tsv"]),
        ("pretraining", ["pretrain/all-mm-seed{seed}.tsv"]),
        ("training", ["finetune/{eid}-mm-finetuned-all-seed{seed}.tsv"]),
    ]
    assert (ours["trials"], ours["members"]) == (5 + 30, 2)
    assert budgets["neds-mm-scratch"]["trials"] is None
    multi = [part["times"] for part in budgets["ndt2-multi"]["parts"]]
    assert multi == [["baselines/pretrain-ndt2-multi.tsv"], ["baselines/{eid}-ndt2-multi.tsv"]]
    assert not [path for path in step.read if "benchmarks" in path], "times make nothing stale"
    assert step.operational == {"times": "results/benchmarks"}


def test_rules_write_times_where_the_table_looks():
    timed = re.compile(r'^rule (\w+):(?:(?!^rule ).)*?benchmark:\s+f"\{RESULTS\}/benchmarks/([^"]+)"', re.M | re.S)
    text = "\n".join((ROOT / "rules" / f"{name}.smk").read_text() for name in ("training", "tuning", "evaluation"))
    rules = {rule: path.replace("{{", "{").replace("}}", "}") for rule, path in timed.findall(text)}
    assert {"pretrain", "finetune", "train_from_scratch", "tune_finetune", "baseline", "pretrain_baseline"} <= set(
        rules
    )
    assert rules == {rule: times_of(rule) for rule in rules}


@pytest.mark.parametrize("name", ["linear", "glm", "mlp", "rrr", "psth"])
def test_candidates_of_a_baseline_are_the_points_of_its_grid(name):
    module = import_module(f"neds.baselines.{module_of(name)}")
    axes = {"rrr": ["_PENALTIES", "_RANKS"], "psth": ["_SMOOTHING_BINS", "_SHRINKAGE_TRIALS"]}.get(name, ["_PENALTIES"])
    assert baselines()[name].candidates == math.prod(len(getattr(module, axis)) for axis in axes)
    assert baselines()["rrr-multi"].candidates == baselines()["rrr"].candidates
