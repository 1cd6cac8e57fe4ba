# Searches of hyper-parameters. The trials that run at once share a rule's threads, of which a machine with fewer cores has
# fewer. What a trial gets is a resource and no parameter: a profile may change it (set-resources), and nothing is stale. GPUs
# are in percent because a profile's numbers are cut to whole ones.
rule tune_pretrain:
    input:
        aligned=aligned_of_set,
    output:
        best=f"{TUNED['pretrain']}/best.yaml",
        trials_csv=f"{TUNED['pretrain']}/trials.csv",
    log:
        f"{RESULTS}/logs/tune/{{pretraining_set}}-{{mode}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tune/{{pretraining_set}}-{{mode}}.tsv"
    priority: 10
    conda:
        "../envs/neds.yaml"
    threads: 8
    resources:
        trial_cpus=CONFIG.tune.cpus_per_trial,
        trial_gpu_percent=round(100 * CONFIG.tune.gpus_per_trial),
    params:
        settings=search_settings("pretrain"),
        code=code_digest("neds.tuning.stage"),
    shell:
        "python -m workflow_scripts.tune --aligned {input.aligned} --best {output.best}"
        " --trials-csv {output.trials_csv} --cpus {threads} --cpus-per-trial {resources.trial_cpus}"
        " --gpu-percent-per-trial {resources.trial_gpu_percent} --description 'search for pretraining {wildcards.mode} on {wildcards.pretraining_set}'"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule tune_scratch:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
    output:
        best=f"{TUNED['scratch']}/best.yaml",
        trials_csv=f"{TUNED['scratch']}/trials.csv",
    log:
        f"{RESULTS}/logs/tune/{{eid}}-{{mode}}-scratch.log",
    benchmark:
        f"{RESULTS}/benchmarks/tune/{{eid}}-{{mode}}-scratch.tsv"
    conda:
        "../envs/neds.yaml"
    threads: 8
    resources:
        trial_cpus=CONFIG.tune.cpus_per_trial,
        trial_gpu_percent=round(100 * CONFIG.tune.gpus_per_trial),
    params:
        settings=search_settings("scratch"),
        code=code_digest("neds.tuning.stage"),
    shell:
        "python -m workflow_scripts.tune --aligned {input.aligned} --best {output.best}"
        " --trials-csv {output.trials_csv} --cpus {threads} --cpus-per-trial {resources.trial_cpus}"
        " --gpu-percent-per-trial {resources.trial_gpu_percent} --description 'search for {wildcards.mode} on {wildcards.eid}'"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule tune_finetune:
    input:
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        pretrained=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{CONFIG.seeds[0]}/best.safetensors",
    output:
        best=f"{TUNED['finetuned']}/best.yaml",
        trials_csv=f"{TUNED['finetuned']}/trials.csv",
    log:
        f"{RESULTS}/logs/tune/{{eid}}-{{mode}}-finetuned-{{pretraining_set}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tune/{{eid}}-{{mode}}-finetuned-{{pretraining_set}}.tsv"
    conda:
        "../envs/neds.yaml"
    threads: 8
    resources:
        trial_cpus=CONFIG.tune.cpus_per_trial,
        trial_gpu_percent=round(100 * CONFIG.tune.gpus_per_trial),
    params:
        settings=search_settings("finetuned"),
        code=code_digest("neds.tuning.stage"),
    shell:
        "python -m workflow_scripts.tune --aligned {input.aligned} --pretrained {input.pretrained} --best {output.best}"
        " --trials-csv {output.trials_csv} --cpus {threads} --cpus-per-trial {resources.trial_cpus}"
        " --gpu-percent-per-trial {resources.trial_gpu_percent} --description 'search for fine-tuning {wildcards.mode} on {wildcards.eid}'"
        " --settings {params.settings:q} 2>&1 | tee {log}"
