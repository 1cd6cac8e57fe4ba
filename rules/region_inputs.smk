# What the rules of the region analysis read and write.
from neds.figures.paper import read_region_accuracy


def embedded_models():
    """(file of embeddings, description) of every model whose units are told apart by region; the paper's order."""
    modes = sorted(CONFIG.modes, key=["encoding", "decoding", "mm"].index)
    models = []
    for label in CATALOGUE.models(modes):
        _, mode, training = label.split("-", 2)
        known = {"model": f"neds-{mode}", "training": training, "space": "session"}
        for eid in TEST_EIDS:
            models += [
                (f"{RESULTS}/embeddings/{eid}/{label}-seed{seed}.h5", known | {"seed": seed}) for seed in CONFIG.seeds
            ]
    if "finetuned" in CONFIG.regimes:
        for name in CONFIG.finetune_from:
            for mode in modes:
                known = {"model": f"neds-{mode}", "training": f"pretrained-{name}", "space": "joint"}
                models += [
                    (f"{RESULTS}/embeddings/pretrained-{name}/neds-{mode}-seed{seed}.h5", known | {"seed": seed})
                    for seed in CONFIG.seeds
                ]
    return models


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
