# All checkpoints are targets, like the aligned files, so that one that was deleted is made again.
rule models:
    input:
        checkpoints(),


rule evaluate:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        checkpoint=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/best.safetensors",
    output:
        metrics=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}-seed{{seed}}/metrics.csv",
        units=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}-seed{{seed}}/units.parquet",
        predictions=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}-seed{{seed}}/predictions.h5",
    log:
        f"{RESULTS}/logs/evaluate/{{eid}}-{{mode}}-{{training}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{eid}}-{{mode}}-{{training}}-seed{{seed}}.tsv"
    conda:
        "../envs/neds.yaml"
    params:
        code=code_digest("neds.evaluation.stage"),
    shell:
        "python -m workflow_scripts.evaluate --aligned {input.aligned} --checkpoint {input.checkpoint}"
        " --model neds-{wildcards.mode} --training {wildcards.training} --seed {wildcards.seed}"
        " --metrics {output.metrics} --units {output.units} --predictions {output.predictions} 2>&1 | tee {log}"


rule metrics_table:
    input:
        metrics=evaluated("metrics.csv", evaluated_models()),
    output:
        f"{RESULTS}/tables/metrics.csv",
    log:
        f"{RESULTS}/logs/metrics_table.log",
    conda:
        "../envs/neds.yaml"
    params:
        code=code_digest("neds.evaluation.tables"),
    shell:
        "python -m workflow_scripts.metrics_table --metrics {input.metrics} --output {output} 2>&1 | tee {log}"
