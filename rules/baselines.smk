rule baseline:
    input:
        unpack(baseline_inputs),
    output:
        metrics=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/metrics.csv",
        units=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/units.parquet",
        predictions=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/predictions.h5",
    log:
        f"{RESULTS}/logs/baselines/{{eid}}-{{baseline}}.log",
    conda:
        "../envs/neds.yaml"
    params:
        truth=truth_argument,
        others=others_argument,
        code=code_digest("neds.baselines.stage"),
    shell:
        "python -m workflow_scripts.baseline --name {wildcards.baseline} --aligned {input.aligned} {params.truth}"
        " {params.others} --metrics {output.metrics} --units {output.units} --predictions {output.predictions} 2>&1 | tee {log}"


rule baselines:
    input:
        evaluated("metrics.csv", CONFIG.baselines_in_use(SESSIONS)),
