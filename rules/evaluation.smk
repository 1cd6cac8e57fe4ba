# Scores on test trials, of baselines and of trained models; and regions of units, told from what the models have learned of
# them (docs/regions_and_ablations.md).
rule baseline:
    """Fit a baseline to a test session and score it."""
    input:
        unpack(needs("baseline")),
    output:
        metrics=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/metrics.csv",
        units=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/units.parquet",
        predictions=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/predictions.h5",
    log:
        log_file("baseline"),
    benchmark:
        f"{RESULTS}/benchmarks/baselines/{{eid}}-{{baseline}}.tsv"
    wildcard_constraints:
        baseline=PLAN.pattern("baseline", "baseline"),
    conda:
        "../envs/neds.yaml"
    threads: share_of_cores("baseline")
    params:
        files=read_options("baseline"),
        recipe=recipe("baseline"),
    shell:
        "python -m workflow_scripts baseline {params.files} --metrics {output.metrics:q} --units {output.units:q}"
        " --predictions {output.predictions:q} {params.recipe} 2>&1 | tee {log:q}"


rule pretrain_baseline:
    """Train the network of a baseline on the sessions of role train."""
    input:
        unpack(needs("pretrain_baseline")),
    output:
        f"{RESULTS}/models/baselines/{{baseline}}.safetensors",
    log:
        log_file("pretrain_baseline"),
    benchmark:
        f"{RESULTS}/benchmarks/baselines/pretrain-{{baseline}}.tsv"
    wildcard_constraints:
        baseline=PLAN.pattern("pretrain_baseline", "baseline"),
    # Every test session's fit waits for it.
    priority: 10
    conda:
        "../envs/neds.yaml"
    threads: share_of_cores("pretrain_baseline")
    resources:
        gpu_percent=100,
    params:
        files=read_options("pretrain_baseline"),
        recipe=recipe("pretrain_baseline"),
    shell:
        "python -m workflow_scripts pretrain-baseline {params.files} --output {output:q}"
        " --gpu-percent {resources.gpu_percent} {params.recipe} 2>&1 | tee {log:q}"


rule network_baseline:
    """Fit the network of a baseline to a test session and score it."""
    input:
        unpack(needs("network_baseline")),
    output:
        metrics=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/metrics.csv",
        units=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/units.parquet",
        predictions=f"{RESULTS}/evaluation/{{eid}}/{{baseline}}/predictions.h5",
    log:
        log_file("network_baseline"),
    benchmark:
        f"{RESULTS}/benchmarks/baselines/{{eid}}-{{baseline}}.tsv"
    wildcard_constraints:
        baseline=PLAN.pattern("network_baseline", "baseline"),
    conda:
        "../envs/neds.yaml"
    threads: share_of_cores("network_baseline")
    resources:
        gpu_percent=100,
    params:
        files=read_options("network_baseline"),
        recipe=recipe("network_baseline"),
    shell:
        "python -m workflow_scripts baseline {params.files} --metrics {output.metrics:q} --units {output.units:q}"
        " --predictions {output.predictions:q} --gpu-percent {resources.gpu_percent} {params.recipe} 2>&1 | tee {log:q}"


rule evaluate:
    """Score a trained model on the test trials of its session."""
    input:
        unpack(needs("evaluate")),
    output:
        metrics=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}-seed{{seed}}/metrics.csv",
        units=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}-seed{{seed}}/units.parquet",
        predictions=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}-seed{{seed}}/predictions.h5",
    log:
        log_file("evaluate"),
    benchmark:
        f"{RESULTS}/benchmarks/evaluate/{{eid}}-{{mode}}-{{training}}-seed{{seed}}.tsv"
    wildcard_constraints:
        training=PLAN.pattern("evaluate", "training"),
    conda:
        "../envs/neds.yaml"
    threads: share_of_cores("evaluate")
    params:
        recipe=recipe("evaluate"),
    shell:
        "python -m workflow_scripts evaluate --aligned {input.aligned:q} --checkpoint {input.checkpoint:q}"
        " --metrics {output.metrics:q} --units {output.units:q} --predictions {output.predictions:q}"
        " {params.recipe} 2>&1 | tee {log:q}"


rule ensemble:
    """Score the mean of the predictions of all seeds of a model."""
    input:
        unpack(needs("ensemble")),
    output:
        metrics=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}/metrics.csv",
        units=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}/units.parquet",
        predictions=f"{RESULTS}/evaluation/{{eid}}/neds-{{mode}}-{{training}}/predictions.h5",
    log:
        log_file("ensemble"),
    wildcard_constraints:
        training=PLAN.pattern("ensemble", "training"),
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("ensemble"),
    shell:
        "python -m workflow_scripts ensemble --aligned {input.aligned:q} --predictions {input.predictions:q}"
        " --metrics {output.metrics:q} --units {output.units:q} --output {output.predictions:q}"
        " {params.recipe} 2>&1 | tee {log:q}"


rule metrics_table:
    """Collect the scores of all models into one table."""
    input:
        unpack(needs("metrics_table")),
    output:
        f"{RESULTS}/tables/metrics.csv",
    log:
        log_file("metrics_table"),
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("metrics_table"),
    shell:
        "python -m workflow_scripts metrics-table --metrics {input.metrics:q} --output {output:q} {params.recipe}"
        " 2>&1 | tee {log:q}"


rule ablation_metrics:
    """Collect the scores of the variants and of the unchanged model into one table."""
    input:
        unpack(needs("ablation_metrics")),
    output:
        f"{RESULTS}/tables/ablations.csv",
    log:
        log_file("ablation_metrics"),
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("ablation_metrics"),
    shell:
        "python -m workflow_scripts metrics-table --metrics {input.metrics:q} --output {output:q} {params.recipe}"
        " 2>&1 | tee {log:q}"


rule unit_embeddings:
    """Extract what a model of a test session has learned of each unit."""
    input:
        unpack(needs("unit_embeddings")),
    output:
        f"{RESULTS}/embeddings/{{eid}}/neds-{{mode}}-{{training}}-seed{{seed}}.h5",
    log:
        log_file("unit_embeddings"),
    wildcard_constraints:
        training=PLAN.pattern("unit_embeddings", "training"),
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("unit_embeddings"),
    shell:
        "python -m workflow_scripts unit-embeddings --aligned {input.aligned:q} --checkpoint {input.checkpoint:q}"
        " --output {output:q} {params.recipe} 2>&1 | tee {log:q}"


rule unit_embeddings_of_pretrained:
    """Extract what a pretrained model has learned of each unit."""
    input:
        unpack(needs("unit_embeddings_of_pretrained")),
    output:
        f"{RESULTS}/embeddings/pretrained-{{pretraining_set}}/neds-{{mode}}-seed{{seed}}.h5",
    log:
        log_file("unit_embeddings_of_pretrained"),
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("unit_embeddings_of_pretrained"),
    shell:
        "python -m workflow_scripts unit-embeddings --aligned {input.aligned:q} --checkpoint {input.checkpoint:q}"
        " --output {output:q} {params.recipe} 2>&1 | tee {log:q}"


rule classify_regions:
    """Tell the region of every unit from what a model has learned of it."""
    input:
        unpack(needs("classify_regions")),
    output:
        scores=f"{RESULTS}/tables/regions.csv",
        units=f"{RESULTS}/regions/units.parquet",
    log:
        log_file("classify_regions"),
    benchmark:
        f"{RESULTS}/benchmarks/classify_regions.tsv"
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("classify_regions"),
    shell:
        "python -m workflow_scripts classify-regions --embeddings {input.embeddings:q} --scores {output.scores:q}"
        " --units {output.units:q} {params.recipe} 2>&1 | tee {log:q}"


rule map_units:
    """Lay the units out in a plane by what a model has learned of them."""
    input:
        unpack(needs("map_units")),
    output:
        f"{RESULTS}/regions/map.parquet",
    log:
        log_file("map_units"),
    benchmark:
        f"{RESULTS}/benchmarks/map_units.tsv"
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("map_units"),
    shell:
        "python -m workflow_scripts map-units --embeddings {input.embeddings:q} --output {output:q} {params.recipe}"
        " 2>&1 | tee {log:q}"
