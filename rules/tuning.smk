# Searches of hyper-parameters. The trials that run at once share a rule's threads, of which a machine with fewer cores has
# fewer. What a trial gets is a resource and no parameter: a profile may change it (set-resources), and nothing is stale. GPUs
# are in percent because a profile's numbers are cut to whole ones.
rule tune_pretrain:
    """Search the hyper-parameters of a pretraining."""
    input:
        unpack(needs("tune_pretrain")),
    output:
        best=f"{RESULTS}/tuning/pretrained-{{pretraining_set}}/{{mode}}/best.yaml",
        trials_csv=f"{RESULTS}/tuning/pretrained-{{pretraining_set}}/{{mode}}/trials.csv",
    log:
        log_file("tune_pretrain"),
    benchmark:
        f"{RESULTS}/benchmarks/tune/{{pretraining_set}}-{{mode}}.tsv"
    priority: 10
    conda:
        "../envs/neds.yaml"
    threads: 8
    resources:
        trial_cpus=PLAN.config.tune.cpus_per_trial,
        trial_gpu_percent=round(100 * PLAN.config.tune.gpus_per_trial),
        gpu_percent=100 * math.ceil(PLAN.config.tune.gpus_per_trial),
    params:
        description="search for pretraining {mode} on {pretraining_set}",
        recipe=recipe("tune_pretrain"),
    shell:
        "python -m workflow_scripts tune --aligned {input.aligned:q} --best {output.best:q}"
        " --trials-csv {output.trials_csv:q} --cpus {threads} --cpus-per-trial {resources.trial_cpus}"
        " --gpu-percent-per-trial {resources.trial_gpu_percent} --gpu-percent {resources.gpu_percent}"
        " --description {params.description:q}"
        " {params.recipe} 2>&1 | tee {log:q}"


rule tune_scratch:
    """Search the hyper-parameters of training from scratch on a test session."""
    input:
        unpack(needs("tune_scratch")),
    output:
        best=f"{RESULTS}/tuning/{{eid}}/{{mode}}-scratch/best.yaml",
        trials_csv=f"{RESULTS}/tuning/{{eid}}/{{mode}}-scratch/trials.csv",
    log:
        log_file("tune_scratch"),
    benchmark:
        f"{RESULTS}/benchmarks/tune/{{eid}}-{{mode}}-scratch.tsv"
    conda:
        "../envs/neds.yaml"
    threads: 8
    resources:
        trial_cpus=PLAN.config.tune.cpus_per_trial,
        trial_gpu_percent=round(100 * PLAN.config.tune.gpus_per_trial),
        gpu_percent=100 * math.ceil(PLAN.config.tune.gpus_per_trial),
    params:
        description="search for {mode} on {eid}",
        recipe=recipe("tune_scratch"),
    shell:
        "python -m workflow_scripts tune --aligned {input.aligned:q} --best {output.best:q}"
        " --trials-csv {output.trials_csv:q} --cpus {threads} --cpus-per-trial {resources.trial_cpus}"
        " --gpu-percent-per-trial {resources.trial_gpu_percent} --gpu-percent {resources.gpu_percent}"
        " --description {params.description:q}"
        " {params.recipe} 2>&1 | tee {log:q}"


rule tune_finetune:
    """Search the hyper-parameters of fine-tuning on a test session."""
    input:
        unpack(needs("tune_finetune")),
    output:
        best=f"{RESULTS}/tuning/{{eid}}/{{mode}}-finetuned-{{pretraining_set}}/best.yaml",
        trials_csv=f"{RESULTS}/tuning/{{eid}}/{{mode}}-finetuned-{{pretraining_set}}/trials.csv",
    log:
        log_file("tune_finetune"),
    benchmark:
        f"{RESULTS}/benchmarks/tune/{{eid}}-{{mode}}-finetuned-{{pretraining_set}}.tsv"
    conda:
        "../envs/neds.yaml"
    threads: 8
    resources:
        trial_cpus=PLAN.config.tune.cpus_per_trial,
        trial_gpu_percent=round(100 * PLAN.config.tune.gpus_per_trial),
        gpu_percent=100 * math.ceil(PLAN.config.tune.gpus_per_trial),
    params:
        description="search for fine-tuning {mode} on {eid}",
        recipe=recipe("tune_finetune"),
    shell:
        "python -m workflow_scripts tune --aligned {input.aligned:q} --pretrained {input.pretrained:q} --best {output.best:q}"
        " --trials-csv {output.trials_csv:q} --cpus {threads} --cpus-per-trial {resources.trial_cpus}"
        " --gpu-percent-per-trial {resources.trial_gpu_percent} --gpu-percent {resources.gpu_percent}"
        " --description {params.description:q}"
        " {params.recipe} 2>&1 | tee {log:q}"
