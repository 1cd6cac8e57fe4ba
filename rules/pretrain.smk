# First, because everything that is fine-tuned waits for it.
rule pretrain:
    input:
        aligned=expand(f"{RESULTS}/aligned/{{eid}}.h5", eid=TRAIN_EIDS),
    output:
        best=f"{RESULTS}/models/pretrained/{{mode}}/seed{{seed}}/best.safetensors",
        last=f"{RESULTS}/models/pretrained/{{mode}}/seed{{seed}}/last.safetensors",
        log_csv=f"{RESULTS}/models/pretrained/{{mode}}/seed{{seed}}/log.csv",
    log:
        f"{RESULTS}/logs/pretrain/{{mode}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pretrain/{{mode}}-seed{{seed}}.tsv"
    priority: 10
    conda:
        "../envs/neds.yaml"
    params:
        settings=pretrain_settings,
        code=code_digest("neds.training.stage"),
    shell:
        "python -m workflow_scripts.train --aligned {input.aligned} --best {output.best} --last {output.last}"
        " --log-csv {output.log_csv} --description 'pretraining {wildcards.mode}, seed {wildcards.seed}'"
        " --settings {params.settings:q} 2>&1 | tee {log}"
