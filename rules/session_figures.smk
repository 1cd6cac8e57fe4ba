# Figures of one session, or of one search.
rule figure_psths:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        predictions=predictions_of(CATALOGUE.drawn("encoding")),
    output:
        **figure_files("{eid}/psths", with_table=False),
    log:
        f"{RESULTS}/logs/figures/{{eid}}-psths.log",
    conda:
        "../envs/neds.yaml"
    params:
        models=first_seed(CATALOGUE.drawn("encoding")),
        stem=figure_stem,
        code=code_digest("neds.figures.psths"),
    shell:
        "python -m workflow_scripts.figure_psths --aligned {input.aligned} --predictions {input.predictions}"
        " --models {params.models} --output {params.stem} 2>&1 | tee {log}"


rule figure_raster:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        predictions=predictions_of(CATALOGUE.drawn("encoding")),
    output:
        **figure_files("{eid}/raster", with_table=False),
    log:
        f"{RESULTS}/logs/figures/{{eid}}-raster.log",
    conda:
        "../envs/neds.yaml"
    params:
        models=first_seed(CATALOGUE.drawn("encoding")),
        stem=figure_stem,
        code=code_digest("neds.figures.raster"),
    shell:
        "python -m workflow_scripts.figure_raster --aligned {input.aligned} --predictions {input.predictions}"
        " --models {params.models} --output {params.stem} 2>&1 | tee {log}"


rule figure_traces:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        predictions=predictions_of(CATALOGUE.drawn("decoding")),
    output:
        **figure_files("{eid}/traces", with_table=False),
    log:
        f"{RESULTS}/logs/figures/{{eid}}-traces.log",
    conda:
        "../envs/neds.yaml"
    params:
        models=first_seed(CATALOGUE.drawn("decoding")),
        stem=figure_stem,
        code=code_digest("neds.figures.traces"),
    shell:
        "python -m workflow_scripts.figure_traces --aligned {input.aligned} --predictions {input.predictions}"
        " --models {params.models} --output {params.stem} 2>&1 | tee {log}"


rule figure_search:
    input:
        trials=f"{RESULTS}/tuning/{{search}}/trials.csv",
    output:
        **search_figure_files(),
    log:
        f"{RESULTS}/logs/figures/tuning/{{search}}.log",
    conda:
        "../envs/neds.yaml"
    params:
        stem=figure_stem,
        code=code_digest("neds.figures.search"),
    shell:
        "python -m workflow_scripts.figure_search --trials {input.trials} --output {params.stem} 2>&1 | tee {log}"
