# What the rules of the region analysis read and write.
from neds.figures.paper import read_region_accuracy


def embedded_models():
    """(file of embeddings, description) of every model whose units are told apart by region."""
    modes = sorted(CONFIG.modes, key=["encoding", "decoding", "mm"].index)
    models = []
    for training in trainings_with_all_trials():
        for mode in modes:
            known = {"model": f"neds-{mode}", "training": training, "space": "session"}
            for eid in TEST_EIDS:
                models += seeded(f"{RESULTS}/embeddings/{eid}/neds-{mode}-{training}", known)
    for mode in modes if "finetuned" in CONFIG.regimes else []:
        for name in CONFIG.finetune_sets(mode):
            known = {"model": f"neds-{mode}", "training": f"pretrained-{name}", "space": "joint"}
            models += seeded(f"{RESULTS}/embeddings/pretrained-{name}/neds-{mode}", known)
    return models


def trainings_with_all_trials():
    """scratch and finetuned-<first set>, where they are in use."""
    labels = CATALOGUE.models(CONFIG.modes[:1])
    return [label.split("-", 2)[2] for label in labels]


def seeded(stem, known):
    return [(f"{stem}-seed{seed}.h5", known | {"seed": seed}) for seed in CONFIG.seeds]


def mapped_models():
    """Of those the one whose units are drawn in a plane: the pretrained one, or else the first test session's."""
    return sorted(embedded_models(), key=map_rank)[:1]


def map_rank(embedded):
    """The multimodal pretrained model comes first; of its seeds the first one does."""
    _, model = embedded
    return model["space"] != "joint", model["model"] != "neds-mm"


def files_of(models):
    return [path for path, _ in models]


def descriptions_of(models):
    return [description for _, description in models]


def region_settings(*keys):
    return CONFIG.regions.model_dump(include=set(keys))


def classifier_settings():
    return region_settings("classes", "merge", "min_units", "hold_out", "folds", "penalty")


def map_settings():
    return region_settings("classes", "merge", "min_units", "projection", "neighbors")


def drawn_region_settings():
    return region_settings("classes", "projection")


def paper_region_accuracy():
    return read_region_accuracy() if CONFIG.figures.paper_numbers else None
