# Only the rules of the configured source exist. They come before all others (priority), so that what is wrong with a recording is
# told before any training begins.
if PLAN.has("synthesize"):

    rule synthesize:
        """Write a synthetic session as an ALF tree, with its true rates."""
        input:
            unpack(needs("synthesize")),
        output:
            alf=directory(f"{RESULTS}/synthetic/{{eid}}/alf"),
            truth=f"{RESULTS}/synthetic/{{eid}}/truth.h5",
        log:
            log_file("synthesize"),
        priority: 20
        conda:
            "../envs/neds.yaml"
        params:
            recipe=recipe("synthesize"),
        shell:
            "python -m workflow_scripts synthesize --alf-root {output.alf:q} --truth {output.truth:q} {params.recipe}"
            " 2>&1 | tee {log:q}"


if PLAN.has("download_alf"):

    rule download_alf:
        """Load a session from an ALF folder."""
        input:
            unpack(needs("download_alf")),
        output:
            f"{RESULTS}/raw/{{eid}}.h5",
        log:
            log_file("download_alf"),
        benchmark:
            f"{RESULTS}/benchmarks/download/{{eid}}.tsv"
        priority: 20
        conda:
            "../envs/ibl.yaml"
        params:
            root=alf_root,
            recipe=recipe("download_alf"),
        shell:
            "python -m workflow_scripts download --alf-root {params.root:q} --files {input.files:q} --output {output:q}"
            " {params.recipe} 2>&1 | tee {log:q}"


if PLAN.has("download_one"):

    # Parallel jobs must not write to one ONE cache: profiles/default allows one `one_cache` at a time. Nodes of a cluster may
    # have no internet: the host that runs Snakemake downloads.
    rule download_one:
        """Load a session from the IBL database."""
        input:
            unpack(needs("download_one")),
        output:
            f"{RESULTS}/raw/{{eid}}.h5",
        log:
            log_file("download_one"),
        benchmark:
            f"{RESULTS}/benchmarks/download/{{eid}}.tsv"
        priority: 20
        localrule: True
        conda:
            "../envs/ibl.yaml"
        resources:
            one_cache=1,
            pause_ms=round(1000 * PLAN.config.download.pause_s),
        params:
            cache=PLAN.config.download.cache_dir or f"{RESULTS}/one_cache",
            recipe=recipe("download_one"),
        shell:
            "python -m workflow_scripts download --cache-dir {params.cache:q} --pause-ms {resources.pause_ms}"
            " --output {output:q} {params.recipe} 2>&1 | tee {log:q}"


if PLAN.has("convert"):

    # What is read from servers is read by the host that runs Snakemake, as nodes of a cluster may have no internet.
    rule convert:
        """Turn a session of another format (NWB, brainsets) into a raw session file."""
        input:
            unpack(needs("convert")),
        output:
            f"{RESULTS}/raw/{{eid}}.h5",
        log:
            log_file("convert"),
        benchmark:
            f"{RESULTS}/benchmarks/download/{{eid}}.tsv"
        priority: 20
        localrule: bool(PLAN.addresses)
        conda:
            "../envs/neds.yaml"
        params:
            files=read_options("convert"),
            recipe=recipe("convert"),
        shell:
            "python -m workflow_scripts convert {params.files} --output {output:q} {params.recipe} 2>&1 | tee {log:q}"


if PLAN.has("import_arrays"):

    rule import_arrays:
        """Turn one's own trial-aligned arrays into an aligned session file."""
        input:
            unpack(needs("import_arrays")),
        output:
            f"{RESULTS}/aligned/{{eid}}.h5",
        log:
            log_file("import_arrays"),
        priority: 20
        conda:
            "../envs/neds.yaml"
        params:
            recipe=recipe("import_arrays"),
        shell:
            "python -m workflow_scripts import-arrays --arrays {input.arrays:q} --output {output:q}"
            " {params.recipe} 2>&1 | tee {log:q}"


if PLAN.has("partition"):

    rule partition:
        """Cut a recording into trials and bins."""
        input:
            unpack(needs("partition")),
        output:
            f"{RESULTS}/aligned/{{eid}}.h5",
        log:
            log_file("partition"),
        benchmark:
            f"{RESULTS}/benchmarks/partition/{{eid}}.tsv"
        priority: 20
        conda:
            "../envs/neds.yaml"
        params:
            recipe=recipe("partition"),
        shell:
            "python -m workflow_scripts partition --raw {input.raw:q} --output {output:q} {params.recipe}"
            " 2>&1 | tee {log:q}"


rule sessions_table:
    """List all sessions: what was kept and dropped, and which cannot be used."""
    input:
        unpack(needs("sessions_table")),
    output:
        f"{RESULTS}/tables/sessions.csv",
    log:
        log_file("sessions_table"),
    priority: 20
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("sessions_table"),
    shell:
        "python -m workflow_scripts sessions-table --aligned {input.aligned:q} --output {output:q} {params.recipe}"
        " 2>&1 | tee {log:q}"
