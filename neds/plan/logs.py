"""Where the log of each job is, and Snakemake's record of its time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neds.plan.step import Step

if TYPE_CHECKING:
    from neds.plan.plan import Plan

LOGS = {
    "synthesize": "logs/synthesize/{eid}.log",
    "download_alf": "logs/download/{eid}.log",
    "download_one": "logs/download/{eid}.log",
    "convert": "logs/download/{eid}.log",
    "import_arrays": "logs/partition/{eid}.log",
    "partition": "logs/partition/{eid}.log",
    "sessions_table": "logs/sessions_table.log",
    "tune_pretrain": "logs/tune/{pretraining_set}-{mode}.log",
    "pretrain": "logs/pretrain/{pretraining_set}-{mode}-seed{seed}.log",
    "tune_scratch": "logs/tune/{eid}-{mode}-scratch.log",
    "train_from_scratch": "logs/scratch/{eid}-{mode}-{training}-seed{seed}.log",
    "tune_finetune": "logs/tune/{eid}-{mode}-finetuned-{pretraining_set}.log",
    "finetune": "logs/finetune/{eid}-{mode}-{training}-seed{seed}.log",
    "train_variant": "logs/variants/{eid}-{mode}-{training}-seed{seed}.log",
    "pretrain_baseline": "logs/baselines/pretrain-{baseline}.log",
    "baseline": "logs/baselines/{eid}-{baseline}.log",
    "network_baseline": "logs/baselines/{eid}-{baseline}.log",
    "evaluate": "logs/evaluate/{eid}-{mode}-{training}-seed{seed}.log",
    "ensemble": "logs/evaluate/{eid}-{mode}-{training}.log",
    "metrics_table": "logs/metrics_table.log",
    "ablation_metrics": "logs/tables/ablations.log",
    "unit_embeddings": "logs/embeddings/{eid}-{mode}-{training}-seed{seed}.log",
    "unit_embeddings_of_pretrained": "logs/embeddings/pretrained-{pretraining_set}-{mode}-seed{seed}.log",
    "classify_regions": "logs/classify_regions.log",
    "map_units": "logs/map_units.log",
    "benchmark_decoding": "logs/benchmark/ts1-{eid}.log",
    "benchmark_unit_tasks": "logs/benchmark/ts2-{eid}.log",
    "benchmark_region_units": "logs/benchmark/ts3-{eid}.log",
    "benchmark_regions": "logs/benchmark/ts3.log",
    "benchmark_submission": "logs/benchmark/submission.log",
    "benchmark_scores": "logs/benchmark/scores.log",
    "figure": "logs/figures/{figure}.log",
    "session_figure": "logs/figures/{eid}-{figure}.log",
    "learning_figure": "logs/figures/learning/{mode}-{stage}.log",
    "search_figure": "logs/figures/tuning/{search}.log",
    "left_out": "logs/figures/left_out.log",
    "table": "logs/tables/{table}.log",
    "configuration_table": "logs/tables/configuration.log",
    "software_table": "logs/tables/software.log",
    "table_page": "logs/tables/{table}-page.log",
}
"""Path of the log of each rule's jobs below the folder of results, with their wildcards in braces; in the order of the
workflow."""


def log_of(plan: Plan, step: Step) -> str | None:
    """Path of a job's log; None where its rule's is not known."""
    pattern = LOGS.get(step.rule)
    return plan.path(pattern.format(**step.wildcards)) if pattern else None


def workflow_order(rule: str) -> int:
    """A rank by which rules come in the order of the workflow, those that are not known last."""
    return [*LOGS, rule].index(rule)


def times_of(rule: str) -> str:
    """Path of Snakemake's record of the time of each of a rule's jobs, below its folder, with their wildcards in braces."""
    return LOGS[rule].removeprefix("logs/").removesuffix(".log") + ".tsv"
