# Variants of the multimodal model, with one thing changed (docs/regions_and_ablations.md).
include: "ablation_inputs.smk"


rule train_variant:
    input:
        **tuned_input("scratch"),
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
    output:
        best=f"{RESULTS}/models/{{eid}}/{{mode}}-scratch-{{variant}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/{{eid}}/{{mode}}-scratch-{{variant}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/{{eid}}/{{mode}}-scratch-{{variant}}/seed{{seed}}/log.csv",
    log:
        f"{RESULTS}/logs/variants/{{eid}}-{{mode}}-{{variant}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/variants/{{eid}}-{{mode}}-{{variant}}-seed{{seed}}.tsv"
    conda:
        "../envs/neds.yaml"
    params:
        settings=variant_settings,
        changes=variant_changes,
        code=variant_code(),
    shell:
        "python -m workflow_scripts.train --aligned {input.aligned} --best {output.best} --last {output.last}"
        " --log-csv {output.log_csv}"
        " --description 'training {wildcards.mode} {wildcards.variant} on {wildcards.eid}, seed {wildcards.seed}'"
        f"{tuned_option('scratch')}"
        " --changes {params.changes:q} --settings {params.settings:q} 2>&1 | tee {log}"


rule ablation_metrics:
    input:
        metrics=variant_evaluations(),
    output:
        f"{RESULTS}/tables/ablations.csv",
    log:
        f"{RESULTS}/logs/tables/ablations.log",
    conda:
        "../envs/neds.yaml"
    params:
        code=code_digest("neds.evaluation.tables"),
    shell:
        "python -m workflow_scripts.metrics_table --metrics {input.metrics} --output {output} 2>&1 | tee {log}"


rule table_ablation:
    input:
        metrics=f"{RESULTS}/tables/ablations.csv",
        checkpoints=ablation_checkpoints,
    output:
        **ablation_files(),
    log:
        f"{RESULTS}/logs/tables/ablation_{{ablation}}.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=ablation_settings,
        trainings=ablation_trainings,
        stem=table_stem,
        code=code_digest("neds.tables.ablation"),
    shell:
        "python -m workflow_scripts.table_ablation --metrics {input.metrics} --checkpoints {input.checkpoints}"
        " --trainings {params.trainings} --output {params.stem} --settings {params.settings:q} 2>&1 | tee {log}"


rule ablations:
    input:
        ablation_targets(),
