# Input functions and lists of files.


def synthetic_index(wildcards):
    return BY_EID[wildcards.eid].index


def cameras_argument(wildcards):
    subject = session_path(wildcards).split("/")[2]
    return "--without-cameras" if subject in CONFIG.synthetic.missing_whisker else ""


def aligned_of_set(wildcards):
    eids = CONFIG.pretraining_eids(wildcards.pretraining_set, SESSIONS)
    return expand(f"{RESULTS}/aligned/{{eid}}.h5", eid=eids)


TUNED = {
    "pretrain": f"{RESULTS}/tuning/pretrained-{{pretraining_set}}/{{mode}}",
    "scratch": f"{RESULTS}/tuning/{{eid}}/{{mode}}-scratch",
    "finetuned": f"{RESULTS}/tuning/{{eid}}/{{mode}}-finetuned-{{pretraining_set}}",
}


def tuned_input(stage):
    """The file from which a stage's training takes searched values, where the stage is searched."""
    return {"tuned": f"{TUNED[stage]}/best.yaml"} if stage in CONFIG.tune.stages else {}


def tuned_option(stage):
    return " --tuned {input.tuned}" if stage in CONFIG.tune.stages else ""


def searches():
    """Folder of every search below that of all searches."""
    regimes = {"pretrain": "finetuned", "scratch": "scratch", "finetuned": "finetuned"}
    folders = [TUNED[stage] for stage in CONFIG.tune.stages if regimes[stage] in CONFIG.regimes]
    found = {
        folder
        for mode in CONFIG.modes
        for folder in expand(folders, eid=TEST_EIDS, mode=mode, pretraining_set=CONFIG.finetune_sets(mode))
    }
    return [folder.removeprefix(f"{RESULTS}/tuning/") for folder in sorted(found)]


def session_path(wildcards):
    return BY_EID[wildcards.eid].path


def alf_folder(wildcards):
    """The tree of a synthetic session, or the folder of one session in a user's own tree."""
    if CONFIG.source == "synthetic":
        return f"{RESULTS}/synthetic/{wildcards.eid}/alf"
    return f"{CONFIG.download.alf_root}/{session_path(wildcards)}/alf"


def lfp_recordings(wildcards):
    """The LFP files that the download reads of a user's own tree; none where there are none, which the download explains."""
    if CONFIG.source == "synthetic" or "lfp" not in CONFIG.download_settings().extras:
        return []
    session = Path(CONFIG.download.alf_root, session_path(wildcards))
    return sorted(str(path) for path in session.glob("raw_ephys_data/*/*.lf.*bin"))


def alf_root(wildcards):
    if CONFIG.source == "synthetic":
        return f"{RESULTS}/synthetic/{wildcards.eid}/alf"
    return CONFIG.download.alf_root


def local_file(wildcards):
    return str(Path(CONFIG.sessions).parent / session_path(wildcards))


def baseline_inputs(wildcards):
    inputs = {"aligned": f"{RESULTS}/aligned/{wildcards.eid}.h5"}
    if wildcards.baseline == "oracle":
        inputs["truth"] = f"{RESULTS}/synthetic/{wildcards.eid}/truth.h5"
    if wildcards.baseline == "rrr-multi":
        inputs["others"] = expand(f"{RESULTS}/aligned/{{eid}}.h5", eid=TRAIN_EIDS)
    return inputs


def truth_argument(wildcards, input):
    return f"--truth {input.truth}" if wildcards.baseline == "oracle" else ""


def others_argument(wildcards, input):
    return f"--others {' '.join(input.others)}" if wildcards.baseline == "rrr-multi" else ""


def evaluated_models():
    """All baselines and models that each test session is evaluated with."""
    models = [f"neds-{model}" for model in trained_models("-")]
    return [*CONFIG.baselines_in_use(SESSIONS), *models]


def trained_models(before_seed):
    """All models of a test session, <mode>-<training><before_seed>seed<number>."""
    return [
        f"{mode}-{training}{before_seed}seed{seed}"
        for mode in CONFIG.modes
        for training in CONFIG.trainings(mode)
        for seed in CONFIG.seeds
    ]


def evaluated(name, models):
    """File `name` of the evaluations of all test sessions with the given models."""
    return expand(f"{RESULTS}/evaluation/{{eid}}/{{model}}/{name}", eid=TEST_EIDS, model=models)


def checkpoints():
    """Best checkpoint of every model of every test session."""
    return expand(f"{RESULTS}/models/{{eid}}/{{model}}/best.safetensors", eid=TEST_EIDS, model=trained_models("/"))
