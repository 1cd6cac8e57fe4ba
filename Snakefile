from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"
include: "rules/download.smk"
include: "rules/partition.smk"
include: "rules/tune.smk"
include: "rules/pretrain.smk"
include: "rules/finetune.smk"
include: "rules/baselines.smk"
include: "rules/evaluate.smk"
include: "rules/overview.smk"
include: "rules/regions.smk"
include: "rules/ablations.smk"
include: "rules/report.smk"
include: "rules/tables.smk"
include: "rules/session_figures.smk"
include: "rules/figures.smk"
include: "rules/failures.smk"


report: "rules/captions/report.rst"


onstart:
    log_left_out()


rule all:
    default_target: True
    input:
        rules.sessions.input,
        rules.models.input,
        rules.tables.input,
        rules.figures.input,
        rules.pages.input,


onerror:
    report_failures()
