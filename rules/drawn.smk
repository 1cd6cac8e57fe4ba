# What figures and tables are drawn from, and how they appear in the report.


TABLE_SUFFIXES = ["csv", "md", "tex", "html"]
CATEGORIES = {
    "overview": "Overview",
    "metrics": "Scores",
    "gain": "Scores",
    "multi_session": "Scores",
    "calibration": "Scores",
    "{eid}/psths": "Sessions",
    "{eid}/raster": "Sessions",
    "{eid}/traces": "Sessions",
    "pretraining_size": "Amount of data",
    "data_efficiency": "Amount of data",
    "region_encoding": "Regions",
    "regions": "Regions",
}


def reported(stem, caption, category, labels, with_table):
    """The three files of a figure, as the report shows them: with the plotted numbers, which it would hold whole, or not."""

    def shown(suffix):
        path = f"{RESULTS}/figures/{stem}.{suffix}"
        if suffix == "csv" and not with_table:
            return path
        about = labels | {"file": suffix.upper()}
        return report(path, caption=f"captions/{caption}.rst", category=category, labels=about)

    return {suffix: shown(suffix) for suffix in ("png", "pdf", "csv")}


def figure_files(name, *, with_table=True):
    session = {"session": "{eid}"} if name.startswith("{eid}") else {}
    return reported(name, Path(name).name, CATEGORIES[name], {"figure": FIGURES[name]} | session, with_table)


def learning_files():
    labels = {"figure": "learning curves of {stage}", "model": "{mode}"}
    return reported("learning/{mode}-{stage}", "learning", "Training", labels, with_table=False)


def search_figure_files():
    labels = {"figure": "search of hyper-parameters", "search": "{search}"}
    return reported("tuning/{search}", "search", "Training", labels, with_table=True)


def table_files(name):
    return tabulated(name, caption=name, labels={"table": TABLES[name]})


def tabulated(stem, caption, labels):
    """The four files of a table of means; the report shows the page, which holds the numbers of all."""
    paths = {suffix: f"{RESULTS}/tables/{stem}.{suffix}" for suffix in TABLE_SUFFIXES}
    return paths | {"html": report(paths["html"], caption=f"captions/{caption}.rst", category="Tables", labels=labels)}


def figure_stem(wildcards, output):
    return output.pdf.removesuffix(".pdf")


def table_stem(wildcards, output):
    return output.csv.removesuffix(".csv")


def figures_in_use():
    """Files of the figures that this configuration can fill."""
    left_out = CATALOGUE.left_out()
    names = [name for name in FIGURES if name not in left_out]
    stems = expand(names, eid=TEST_EIDS, mode=CONFIG.modes, allow_missing=True)
    return expand(f"{RESULTS}/figures/{{stem}}.{{suffix}}", stem=dict.fromkeys(stems), suffix=["pdf", "png", "csv"])


def figures_of_searches():
    return expand(f"{RESULTS}/figures/tuning/{{search}}.{{suffix}}", search=searches(), suffix=["pdf", "png", "csv"])


def tables_in_use():
    left_out = CATALOGUE.left_out()
    names = [name for name in TABLES if name not in left_out]
    return expand(f"{RESULTS}/tables/{{name}}.{{suffix}}", name=names, suffix=TABLE_SUFFIXES)


def first_seed(models):
    """Names of the evaluations of some models; where predictions themselves are drawn, those of the first seed."""
    return [f"{model}-seed{CONFIG.seeds[0]}" if model.startswith("neds-") else model for model in models]


def predictions_of(models):
    """Predictions of some models of the session `eid`."""
    return [f"{RESULTS}/evaluation/{{eid}}/{model}/predictions.h5" for model in first_seed(models)]


def predictions_of_all(models):
    """Predictions of some models of every test session, those of a session after one another."""
    return [path for eid in TEST_EIDS for path in expand(predictions_of(models), eid=eid)]


def units_of(models):
    return expand(
        f"{RESULTS}/evaluation/{{eid}}/{{model}}-seed{{seed}}/units.parquet",
        eid=TEST_EIDS,
        model=models,
        seed=CONFIG.seeds,
    )


def pretraining_eids():
    return {name: CONFIG.pretraining_eids(name, SESSIONS) for name in CONFIG.finetune_from}


def pretraining_logs(wildcards):
    """Validation log of every pretraining of a mode, and for the command line its label and seed; no one session is its."""
    runs = [(name, seed) for name in CONFIG.finetune_sets(wildcards.mode) for seed in CONFIG.seeds]
    folder = f"{RESULTS}/models/pretrained"
    return {
        "logs": [f"{folder}-{name}/{wildcards.mode}/seed{seed}/log.csv" for name, seed in runs],
        "models": [f"neds-{wildcards.mode}-pretrained-{name}" for name, _ in runs],
        "eids": ["-" for _ in runs],
        "seeds": [seed for _, seed in runs],
    }


def session_logs(wildcards):
    """Likewise of the trainings of every test session's models of a mode."""
    labels = CATALOGUE.models([wildcards.mode])
    runs = [(eid, label, seed) for eid in TEST_EIDS for label in labels for seed in CONFIG.seeds]
    folder = f"{RESULTS}/models"
    return {
        "logs": [f"{folder}/{eid}/{label.removeprefix('neds-')}/seed{seed}/log.csv" for eid, label, seed in runs],
        "models": [label for _, label, _ in runs],
        "eids": [eid for eid, _, _ in runs],
        "seeds": [seed for *_, seed in runs],
    }


LOGS = {"pretraining": pretraining_logs, "sessions": session_logs}


def learning_logs(wildcards):
    return LOGS[wildcards.stage](wildcards)["logs"]


def learning_runs(wildcards):
    """Options of the command that say what each log is of."""
    runs = LOGS[wildcards.stage](wildcards)
    return " ".join(f"--{key} {' '.join(map(str, runs[key]))}" for key in ("models", "eids", "seeds"))


def drawing(**more):
    """Settings of a figure or table of scores: the modalities, the paper's numbers where wanted, and its own."""
    numbers = {"paper": read_paper_numbers().model_dump()} if CONFIG.figures.paper_numbers else {}
    return as_json({"modalities": modality_entries(), **numbers, **more})


def modalities_and(**more):
    """Settings of a figure to which the paper has no numbers."""
    return as_json({"modalities": modality_entries(), **more})


def left_out_messages(wildcards):
    """A function, so that Snakemake takes no name in a message, such as {mode}, for a wildcard."""
    return CATALOGUE.messages() or ["nothing"]


def log_left_out():
    for message in CATALOGUE.messages():
        logger.info(message)
