# First, because everything that is fine-tuned waits for it.
rule pretrain:
    input:
        **tuned_input("pretrain"),
        aligned=aligned_of_set,
    output:
        best=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{{seed}}/log.csv",
    log:
        f"{RESULTS}/logs/pretrain/{{pretraining_set}}-{{mode}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/{{pretraining_set}}-{{mode}}-seed{{seed}}.tsv"
    priority: 10
    conda:
        "../envs/neds.yaml"
    # How many train together changes nothing in what is trained: these are resources and no parameters.
    resources:
        nodes=1,
        processes=1,
    params:
        settings=pretrain_settings,
        code=training_code("pretrain"),
    shell:
        "python -m workflow_scripts.train_together --nodes {resources.nodes} --processes {resources.processes}"
        " --cpus {threads} --aligned {input.aligned} --best {output.best} --last {output.last}"
        " --log-csv {output.log_csv} --description 'pretraining {wildcards.mode} on {wildcards.pretraining_set}, seed {wildcards.seed}'"
        f"{tuned_option('pretrain')}"
        " --settings {params.settings:q} 2>&1 | tee {log}"
