"""A wrong configuration is refused before any work, with every fault named at once."""

from pathlib import Path

import pytest
import yaml

from neds.config import Config, check_config
from neds.errors import UserError
from neds.settings import Settings

ROOT = Path(__file__).parents[1]

WINDOWS = {"align": "none", "window_start_s": 0.0, "split": "blocks"}


def faults(**values) -> list[str]:
    with pytest.raises(UserError) as caught:
        check_config(values, base=ROOT)
    return str(caught.value).split("\n")


def test_shipped_config_is_complete_and_valid():
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    config, sessions = check_config(values, base=ROOT)
    assert {role: sum(s.role == role for s in sessions) for role in ("train", "test")} == {"train": 3, "test": 2}
    assert values.keys() == Config.model_fields.keys(), "every key is shown to the user"
    blocks = [block for block in values if isinstance(getattr(config, block), Settings)]
    assert len(blocks) > 8
    for block in blocks:
        assert values[block].keys() == type(getattr(config, block)).model_fields.keys()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training": {"lr": "1e-4"}}, "config key training.lr: '1e-4' is text, not a number; YAML reads it so: write"),
        ({"training": {"epoch": 3}}, "config key training.epoch: unknown key; did you mean epochs?"),
        ({"traning": {}}, "config key traning: unknown key; did you mean training?"),
        ({"model": {"dim": 100, "heads": 8}}, "config key model: dim (100) must be a multiple of 2 x heads (8)"),
        ({"seeds": [0, 0]}, "config key seeds: 0 stands in it twice"),
        ({"source": "alf", "sessions": "s.tsv"}, "config key download.alf_root: source alf needs"),
        ({"source": "aligned"}, "config key sessions: source aligned needs a sessions sheet"),
        ({"modalities": ["spikes", "pupil"]}, "config key modalities: no modality is called pupil"),
        ({"training_overrides": {"mm": {"epocs": 2}}}, "config key training_overrides.mm.epocs: unknown key"),
        ({"partition": {"bin_s": 0.03}}, "config key partition: bin_s 0.03 does not divide the window of 2 s"),
        ({"partition": {"align": "stimOn"}}, "config key partition.align: the IBL's trials have no event stimOn; did you"),
        ({"partition": WINDOWS}, "config key modalities: with `align: none` there are windows and no trials, but"),
        ({"custom_modalities": {"pupil": {"kind": "smooth"}}}, "config key custom_modalities.pupil.kind: input should be"),
        ({"training": {"loss_weights": {"spike": 2.0}}}, "config key training.loss_weights.spike: no modality in use"),
        ({"training_overrides": {"finetune": {"lr": 0.1}}}, "config key training_overrides.finetune: unknown key;"),
        ({"masking": {"weights": {"encodng": 1.0}}}, "config key masking.weights.encodng: unknown key; did you mean"),
        ({"train_trials": ["some"]}, "config key train_trials.0: input should be a valid integer or 'all', not 'some'"),
        ({"train_trials": [0]}, "config key train_trials.0: input should be greater than or equal to 1"),
        ({"pretraining_sets": {"a": ["x", 1]}}, "config key pretraining_sets.a.1: input should be a valid string, not 1"),
        ({"training": {"lr": float("inf")}}, "config key training.lr: input should be a finite number"),
        ({"training": 5}, "config key training: input should be a valid dictionary"),
        ({"seeds": [-1]}, "config key seeds.0: input should be greater than or equal to 0"),
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
        "training_overrides": {"finetuned": {"batchsize": 3}},
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
        "config key training_overrides.finetuned.batchsize: unknown key; did you mean batch_size?",
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


def test_overrides_of_a_mode_win_over_those_of_a_stage():
    config = Config(
        training_overrides={"finetuned": {"epochs": 7, "lr": 0.1}, "encoding": {"lr": 0.2}}, modes=["mm", "encoding"]
    )
    assert config.training_for("finetuned", "mm").lr == 0.1
    assert config.training_for("finetuned", "encoding").lr == 0.2
    assert config.training_for("finetuned", "encoding").epochs == 7
    assert config.training_for("scratch", "mm") == config.training


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
    assert config.trainings("mm") == ["scratch", "finetuned-two"]

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
