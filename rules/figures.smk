# Every figure is a rule of its own. A figure of all sessions is drawn from the scores of all of them: docs/figures.md.
rule figure_metrics:
    input:
        metrics=f"{RESULTS}/tables/metrics.csv",
    output:
        **figure_files("metrics"),
    log:
        f"{RESULTS}/logs/figures/metrics.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=drawing(models=CATALOGUE.compared()),
        stem=figure_stem,
        code=code_digest("neds.figures.bars"),
    shell:
        "python -m workflow_scripts.figure_metrics --metrics {input.metrics} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule figure_gain:
    input:
        metrics=f"{RESULTS}/tables/metrics.csv",
    output:
        **figure_files("gain"),
    log:
        f"{RESULTS}/logs/figures/gain.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=drawing(rows=CATALOGUE.gain_rows()),
        stem=figure_stem,
        code=code_digest("neds.figures.pairs"),
    shell:
        "python -m workflow_scripts.figure_pairs --metrics {input.metrics} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule figure_multi_session:
    input:
        metrics=f"{RESULTS}/tables/metrics.csv",
    output:
        **figure_files("multi_session"),
    log:
        f"{RESULTS}/logs/figures/multi_session.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=drawing(rows=CATALOGUE.multi_session_rows()),
        stem=figure_stem,
        code=code_digest("neds.figures.pairs"),
    shell:
        "python -m workflow_scripts.figure_pairs --metrics {input.metrics} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule figure_pretraining_size:
    input:
        metrics=f"{RESULTS}/tables/metrics.csv",
        sessions=f"{RESULTS}/tables/sessions.csv",
    output:
        **figure_files("pretraining_size"),
    log:
        f"{RESULTS}/logs/figures/pretraining_size.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=modalities_and(sets=pretraining_eids(), curves=CATALOGUE.pretraining_curves()),
        stem=figure_stem,
        code=code_digest("neds.figures.pretraining_size"),
    shell:
        "python -m workflow_scripts.figure_pretraining_size --metrics {input.metrics} --sessions {input.sessions}"
        " --output {params.stem} --settings {params.settings:q} 2>&1 | tee {log}"


rule figure_data_efficiency:
    input:
        metrics=f"{RESULTS}/tables/metrics.csv",
        sessions=f"{RESULTS}/tables/sessions.csv",
    output:
        **figure_files("data_efficiency"),
    log:
        f"{RESULTS}/logs/figures/data_efficiency.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=modalities_and(curves=CATALOGUE.trial_curves()),
        stem=figure_stem,
        code=code_digest("neds.figures.data_efficiency"),
    shell:
        "python -m workflow_scripts.figure_data_efficiency --metrics {input.metrics} --sessions {input.sessions}"
        " --output {params.stem} --settings {params.settings:q} 2>&1 | tee {log}"


rule figure_region_encoding:
    input:
        units=units_of(CATALOGUE.drawn("encoding")),
    output:
        **figure_files("region_encoding"),
    log:
        f"{RESULTS}/logs/figures/region_encoding.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=modalities_and(model=CATALOGUE.main("encoding"), min_units=CONFIG.figures.region_min_units),
        stem=figure_stem,
        code=code_digest("neds.figures.region_encoding"),
    shell:
        "python -m workflow_scripts.figure_region_encoding --units {input.units} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule figure_calibration:
    input:
        aligned=expand(f"{RESULTS}/aligned/{{eid}}.h5", eid=TEST_EIDS),
        predictions=predictions_of_all(CATALOGUE.decoders()),
    output:
        **figure_files("calibration"),
    log:
        f"{RESULTS}/logs/figures/calibration.log",
    conda:
        "../envs/neds.yaml"
    params:
        models=first_seed(CATALOGUE.decoders()),
        stem=figure_stem,
        code=code_digest("neds.figures.calibration"),
    shell:
        "python -m workflow_scripts.figure_calibration --aligned {input.aligned} --predictions {input.predictions}"
        " --models {params.models} --output {params.stem} 2>&1 | tee {log}"


rule figure_learning:
    input:
        logs=learning_logs,
    output:
        **learning_files(),
    log:
        f"{RESULTS}/logs/figures/learning/{{mode}}-{{stage}}.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=modalities_and(),
        runs=learning_runs,
        stem=figure_stem,
        code=code_digest("neds.figures.learning"),
    shell:
        "python -m workflow_scripts.figure_learning --logs {input.logs} {params.runs} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule left_out:
    output:
        report(f"{RESULTS}/figures/left_out.txt", caption="captions/left_out.rst", category="Left out"),
    log:
        f"{RESULTS}/logs/figures/left_out.log",
    conda:
        "../envs/neds.yaml"
    params:
        messages=left_out_messages,
    shell:
        "printf '%s\\n' {params.messages:q} > {output} 2> {log}"


rule figures:
    input:
        figures_in_use(),
        figures_of_searches(),
        rules.left_out.output,
