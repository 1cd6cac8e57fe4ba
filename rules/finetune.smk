rule finetune:
    input:
        **tuned_input("finetuned"),
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
        pretrained=f"{RESULTS}/models/pretrained-{{pretraining_set}}/{{mode}}/seed{{seed}}/best.safetensors",
    output:
        best=f"{RESULTS}/models/{{eid}}/{{mode}}-finetuned-{{pretraining_set}}{{trials}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/{{eid}}/{{mode}}-finetuned-{{pretraining_set}}{{trials}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/{{eid}}/{{mode}}-finetuned-{{pretraining_set}}{{trials}}/seed{{seed}}/log.csv",
    log:
        f"{RESULTS}/logs/finetune/{{eid}}-{{mode}}-{{pretraining_set}}{{trials}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/finetune/{{eid}}-{{mode}}-{{pretraining_set}}{{trials}}-seed{{seed}}.tsv"
    conda:
        "../envs/neds.yaml"
    params:
        settings=finetune_settings,
        code=training_code("finetuned"),
    shell:
        "python -m workflow_scripts.train --aligned {input.aligned} --pretrained {input.pretrained}"
        " --best {output.best} --last {output.last} --log-csv {output.log_csv}"
        " --description 'fine-tuning {wildcards.mode}{wildcards.trials} on {wildcards.eid}, seed {wildcards.seed}'"
        f"{tuned_option('finetuned')}"
        " --settings {params.settings:q} 2>&1 | tee {log}"


rule train_from_scratch:
    input:
        **tuned_input("scratch"),
        aligned=f"{RESULTS}/aligned/{{eid}}.h5",
    output:
        best=f"{RESULTS}/models/{{eid}}/{{mode}}-scratch{{trials}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/{{eid}}/{{mode}}-scratch{{trials}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/{{eid}}/{{mode}}-scratch{{trials}}/seed{{seed}}/log.csv",
    log:
        f"{RESULTS}/logs/scratch/{{eid}}-{{mode}}{{trials}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/scratch/{{eid}}-{{mode}}{{trials}}-seed{{seed}}.tsv"
    conda:
        "../envs/neds.yaml"
    params:
        settings=scratch_settings,
        code=training_code("scratch"),
    shell:
        "python -m workflow_scripts.train --aligned {input.aligned} --best {output.best} --last {output.last}"
        " --log-csv {output.log_csv}"
        " --description 'training {wildcards.mode}{wildcards.trials} on {wildcards.eid}, seed {wildcards.seed}'"
        f"{tuned_option('scratch')}"
        " --settings {params.settings:q} 2>&1 | tee {log}"
