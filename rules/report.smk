# What the report (`snakemake --report report.html`) shows beside the figures: tables to sort, the configuration, the software.
include: "report_inputs.smk"


rule configuration_table:
    output:
        f"{RESULTS}/tables/configuration.csv",
    log:
        f"{RESULTS}/logs/tables/configuration.log",
    conda:
        "../envs/neds.yaml"
    params:
        settings=json.dumps(CONFIG.model_dump(mode="json")),
    shell:
        "python -m workflow_scripts.configuration_table --output {output} --settings {params.settings:q} 2>&1 | tee {log}"


# Listed again whenever a score has changed, because these versions are then those that it was made with.
rule software_table:
    input:
        f"{RESULTS}/tables/metrics.csv",
    output:
        f"{RESULTS}/tables/software.csv",
    log:
        f"{RESULTS}/logs/tables/software.log",
    conda:
        "../envs/neds.yaml"
    params:
        code=code_digest("neds.environment"),
    shell:
        "python -m workflow_scripts.software_table --output {output} 2>&1 | tee {log}"


rule table_page:
    input:
        f"{RESULTS}/tables/{{table}}.csv",
    output:
        **page_files(),
    log:
        f"{RESULTS}/logs/tables/{{table}}-page.log",
    conda:
        "../envs/neds.yaml"
    params:
        title=page_title,
        code=code_digest("neds.tables.page"),
    shell:
        "python -m workflow_scripts.table_page --table {input} --title {params.title:q} --output {output.html} 2>&1 | tee {log}"


rule pages:
    input:
        table_pages(),
