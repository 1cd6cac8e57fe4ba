# Tables of means (neds/plan/tables.py), and what the report shows whole.
rule table:
    """Write a table of means, as CSV, Markdown, LaTeX and a page."""
    input:
        unpack(needs("table")),
    output:
        csv=f"{RESULTS}/tables/{{table}}.csv",
        md=f"{RESULTS}/tables/{{table}}.md",
        tex=f"{RESULTS}/tables/{{table}}.tex",
        html=shown(f"{RESULTS}/tables/{{table}}.html", "Tables", table_labels),
    log:
        log_file("table"),
    wildcard_constraints:
        table=PLAN.pattern("table", "table"),
    conda:
        "../envs/neds.yaml"
    params:
        drawing=drawing("table"),
        stem=stem,
        caption=caption("{table}"),
        recipe=recipe("table"),
    shell:
        "python -m workflow_scripts {params.drawing} --output {params.stem:q} {params.recipe} 2>&1 | tee {log:q}"


rule table_page:
    """Turn a table into a web page that can be sorted and filtered."""
    input:
        unpack(needs("table_page")),
    output:
        shown(f"{RESULTS}/tables/{{table}}.html", page_category, page_labels),
    log:
        log_file("table_page"),
    wildcard_constraints:
        table=PLAN.pattern("table_page", "table"),
    conda:
        "../envs/neds.yaml"
    params:
        caption=caption("page"),
        recipe=recipe("table_page"),
    shell:
        "python -m workflow_scripts table-page --table {input.table:q} --output {output:q} {params.recipe} 2>&1 | tee {log:q}"


rule configuration_table:
    """List the configuration in use, and where each value comes from."""
    input:
        unpack(needs("configuration_table")),
    output:
        f"{RESULTS}/tables/configuration.csv",
    log:
        log_file("configuration_table"),
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("configuration_table"),
    shell:
        "python -m workflow_scripts configuration-table --output {output:q} {params.recipe} 2>&1 | tee {log:q}"


rule software_table:
    """List the versions of all installed software."""
    input:
        unpack(needs("software_table")),
    output:
        f"{RESULTS}/tables/software.csv",
    log:
        log_file("software_table"),
    conda:
        "../envs/neds.yaml"
    params:
        recipe=recipe("software_table"),
    shell:
        "python -m workflow_scripts software-table --scores {input.scores:q} --output {output:q} {params.recipe}"
        " 2>&1 | tee {log:q}"
