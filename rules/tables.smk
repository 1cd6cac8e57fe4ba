rule table_benchmark:
    input:
        metrics=f"{RESULTS}/tables/metrics.csv",
    output:
        **table_files("benchmark"),
    log:
        f"{RESULTS}/logs/tables/benchmark.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=drawing(models=CATALOGUE.tabulated()),
        stem=table_stem,
        code=code_digest("neds.tables.benchmark"),
    shell:
        "python -m workflow_scripts.table_benchmark --metrics {input.metrics} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule table_encoding_inputs:
    input:
        metrics=f"{RESULTS}/tables/metrics.csv",
    output:
        **table_files("encoding_inputs"),
    log:
        f"{RESULTS}/logs/tables/encoding_inputs.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=drawing(models=CATALOGUE.drawn("encoding")),
        stem=table_stem,
        code=code_digest("neds.tables.encoding_inputs"),
    shell:
        "python -m workflow_scripts.table_encoding_inputs --metrics {input.metrics} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


# The scores of every evaluation are targets too, so that one that was deleted is made again.
rule tables:
    input:
        evaluated("metrics.csv", evaluated_models()),
        rules.sessions_table.output,
        rules.metrics_table.output,
        tables_in_use(),
        ablation_targets(),
