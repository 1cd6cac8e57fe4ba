if CONFIG.source == "aligned":

    rule import_arrays:
        input:
            arrays=local_file,
        output:
            f"{RESULTS}/aligned/{{eid}}.h5",
        log:
            f"{RESULTS}/logs/partition/{{eid}}.log",
        conda:
            "../envs/neds.yaml"
        params:
            settings=array_settings(),
            code=code_digest("neds.partition.arrays"),
        shell:
            "python -m workflow_scripts.import_arrays --arrays {input.arrays:q} --eid {wildcards.eid} --output {output}"
            " --settings {params.settings:q} 2>&1 | tee {log}"

else:

    rule partition:
        input:
            raw=f"{RESULTS}/raw/{{eid}}.h5",
        output:
            f"{RESULTS}/aligned/{{eid}}.h5",
        log:
            f"{RESULTS}/logs/partition/{{eid}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/partition/{{eid}}.tsv"
        conda:
            "../envs/neds.yaml"
        params:
            settings=partition_settings(),
            code=code_digest("neds.partition.stage"),
        shell:
            "python -m workflow_scripts.partition --raw {input.raw} --output {output}"
            " --settings {params.settings:q} 2>&1 | tee {log}"


rule sessions:
    input:
        expand(f"{RESULTS}/aligned/{{eid}}.h5", eid=BY_EID),


rule sessions_table:
    input:
        aligned=rules.sessions.input,
    output:
        f"{RESULTS}/tables/sessions.csv",
    log:
        f"{RESULTS}/logs/sessions_table.log",
    conda:
        "../envs/neds.yaml"
    params:
        roles=as_json({session.eid: session.role for session in SESSIONS}),
        code=code_digest("neds.partition.sessions_table"),
    shell:
        "python -m workflow_scripts.sessions_table --aligned {input.aligned} --roles {params.roles:q}"
        " --output {output} 2>&1 | tee {log}"
