from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"
include: "rules/sessions.smk"
include: "rules/tuning.smk"
include: "rules/training.smk"
include: "rules/evaluation.smk"
include: "rules/benchmark.smk"
include: "rules/figures.smk"
include: "rules/tables.smk"
include: "rules/targets.smk"


rule all:
    """Everything (the default)."""
    default_target: True
    input:
        PLAN.targets("sessions", "models", "tables", "figures", "benchmark", "pages"),


report: "rules/captions/report.rst"


onstart:
    begin()


onsuccess:
    end()
    report_sessions()
    report_scores(log)


onerror:
    end()
    report_failures()
