# What each figure shows, needs and is drawn from: neds/plan/figures.py. The report holds the plotted numbers of those that
# show means, and of those of single trials only the pictures.
rule figure:
    """Draw a figure of all test sessions."""
    input:
        unpack(needs("figure")),
    output:
        png=shown(f"{RESULTS}/figures/{{figure}}.png", figure_category, figure_labels("PNG")),
        pdf=shown(f"{RESULTS}/figures/{{figure}}.pdf", figure_category, figure_labels("PDF")),
        csv=shown(f"{RESULTS}/figures/{{figure}}.csv", figure_category, figure_labels("CSV")),
    log:
        log_file("figure"),
    wildcard_constraints:
        figure=PLAN.pattern("figure", "figure"),
    conda:
        "../envs/neds.yaml"
    params:
        drawing=drawing("figure"),
        stem=stem,
        caption=caption("{figure}"),
        recipe=recipe("figure"),
    shell:
        "python -m workflow_scripts {params.drawing} --output {params.stem:q} {params.recipe} 2>&1 | tee {log:q}"


rule session_figure:
    """Draw a figure of one test session."""
    input:
        unpack(needs("session_figure")),
    output:
        png=shown(f"{RESULTS}/figures/{{eid}}/{{figure}}.png", "Sessions", figure_labels("PNG")),
        pdf=shown(f"{RESULTS}/figures/{{eid}}/{{figure}}.pdf", "Sessions", figure_labels("PDF")),
        csv=f"{RESULTS}/figures/{{eid}}/{{figure}}.csv",
    log:
        log_file("session_figure"),
    wildcard_constraints:
        figure=PLAN.pattern("session_figure", "figure"),
    conda:
        "../envs/neds.yaml"
    params:
        drawing=drawing("session_figure"),
        stem=stem,
        caption=caption("{figure}"),
        recipe=recipe("session_figure"),
    shell:
        "python -m workflow_scripts {params.drawing} --output {params.stem:q} {params.recipe} 2>&1 | tee {log:q}"


rule learning_figure:
    """Draw the learning curves of a mode, of pretraining or of the test sessions' models."""
    input:
        unpack(needs("learning_figure")),
    output:
        png=shown(f"{RESULTS}/figures/learning/{{mode}}-{{stage}}.png", "Training", figure_labels("PNG")),
        pdf=shown(f"{RESULTS}/figures/learning/{{mode}}-{{stage}}.pdf", "Training", figure_labels("PDF")),
        csv=f"{RESULTS}/figures/learning/{{mode}}-{{stage}}.csv",
    log:
        log_file("learning_figure"),
    wildcard_constraints:
        stage="pretraining|sessions",
    conda:
        "../envs/neds.yaml"
    params:
        drawing=drawing("learning_figure"),
        stem=stem,
        caption=caption("learning"),
        recipe=recipe("learning_figure"),
    shell:
        "python -m workflow_scripts {params.drawing} --output {params.stem:q} {params.recipe} 2>&1 | tee {log:q}"


rule search_figure:
    """Draw a search of hyper-parameters."""
    input:
        unpack(needs("search_figure")),
    output:
        png=shown(f"{RESULTS}/figures/tuning/{{search}}.png", "Training", figure_labels("PNG")),
        pdf=shown(f"{RESULTS}/figures/tuning/{{search}}.pdf", "Training", figure_labels("PDF")),
        csv=shown(f"{RESULTS}/figures/tuning/{{search}}.csv", "Training", figure_labels("CSV")),
    log:
        log_file("search_figure"),
    wildcard_constraints:
        search="[A-Za-z0-9_-]+/[A-Za-z0-9_-]+",
    conda:
        "../envs/neds.yaml"
    params:
        drawing=drawing("search_figure"),
        stem=stem,
        caption=caption("search"),
        recipe=recipe("search_figure"),
    shell:
        "python -m workflow_scripts {params.drawing} --output {params.stem:q} {params.recipe} 2>&1 | tee {log:q}"


rule left_out:
    """List the figures and tables that this configuration cannot fill, and what they need."""
    input:
        unpack(needs("left_out")),
    output:
        shown(f"{RESULTS}/figures/left_out.txt", "Left out", {}),
    log:
        log_file("left_out"),
    conda:
        "../envs/neds.yaml"
    params:
        caption=caption("left_out"),
        recipe=recipe("left_out"),
    shell:
        "python -m workflow_scripts left-out --output {output:q} {params.recipe} 2>&1 | tee {log:q}"
