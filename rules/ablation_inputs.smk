# What the rules of the ablations read and write.
from neds.ablations.paper import paper_rows
from neds.ablations.variants import ablations_in_use, variants_in_use

ABLATIONS = ablations_in_use(CONFIG.ablations, CONFIG.model)
VARIANTS = variants_in_use(CONFIG.ablations, CONFIG.model)


wildcard_constraints:
    variant="|".join(VARIANTS) or "none",
    ablation="|".join(ABLATIONS) or "none",


def variant_settings(wildcards):
    return training_settings("scratch", wildcards)


def variant_changes(wildcards):
    return as_json(VARIANTS[wildcards.variant])


def variant_code():
    tuned = ["neds.tuning.best"] if "scratch" in CONFIG.tune.stages else []
    return code_digest("neds.training.stage", "neds.ablations.changes", *tuned)


def variant_evaluations():
    """Scores of every variant and of the unchanged model, on every test session."""
    trainings = ["scratch", *expand("scratch-{variant}", variant=VARIANTS)]
    return expand(
        f"{RESULTS}/evaluation/{{eid}}/neds-mm-{{training}}-seed{{seed}}/metrics.csv",
        eid=TEST_EIDS,
        training=trainings,
        seed=CONFIG.seeds,
    )


def ablation_checkpoints(wildcards):
    return expand(
        f"{RESULTS}/models/{{eid}}/mm-{{training}}/seed{CONFIG.seeds[0]}/best.safetensors",
        eid=TEST_EIDS,
        training=trainings_of(wildcards.ablation),
    )


def ablation_trainings(wildcards):
    """How the model of each of `ablation_checkpoints` was trained."""
    return trainings_of(wildcards.ablation) * len(TEST_EIDS)


def trainings_of(ablation):
    return ["scratch", *expand("scratch-{variant}", variant=ABLATIONS[ablation].variants)]


def ablation_settings(wildcards):
    ablation = ABLATIONS[wildcards.ablation]
    rows = paper_rows(wildcards.ablation) if CONFIG.figures.paper_numbers else []
    return as_json(
        {
            "modalities": modality_entries(),
            "title": ablation.title,
            "variants": list(ablation.variants),
            "paper_rows": [row.model_dump() for row in rows],
        }
    )


def ablation_labels(wildcards):
    return {"table": ABLATIONS[wildcards.ablation].title}


def ablation_files():
    return tabulated("ablation_{ablation}", caption="ablation", labels=ablation_labels)


def ablation_targets():
    tables = expand(f"{RESULTS}/tables/ablation_{{name}}.{{suffix}}", name=ABLATIONS, suffix=TABLE_SUFFIXES)
    return tables + ([f"{RESULTS}/tables/ablations.csv"] if VARIANTS else [])
