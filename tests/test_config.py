"""A wrong configuration is refused before any work, with every fault named at once."""

import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from neds.config import Config, check_config
from neds.config.described import described_keys
from neds.errors import UserError

ROOT = Path(__file__).parents[1]

WINDOWS = {"align": "none", "window_start_s": 0.0, "split": "blocks"}


def faults(**values) -> list[str]:
    with pytest.raises(UserError) as caught:
        check_config(values, base=ROOT)
    return str(caught.value).split("\n")


def test_what_is_not_given_is_the_default():
    config, sessions = check_config({}, base=ROOT)
    assert config == Config()
    assert {role: sum(s.role == role for s in sessions) for role in ("train", "test")} == {"train": 3, "test": 2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training": {"lr": "1e-4"}}, "config key training.lr: '1e-4' is text, not a number; YAML reads it so: write"),
        ({"training": {"epoch": 3}}, "config key training.epoch: unknown key; did you mean epochs?"),
        ({"model": {"context_s": 1.0}}, "config key model.context_s: unknown key; did you mean partition.context_s?"),
        ({"epochs": 3}, "config key epochs: unknown key; did you mean training.epochs or rivals.ndt2.epochs or"),
        ({"overrides": {"mm": {"model.context_s": 1.0}}}, "config key overrides.mm.model.context_s: no key that an override "
         "may change; an override changes keys of model, masking, training"),
        ({"overrides": {"mm": {"model.layer": 1}}}, "config key overrides.mm.model.layer: no key that an override may "
         "change; did you mean model.layers?"),
        ({"model": {"zzz": 1.0}}, "config key model.zzz: unknown key; remove it"),
        ({"traning": {}}, "config key traning: unknown key; did you mean training?"),
        ({"partition": WINDOWS | {"window_intervals": [""]}}, "config key partition.window_intervals.0: is empty text"),
        ({"modalities": ["spikes"]}, "config key modalities: models go between neural activity and behaviour; of spikes "
         "none is behaviour; add one"),
        ({"modalities": []}, "config key modalities: must be 1 value or more"),
        ({"download": {"probes": [" "]}}, "config key download.probes.0: is empty text"),
        ({"regions": {"classes": ["CA1", ""]}}, "config key regions.classes.1: is empty text"),
        ({"evaluation": {"held_out_column": ""}}, "config key evaluation.held_out_column: is empty text"),
        ({"nwb": {"series": {"wheel_speed": ""}}}, "config key nwb.series.wheel_speed: is empty text"),
        ({"arrays": {"rename": {"": "spikes"}}}, "config key arrays.rename.'': is empty text"),
        ({"model": {"dim": 100, "heads": 8}}, "config key model: dim (100) must be a multiple of 2 x heads (8)"),
        ({"seeds": [0, 0]}, "config key seeds: 0 stands in it twice"),
        ({"source": "alf", "sessions": "s.tsv"}, "config key download.alf_root: source alf needs"),
        ({"source": "aligned"}, "config key sessions: source aligned needs a sessions sheet"),
        ({"modalities": ["spikes", "pupil"]}, "config key modalities: no modality is called pupil"),
        ({"overrides": {"mm": {"training.epocs": 2}}}, "config key overrides.mm.training.epocs: no key that an"),
        ({"partition": {"longest_gap_s": {"wheel": 1.0}}}, "config key partition.longest_gap_s.wheel: no modality is"),
        ({"partition": {"bin_s": 0.03}}, "config key partition: bin_s 0.03 does not divide the window of 2 s"),
        ({"partition": {"align": "stimOn"}}, "config key partition.align: the IBL's trials have no event stimOn; did you"),
        ({"partition": WINDOWS}, "config key modalities: with `align: none` there are windows and no trials, but"),
        ({"custom_modalities": {"pupil": {"kind": "smooth"}}}, "config key custom_modalities.pupil.kind: must be counts, "),
        ({"loggers": ["wandb", "wandb"]}, "config key loggers: wandb stands in it twice"),
        ({"evaluation": {"tasks": ["forecasting"] * 2}}, "config key evaluation.tasks: forecasting stands in it twice"),
        ({"training": {"loss_weights": {"spikes": -1.0}}}, "config key training.loss_weights.spikes: must be 0 or more"),
        (
            {"overrides": {"mm": {"training.loss_weights.choice": -0.5}}},
            "config key overrides.mm.training.loss_weights.choice: must be 0 or more, not -0.5",
        ),
        ({"training": {"loss_weights": {"spike": 2.0}}}, "config key training.loss_weights.spike: no modality in use"),
        ({"overrides": {"finetune": {"training.lr": 0.1}}}, "config key overrides.finetune: unknown key; did you"),
        ({"masking": {"weights": {"encodng": 1.0}}}, "config key masking.weights.encodng: unknown key; did you mean"),
        ({"train_trials": ["some"]}, "config key train_trials.0: must be a whole number or all, not 'some'"),
        ({"train_trials": [0]}, "config key train_trials.0: must be 1 or more or all, not 0"),
        ({"pretraining_sets": {"a": ["x", 1]}}, "config key pretraining_sets.a.1: must be text, not 1"),
        ({"training": {"lr": float("inf")}}, "config key training.lr: must be a finite number, not inf"),
        ({"training": 5}, "config key training: must be a mapping of keys to values, not 5"),
        ({"training": None}, "config key training: has no value; it must be a mapping of keys to values"),
        ({"seeds": [-1]}, "config key seeds.0: must be 0 or more, not -1"),
        ({"seeds": [1e20]}, "config key seeds.0: must be a whole number, not 1e+20"),
        ({"seeds": [2**31]}, "config key seeds.0: must be at most 2147483647, not 2147483648"),
        ({"seeds": []}, "config key seeds: must be 1 value or more, not []"),
        ({"partition": {"split_seed": 10**20}}, "config key partition.split_seed: must be at most 2147483647"),
        ({"download": {"probes": [False]}}, "config key download.probes.0: must be text; YAML reads yes, no, on and off"),
        ({"custom_modalities": {1: {}}}, "config key custom_modalities.1: the key 1 must be text; put it in quotes"),
        ({"unimodal_curves": "yes"}, "config key unimodal_curves: must be true or false, not 'yes'"),
        ({"benchmark": {"label": "my lab"}}, "config key benchmark.label: must be text of letters, digits, _ and - only, "
         "not 'my lab'"),
        ({"modes": "mm"}, "config key modes: must be a list [in brackets], not 'mm'"),
        ({"custom_modalities": {"pupil": {"unit": "px"}}}, "config key custom_modalities.pupil.kind: is missing"),
    ],
)  # fmt: skip
def test_fault_is_named_with_its_key(values, message):
    assert any(line.startswith(message) for line in faults(**values)), faults(**values)


@pytest.mark.parametrize(
    ("text", "wanted"), [("1e-4", "1.0e-4"), ("5.0e3", "5.0e+3"), ("2E5", "2.0e+5"), ("-1e+2", "-1.0e+2")]
)
def test_exponent_that_yaml_reads_as_text_is_explained(text, wanted):
    assert isinstance(yaml.safe_load(text), str) and float(yaml.safe_load(wanted)) == float(text)
    assert faults(training={"lr": text})[0].endswith(f"write {wanted}")


def test_all_faults_are_reported_at_once(tmp_path):
    """Faults of keys, of their combinations, of overrides, and of the sessions sheet, one line each, and no others."""
    known = [f"d23a44ef-1402-4ed7-97f5-47e9a7a504d{digit}" for digit in range(3)]
    rows = [(known[0], "train"), (known[1], "test"), (known[2], "train"), (known[2], "train"), ("d23a44ef", "train")]
    (tmp_path / "s.tsv").write_text("\n".join("\t".join(row) for row in [("eid", "role"), *rows]))
    values = {
        "source": "one",
        "sessions": "s.tsv",
        "seed": 3,
        "seeds": [1, 1],
        "training": {"lr": "1e-4", "epoch": 3, "loss_weights": {"wheel": 2.0}},
        "model": {"dim": "128", "heads": 3},
        "overrides": {"finetuned": {"training.batchsize": 3}},
        "pretraining_sets": {"leak": known[:2]},
        "partition": {"bin_s": 0.3},
    }
    with pytest.raises(UserError) as caught:
        check_config(values, base=tmp_path)
    found = str(caught.value).split("\n")
    for start in (
        "config key seed: unknown key; did you mean seeds?",
        "config key seeds: 1 stands in it twice",
        "config key training.lr: '1e-4' is text",
        "config key training.epoch: unknown key; did you mean epochs?",
        "config key training.loss_weights.wheel: no modality in use is called so",
        "config key model.dim: '128' is text, not a number; leave out the quotes",
        "config key partition: bin_s 0.3 does not divide the window of 2 s",
        f"config key pretraining_sets.leak: {known[1]} has role test",
        f"{tmp_path}/s.tsv, session 5: eid 'd23a44ef' is no UUID",
        f"{tmp_path}/s.tsv: session {known[2]} stands in it twice",
    ):
        matching = [line for line in found if line.startswith(start)]
        assert len(matching) == 1, (start, found)
        found.remove(matching[0])
    assert not found


def test_defaults_in_the_place_of_faulty_keys_give_no_faults_of_their_own():
    """The default number of units exceeds the largest given here, but the user's smallest is what is wrong."""
    assert len(faults(synthetic={"units_min": "8", "units_max": 10, "n_test": 0})) == 1


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ("", "is empty; write a path"),
        (" ", "is empty; write a path"),
        ("/", "/ is the root of the file system"),
        ("../../../../../../../../..", "is the root of the file system"),
        ("//", "is the root of the file system"),
        ("{home}", "is the home folder"),
        ("{home}/x/..", "is the home folder"),
        ("~/results", "~ is not replaced here"),
        ("file.txt", "is a file; name a folder"),
        ("a\nb", "has a line break or another control character"),
        ("out{{eid}}", "braces stand for wildcards"),
    ],
)
def test_folder_of_results_that_holds_other_things_is_refused(results, message, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "file.txt").touch()
    with pytest.raises(UserError, match="config key results: .*" + re.escape(message)):
        check_config({"results": results.format(home=tmp_path / "home")}, base=tmp_path)


@pytest.mark.parametrize("key", ["sessions", "download.alf_root", "download.cache_dir"])
def test_paths_have_no_control_characters(key):
    *block, name = key.split(".")
    values = {name: "data\x07/x\n"}
    found = faults(**({block[0]: values} if block else values))
    assert any(f"config key {key}: " in line and "control character" in line for line in found)


@pytest.mark.parametrize("spelling", ["results", "results/", "./results", ".//results/.", "x/../results"])
def test_spellings_of_a_folder_are_one(spelling):
    assert check_config({"results": spelling}, base=ROOT)[0].results == "results"


def test_a_default_is_nobodys_fault():
    config, _ = check_config({"modalities": ["lfp", "wheel_speed"]}, base=ROOT)
    assert config.training.loss_weights == {"spikes": 20.0}
    assert set(config.baselines_in_use([])) == {"psth", "linear", "rrr"}
    given = {"modalities": ["lfp", "wheel_speed"], "training": {"loss_weights": {"spikes": 50.0}}}
    assert "config key training.loss_weights.spikes: no modality in use" in faults(**given)[0]
    given["training"] = {}
    given["overrides"] = {
        "mm": {"training.loss_weights.spikes": 2.0},
        "scratch": {"training.loss_weights": {"wheel": 2.0}},
    }
    assert [line.split(":")[0] for line in faults(**given)] == [
        "config key overrides.mm.training.loss_weights.spikes",
        "config key overrides.scratch.training.loss_weights.wheel",
    ]


LATE = {"align": "feedback_times", "window_start_s": 0.0, "window_end_s": 1.0}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"modalities": ["lfp", "wheel_speed"], "baselines": ["linear", "ndt2"]},
            "baselines: ndt2 is of spikes, which mod",
        ),
        (
            {"modalities": ["lfp", "choice"], "baselines": ["glm", "poyo-multi"]},
            "baselines: glm, poyo-multi are of spikes",
        ),
        (
            {"modalities": ["spikes", "licks"], "baselines": ["poyo"]},
            "baselines: poyo would decode nothing; modalities has",
        ),
        (
            {"modalities": ["spikes", "lfp"]},
            "modalities: models go between neural activity and behaviour; of spikes, lfp",
        ),
        (
            {"modalities": ["wheel_speed", "choice"]},
            "modalities: models go between neural activity and behaviour; of whe",
        ),
        (
            {"views": {"late": LATE | {"modalities": ["lfp", "reward"]}}, "baselines": ["oracle"]},
            "baselines: oracle is of spikes, which views.late.modalities does not have; add spikes there, or remove oracle",
        ),
        (
            {"benchmark": {"model": "neds-mm-scratch"}},
            "benchmark.model: is of a submission, and there is none; name it",
        ),
        ({"benchmark": {"missing": "mean"}}, "benchmark.missing: is of a submission, and there is none; name it under"),
    ],
)
def test_what_would_do_nothing_is_refused(values, message):
    """Baselines without what they read or predict, models of one group of modalities, a submission that has no name."""
    assert any(line.startswith(f"config key {message}") for line in faults(**values)), faults(**values)


ODD = [None, -1, 1e300, float("nan"), 10**30, "", "a\nb", [], [None], ["a", "a"], {}, {"a": {}}, {1: 2}]
ODD += [
    {"mm": {1: 2}},
    {"mm": {"masking.weights": {1: 0.5}}},
    {"mm": {"masking.weights": {True: 0.5}}},
    {"mm": {"masking.weights": 5, "masking.weights.across.x": 5}},
    {"mm": {"model": {"dim": "x"}}},
]


@pytest.mark.parametrize("key", [*Config.model_fields, *(description.key for description in described_keys())])
def test_no_value_of_any_key_ends_in_a_traceback(key, tmp_path):
    for value in ODD:
        values = value
        for part in reversed(key.split(".")):
            values = {part: values}
        with suppress(UserError):
            check_config(values, base=tmp_path)


def test_the_configuration_is_read_without_numpy_pandas_or_torch():
    """Every job of the workflow reads it."""
    code = "import sys, neds.config; print([name for name in ('numpy', 'pandas', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ("eid\trole\tpath\nabc\ttest\tx", "session 1: eid 'abc' is no UUID"),
        ("eid\trole\nabc\ttest", "no column path"),
        ("eid\trole\tpath\n{0}\ttest\tx\n{0}\ttrain\ty", "stands in it twice"),
        ("eid\trole\tpath\n{0}\tpretend\tx", "role 'pretend' must be one of train, test"),
        ("eid\trole\tpath\n{0}\ttrain\tx", "sessions: none has role test"),
        ("eid\trole\tpath\n{0}\ttest\tx", "regimes: finetuned needs sessions of role train"),
    ],
)
def test_faults_of_the_sessions_sheet(sheet, message, tmp_path):
    (tmp_path / "s.tsv").write_text(sheet.format("d23a44ef-1402-4ed7-97f5-47e9a7a504d9"))
    values = {"source": "alf", "sessions": "s.tsv", "download": {"alf_root": "x"}}
    with pytest.raises(UserError, match="(?s)" + message.replace("(", r"\(")):
        check_config(values, base=tmp_path)


def test_pretraining_sets_are_checked_against_the_sheet():
    base = {"synthetic": {"n_train": 3, "n_test": 1}}
    config, sessions = check_config(base | {"pretraining_sets": {"two": 2}, "finetune_from": ["two"]}, base=ROOT)
    train = [session.eid for session in sessions if session.role == "train"]
    test = next(session.eid for session in sessions if session.role == "test")
    assert config.pretraining_eids("two", sessions) == train[:2]
    assert config.pretraining_eids("all", sessions) == train

    wrong = {"leak": [train[0], test], "many": 9, "x-5trials": 1, "stranger": ["nobody"]}
    found = "\n".join(faults(**base, pretraining_sets=wrong, finetune_from=["lek"]))
    assert (
        f"pretraining_sets.leak: {test} has role test; a model is never pretrained on a session it is tested on"
        in found
    )
    assert "pretraining_sets.many: 9 sessions wanted, the sheet has 3" in found
    assert "pretraining_sets.x-5trials: a name may" in found
    assert "pretraining_sets.stranger: nobody is not among the sessions" in found
    assert "finetune_from: pretraining_sets has no lek; did you mean leak?" in found
