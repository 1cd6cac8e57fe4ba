# Only the rules of the configured source exist.
if CONFIG.source == "synthetic":

    rule synthesize:
        output:
            alf=directory(f"{RESULTS}/synthetic/{{eid}}/alf"),
            truth=f"{RESULTS}/synthetic/{{eid}}/truth.h5",
        log:
            f"{RESULTS}/logs/synthesize/{{eid}}.log",
        conda:
            "../envs/neds.yaml"
        params:
            settings=as_json(CONFIG.synthetic.of_session().model_dump()),
            index=synthetic_index,
            session_path=session_path,
            cameras=cameras_argument,
            code=code_digest("neds.synthetic.stage"),
        shell:
            "python -m workflow_scripts.synthesize --index {params.index} --session-path {params.session_path}"
            " --alf-root {output.alf} --truth {output.truth} {params.cameras} --settings {params.settings:q} 2>&1 | tee {log}"


if CONFIG.source in ("synthetic", "alf"):

    rule download_alf:
        input:
            alf=alf_folder,
            lfp=lfp_recordings,
        output:
            f"{RESULTS}/raw/{{eid}}.h5",
        log:
            f"{RESULTS}/logs/download/{{eid}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/download/{{eid}}.tsv"
        conda:
            "../envs/ibl.yaml"
        params:
            settings=download_settings(),
            root=alf_root,
            session_path=session_path,
            code=code_digest("neds.download.stage"),
        shell:
            "python -m workflow_scripts.download --source alf --eid {wildcards.eid} --alf-root {params.root:q}"
            " --session-path {params.session_path:q} --output {output} --settings {params.settings:q} 2>&1 | tee {log}"


if CONFIG.source == "one":

    # Parallel jobs must not write to one ONE cache: profiles/default allows one `one_cache` at a time. Nodes of a cluster may
    # have no internet: the host that runs Snakemake downloads.
    rule download_one:
        output:
            f"{RESULTS}/raw/{{eid}}.h5",
        log:
            f"{RESULTS}/logs/download/{{eid}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/download/{{eid}}.tsv"
        localrule: True
        conda:
            "../envs/ibl.yaml"
        resources:
            one_cache=1,
            pause_ms=round(1000 * CONFIG.download.pause_s),
        params:
            settings=download_settings(),
            cache=CONFIG.download.cache_dir or f"{RESULTS}/one_cache",
            code=code_digest("neds.download.stage"),
        shell:
            "python -m workflow_scripts.download --source one --eid {wildcards.eid} --cache-dir {params.cache:q}"
            " --pause-ms {resources.pause_ms} --output {output} --settings {params.settings:q} 2>&1 | tee {log}"


if CONFIG.source in CONVERTED:

    rule convert:
        input:
            file=local_file,
        output:
            f"{RESULTS}/raw/{{eid}}.h5",
        log:
            f"{RESULTS}/logs/download/{{eid}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/download/{{eid}}.tsv"
        conda:
            "../envs/neds.yaml"
        params:
            settings=mapping_settings(),
            format=CONFIG.source,
            code=code_digest("neds.conversion.stage", f"neds.conversion.{CONFIG.source}"),
        shell:
            "python -m workflow_scripts.convert --format {params.format} --file {input.file:q} --eid {wildcards.eid}"
            " --output {output} --settings {params.settings:q} 2>&1 | tee {log}"
