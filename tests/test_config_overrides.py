"""Models that differ by stage and mode, in one configuration."""

import pytest

from neds.config import Config, check_config
from neds.errors import UserError
from tests.test_config import ROOT, faults


def config_of(**values) -> Config:
    return check_config(values, base=ROOT)[0]


def test_the_papers_models_in_one_configuration():
    """Five layers from scratch beside 22 pretrained; encoding-only models that see all behaviours and train for longer."""
    config = config_of(
        modes=["mm", "encoding", "decoding"],
        model={"layers": 5, "dim": 256, "heads": 8},
        training={"epochs": 2000, "lr": 2e-4},
        overrides={
            "pretrain": {"model.layers": 22, "training.lr": 3e-3, "training.batch_size": 1024},
            "encoding": {"training.epochs": 4000, "training.lr": 5e-4, "masking.single_behaviour": 0.0},
        },
    )
    layers = {stage: config.run_settings(stage, "mm").model.layers for stage in ("pretrain", "scratch", "finetuned")}
    assert layers == {"pretrain": 22, "scratch": 5, "finetuned": 22}
    for stage in layers:
        encoding, multimodal = config.run_settings(stage, "encoding"), config.run_settings(stage, "mm")
        assert (encoding.training.epochs, encoding.training.lr) == (4000, 5e-4)
        assert encoding.masking.single_behaviour == 0.0 and multimodal.masking.single_behaviour == 0.5
        assert multimodal.training.epochs == 2000
    assert config.run_settings("pretrain", "mm").training.batch_size == 1024
    assert config.run_settings("finetuned", "mm").training.batch_size == 16


def test_the_most_specific_override_wins():
    overrides = {
        "scratch encoding": {"training.lr": 0.3},
        "encoding": {"training.lr": 0.2, "training.epochs": 9},
        "scratch": {"training.lr": 0.1, "training.warmup": 0.5},
    }
    config = config_of(overrides=overrides)
    assert config.run_settings("scratch", "mm").training.lr == 0.1
    assert config.run_settings("pretrain", "encoding").training.lr == 0.2
    settings = config.run_settings("scratch", "encoding").training
    assert (settings.lr, settings.epochs, settings.warmup) == (0.3, 9, 0.5)
    assert config.run_settings("pretrain", "decoding") == config.blocks()


def test_parts_and_wholes_of_a_mapping():
    part, whole = {"masking.weights.across": 9.0}, {"masking.weights": {"encoding": 1.0}}
    config = config_of(overrides={"scratch": part | whole, "pretrain": part, "mm": {}, "pretrain mm": whole})
    assert config.run_settings("scratch", "mm").masking.weights == {"encoding": 1.0, "across": 9.0}
    assert config.run_settings("pretrain", "mm").masking.weights == {"encoding": 1.0}
    assert config.run_settings("pretrain", "encoding").masking.weights == config.masking.weights | {"across": 9.0}
    assert config.overrides["scratch"]["masking.weights"] == {"encoding": 1.0}, (
        "the configuration itself stays as it is"
    )


def test_fine_tuning_keeps_the_size_of_the_pretrained_network():
    config = config_of(
        overrides={
            "pretrain": {"model.dim": 32, "model.token_dropout": 0.6},
            "pretrain encoding": {"model.layers": 7},
            "encoding": {"model.mlp": 16},
            "scratch": {"model.dim": 16},
            "finetuned": {"model.unit_dropout": 0.1},
        }
    )
    for mode, layers, mlp in (("mm", 2, 128), ("encoding", 7, 16)):
        model = config.run_settings("finetuned", mode).model
        assert (model.dim, model.layers, model.mlp) == (32, layers, mlp)
        assert (model.token_dropout, model.unit_dropout) == (0.2, 0.1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"finetuned": {"model.layers": 3}}, "overrides.finetuned.model.layers: a fine-tuned network has the size of the"),
        ({"finetuned mm": {"model.dim": 32}}, "overrides.finetuned mm.model.dim: a fine-tuned network has the size of the"),
        ({"mm": {"training": {"epochs": 5}}}, "overrides.mm.training: keys are dotted here; write training.epochs: 5"),
        ({"mm": {"epochs": 5}}, "overrides.mm.epochs: no key that an override may change; did you mean training.epochs?"),
        ({"mm": {"seeds": [5]}}, "overrides.mm.seeds: no key that an override may change; an override changes keys of"),
        ({"mm": {"training.lr.x": 5}}, "overrides.mm.training.lr.x: no key that an override may change"),
        ({"mm": {"training.lr": "1e-4"}}, "overrides.mm.training.lr: '1e-4' is text, not a number; YAML reads it so: write"),
        ({"mm": {"masking.weights.across.x": 1.0}}, "overrides.mm.masking.weights.across.x: no key that an override may"),
        ({"mm": {"masking.weights": 5}}, "overrides.mm.masking.weights: must be a mapping of keys to values, not 5"),
        ({"mm": {"training.loss_weights": {"choice": "x"}}}, "overrides.mm.training.loss_weights.choice: must be a number"),
        ({"mm": {"masking.weights.acros": 1.0}}, "overrides.mm.masking.weights.acros: unknown key; did you mean across?"),
        ({"mm": {"model.heads": 3}}, "overrides.mm.model.heads: dim (64) must be a multiple of 2 x heads (3)"),
        ({"mm pretrain": {}}, "overrides.mm pretrain: unknown key; did you mean"),
        ({"mm": 5}, "overrides.mm: must be a mapping of keys to values, not 5"),
        ([], "overrides: must be a mapping of keys to values, not []"),
    ],
)  # fmt: skip
def test_a_fault_names_the_override(overrides, message):
    found = faults(overrides=overrides)
    assert len(found) == 1 and found[0].startswith(f"config key {message}"), found


def test_overrides_that_do_not_fit_each_other_are_named_together():
    """Each alone can be used."""
    found = faults(overrides={"pretrain": {"model.dim": 96, "model.layers": 3}, "decoding": {"model.heads": 32}})
    assert found == [
        "config key overrides.decoding.model.heads, overrides.pretrain.model.dim, overrides.pretrain.model.layers: "
        "dim (96) must be a multiple of 2 x heads (32)"
    ]
    assert config_of(overrides={"pretrain": {"model.dim": 96}}) and config_of(
        overrides={"decoding": {"model.heads": 32}}
    )


def test_variants_and_searches_are_of_the_settings_that_overrides_make():
    overrides = {"scratch": {"model.layers": 5}}
    found = faults(overrides=overrides, ablations={"variants": {"x": {"model.layers": 5}}})
    assert found == ["config key ablations.variants.x: changes nothing, the configuration has these values already"]
    tune = {"stages": ["scratch"], "space": {"model.dim": {"choice": [48]}}}
    assert config_of(tune=tune)
    found = faults(tune=tune, modes=["mm", "encoding"], overrides={"encoding": {"model.heads": 32}})
    assert len(found) == 1 and found[0].startswith("config key tune.space.model: value {'dim': 48} cannot be used: dim")
    found = faults(tune={"space": {"model": {"dim": {"choice": [48]}}}})
    assert found == ["config key tune.space: model: keys are dotted here; write model.dim: {choice: [48]}"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"pretrain": {"epochs": 5}, "mm": {"lr": 1}}, "overrides: {pretrain: {training.epochs: 5}, mm: {training.lr: 1}}"),
        ({}, "overrides: {}"),
        (
            None,
            "overrides: {pretrain: {training.epochs: 80}, "
            "finetuned: {training.shared_lr: 0.3, training.weight_decay: 1.0}}, say",
        ),
    ],
)  # fmt: skip
def test_the_old_key_says_what_to_write_now(old, new):
    (line,) = faults(training_overrides=old)
    assert line.startswith(f"config key training_overrides: is called overrides now, with dotted keys; write {new}")


def test_other_faults_are_found_beside_the_old_key():
    with pytest.raises(UserError) as caught:
        check_config({"training_overrides": {}, "seeds": [0, 0]}, base=ROOT)
    assert len(str(caught.value).split("\n")) == 2
