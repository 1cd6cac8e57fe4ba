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
        settings=as_json({"modalities": modality_entries()}),
        stem=figure_stem,
        code=code_digest("neds.figures.bars"),
    shell:
        "python -m workflow_scripts.figure_metrics --metrics {input.metrics} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule figure_psths:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        predictions=drawn_predictions("encoding"),
    output:
        **figure_files("{eid}/psths"),
    log:
        f"{RESULTS}/logs/figures/{{eid}}-psths.log",
    conda:
        "../envs/neds.yaml"
    params:
        models=drawn_models("encoding"),
        stem=figure_stem,
        code=code_digest("neds.figures.psths"),
    shell:
        "python -m workflow_scripts.figure_psths --aligned {input.aligned} --predictions {input.predictions}"
        " --models {params.models} --output {params.stem} 2>&1 | tee {log}"


rule figure_raster:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        predictions=drawn_predictions("encoding"),
    output:
        **figure_files("{eid}/raster"),
    log:
        f"{RESULTS}/logs/figures/{{eid}}-raster.log",
    conda:
        "../envs/neds.yaml"
    params:
        models=drawn_models("encoding"),
        stem=figure_stem,
        code=code_digest("neds.figures.raster"),
    shell:
        "python -m workflow_scripts.figure_raster --aligned {input.aligned} --predictions {input.predictions}"
        " --models {params.models} --output {params.stem} 2>&1 | tee {log}"


rule figure_traces:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        predictions=drawn_predictions("decoding"),
    output:
        **figure_files("{eid}/traces"),
    log:
        f"{RESULTS}/logs/figures/{{eid}}-traces.log",
    conda:
        "../envs/neds.yaml"
    params:
        models=drawn_models("decoding"),
        stem=figure_stem,
        code=code_digest("neds.figures.traces"),
    shell:
        "python -m workflow_scripts.figure_traces --aligned {input.aligned} --predictions {input.predictions}"
        " --models {params.models} --output {params.stem} 2>&1 | tee {log}"


rule figure_search:
    input:
        trials=f"{RESULTS}/tuning/{{search}}/trials.csv",
    output:
        **figure_files("tuning/{search}"),
    log:
        f"{RESULTS}/logs/figures/tuning/{{search}}.log",
    conda:
        "../envs/neds.yaml"
    params:
        stem=figure_stem,
        code=code_digest("neds.figures.search"),
    shell:
        "python -m workflow_scripts.figure_search --trials {input.trials} --output {params.stem} 2>&1 | tee {log}"


rule figures:
    input:
        rules.figure_metrics.output,
        figures_of_sessions(),
        figures_of_searches(),
