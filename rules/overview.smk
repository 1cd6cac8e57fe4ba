include: "overview_inputs.smk"


rule figure_overview:
    input:
        **overview_inputs(),
    output:
        **figure_files("overview"),
    log:
        f"{RESULTS}/logs/figures/overview.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=overview_settings(),
        aligned=overview_option(),
        stem=figure_stem,
        code=code_digest("neds.figures.overview"),
    shell:
        "python -m workflow_scripts.figure_overview {params.aligned} --output {params.stem}"
        " --settings {params.settings:q} 2>&1 | tee {log}"
