# Regions of units, told from what the models have learned of them (docs/regions_and_ablations.md).
include: "region_inputs.smk"


rule unit_embeddings:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        checkpoint=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/best.safetensors",
    output:
        f"{RESULTS}/embeddings/{{eid}}/neds-{{mode}}-{{training}}-seed{{seed}}.h5",
    log:
        f"{RESULTS}/logs/embeddings/{{eid}}-{{mode}}-{{training}}-seed{{seed}}.log",
    conda:
        "../envs/neds.yaml"
    params:
        code=code_digest("neds.regions.embeddings"),
    shell:
        "python -m workflow_scripts.unit_embeddings --aligned {input.aligned} --checkpoint {input.checkpoint}"
        " --output {output} 2>&1 | tee {log}"


rule unit_embeddings_of_pretrained:
    input:
        aligned=aligned_of_set,
        checkpoint=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{{seed}}/best.safetensors",
    output:
        f"{RESULTS}/embeddings/pretrained-{{pretraining_set}}/neds-{{mode}}-seed{{seed}}.h5",
    log:
        f"{RESULTS}/logs/embeddings/pretrained-{{pretraining_set}}-{{mode}}-seed{{seed}}.log",
    conda:
        "../envs/neds.yaml"
    params:
        code=code_digest("neds.regions.embeddings"),
    shell:
        "python -m workflow_scripts.unit_embeddings --aligned {input.aligned} --checkpoint {input.checkpoint}"
        " --output {output} 2>&1 | tee {log}"


rule classify_regions:
    input:
        embeddings=files_of(embedded_models()),
    output:
        scores=f"{RESULTS}/tables/regions.csv",
        units=f"{RESULTS}/regions/units.parquet",
    log:
        f"{RESULTS}/logs/classify_regions.log",
    benchmark:
        f"{RESULTS}/benchmarks/classify_regions.tsv"
    conda:
        "../envs/neds.yaml"
    params:
        settings=as_json({"regions": classifier_settings(), "models": descriptions_of(embedded_models())}),
        code=code_digest("neds.regions.stage"),
    shell:
        "python -m workflow_scripts.classify_regions --embeddings {input.embeddings} --scores {output.scores}"
        " --units {output.units} --settings {params.settings:q} 2>&1 | tee {log}"


rule map_units:
    input:
        embeddings=files_of(mapped_models()),
    output:
        f"{RESULTS}/regions/map.parquet",
    log:
        f"{RESULTS}/logs/map_units.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=as_json({"regions": map_settings(), "models": descriptions_of(mapped_models())}),
        code=code_digest("neds.regions.unit_map"),
    shell:
        "python -m workflow_scripts.map_units --embeddings {input.embeddings} --output {output}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule figure_regions:
    input:
        map=f"{RESULTS}/regions/map.parquet",
        scores=f"{RESULTS}/tables/regions.csv",
        units=f"{RESULTS}/regions/units.parquet",
    output:
        **figure_files("regions"),
    log:
        f"{RESULTS}/logs/figures/regions.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=as_json({"regions": drawn_region_settings(), "paper": paper_region_accuracy()}),
        stem=figure_stem,
        code=code_digest("neds.figures.regions"),
    shell:
        "python -m workflow_scripts.figure_regions --map {input.map} --scores {input.scores} --units {input.units}"
        " --output {params.stem} --settings {params.settings:q} 2>&1 | tee {log}"
