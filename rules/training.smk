# How many of the trainings share a GPU: docs/cluster.md. On a computer without one gpu_percent means nothing.
# A variant (docs/regions_and_ablations.md) is the multimodal model with one thing changed, trained from scratch.
rule pretrain:
    """Pretrain a model on a set of sessions."""
    input:
        unpack(needs("pretrain")),
    output:
        best=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{{seed}}/log.csv",
    log:
        log_file("pretrain"),
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/{{pretraining_set}}-{{mode}}-seed{{seed}}.tsv"
    # First, because everything that is fine-tuned waits for it.
    priority: 10
    conda:
        "../envs/neds.yaml"
    threads: share_of_cores("pretrain")
    # How many train together changes nothing in what is trained: these are resources and no parameters.
    resources:
        nodes=1,
        processes=1,
        gpu_percent=100,
    params:
        tuned=tuned_option,
        description="pretraining {mode} on {pretraining_set}, seed {seed}",
        recipe=recipe("pretrain"),
    shell:
        "python -m workflow_scripts train-together --nodes {resources.nodes} --processes {resources.processes}"
        " --cpus {threads} --gpu-percent {resources.gpu_percent} --aligned {input.aligned:q} {params.tuned}"
        " --best {output.best:q} --last {output.last:q}"
        " --log-csv {output.log_csv:q}"
        " --description {params.description:q}"
        " {params.recipe} 2>&1 | tee {log:q}"


rule train_from_scratch:
    """Train a model on one test session alone."""
    input:
        unpack(needs("train_from_scratch")),
    output:
        best=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/log.csv",
    log:
        log_file("train_from_scratch"),
    benchmark:
        f"{RESULTS}/benchmarks/scratch/{{eid}}-{{mode}}-{{training}}-seed{{seed}}.tsv"
    wildcard_constraints:
        training=PLAN.pattern("train_from_scratch", "training"),
    conda:
        "../envs/neds.yaml"
    threads: share_of_cores("train_from_scratch")
    resources:
        gpu_percent=100,
    params:
        tuned=tuned_option,
        description="training {mode}, {training}, on {eid}, seed {seed}",
        recipe=recipe("train_from_scratch"),
    shell:
        "python -m workflow_scripts train --aligned {input.aligned:q} {params.tuned} --best {output.best:q}"
        " --last {output.last:q} --log-csv {output.log_csv:q}"
        " --gpu-percent {resources.gpu_percent} --description {params.description:q}"
        " {params.recipe} 2>&1 | tee {log:q}"


rule finetune:
    """Fine-tune a pretrained model on a test session."""
    input:
        unpack(needs("finetune")),
    output:
        best=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/log.csv",
    log:
        log_file("finetune"),
    benchmark:
        f"{RESULTS}/benchmarks/finetune/{{eid}}-{{mode}}-{{training}}-seed{{seed}}.tsv"
    wildcard_constraints:
        training=PLAN.pattern("finetune", "training"),
    conda:
        "../envs/neds.yaml"
    threads: share_of_cores("finetune")
    resources:
        gpu_percent=100,
    params:
        tuned=tuned_option,
        description="fine-tuning {mode}, {training}, on {eid}, seed {seed}",
        recipe=recipe("finetune"),
    shell:
        "python -m workflow_scripts train --aligned {input.aligned:q} --pretrained {input.pretrained:q} {params.tuned}"
        " --best {output.best:q} --last {output.last:q} --log-csv {output.log_csv:q}"
        " --gpu-percent {resources.gpu_percent} --description {params.description:q}"
        " {params.recipe} 2>&1 | tee {log:q}"


rule train_variant:
    """Train a variant of the multimodal model on a test session."""
    input:
        unpack(needs("train_variant")),
    output:
        best=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/{{eid}}/{{mode}}-{{training}}/seed{{seed}}/log.csv",
    log:
        log_file("train_variant"),
    benchmark:
        f"{RESULTS}/benchmarks/variants/{{eid}}-{{mode}}-{{training}}-seed{{seed}}.tsv"
    wildcard_constraints:
        training=PLAN.pattern("train_variant", "training"),
    conda:
        "../envs/neds.yaml"
    threads: share_of_cores("train_variant")
    resources:
        gpu_percent=100,
    params:
        tuned=tuned_option,
        description="training {mode}, {training}, on {eid}, seed {seed}",
        recipe=recipe("train_variant"),
    shell:
        "python -m workflow_scripts train --aligned {input.aligned:q} {params.tuned} --best {output.best:q}"
        " --last {output.last:q} --log-csv {output.log_csv:q}"
        " --gpu-percent {resources.gpu_percent} --description {params.description:q}"
        " {params.recipe} 2>&1 | tee {log:q}"
