# What each stage's `params.settings` holds. It is JSON text, because Snakemake compares texts reliably and a shell
# command can carry it; it holds all of the configuration that a stage depends on, and nothing else.


def as_json(value):
    return json.dumps(value, sort_keys=True)


def modality_entries():
    return [modality.model_dump() for modality in CONFIG.modality_registry().values()]


def download_settings():
    """Without the pause between downloads, which changes no result."""
    return as_json(CONFIG.download_settings().model_dump(exclude={"pause_s"}))


def partition_settings():
    return as_json({"modalities": modality_entries(), "partition": CONFIG.partition.model_dump()})


def mapping_settings():
    categorical = [entry for entry in modality_entries() if entry["kind"] == "categorical"]
    return as_json({"modalities": categorical, "mapping": CONFIG.mapping().model_dump()})


def array_settings():
    return as_json(
        {
            "modalities": modality_entries(),
            "partition": CONFIG.partition.model_dump(),
            "arrays": CONFIG.arrays.model_dump(),
        }
    )


def training_run(stage, mode, seed, train_trials=None):
    return {
        "mode": mode,
        "modalities": CONFIG.modalities,
        **CONFIG.run_settings(stage, mode).model_dump(),
        "seed": seed,
        "train_trials": train_trials,
    }


def training_settings(stage, wildcards, train_trials=None):
    return as_json(training_run(stage, wildcards.mode, int(wildcards.seed), train_trials))


def trials_of(wildcards):
    """Number that the wildcard `trials` ("" or "-50trials") stands for; None for all."""
    return int(wildcards.trials.removeprefix("-").removesuffix("trials")) if wildcards.trials else None


def pretrain_settings(wildcards):
    return training_settings("pretrain", wildcards)


def scratch_settings(wildcards):
    return training_settings("scratch", wildcards, trials_of(wildcards))


def finetune_settings(wildcards):
    return training_settings("finetuned", wildcards, trials_of(wildcards))


def search_settings(stage):
    """Settings of a stage's search, which trains with the first seed and all trials."""

    def settings(wildcards):
        run = training_run(stage, wildcards.mode, CONFIG.seeds[0])
        search = CONFIG.tune.search_for(stage).model_dump(exclude_unset=True)
        return as_json({"run": run, "search": search})

    return settings


def training_code(stage):
    tuned = ["neds.tuning.best"] if stage in CONFIG.tune.stages else []
    return code_digest("neds.training.stage", *tuned)
