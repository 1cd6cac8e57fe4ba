"""Fine-tuning: what it takes from the pretrained network, and what it may not be tested on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from neds.config.load import check_config
from neds.errors import UserError
from neds.files.aligned import Components
from neds.model.checkpoint import load_network, read_checkpoint
from tests.aligned_sessions import make_session
from tests.test_training import TINY, last_weights, settings, train_to


def test_fine_tuning_starts_from_the_pretrained_network(tmp_path):
    """With a learning rate near zero the fine-tuned network is the pretrained one plus the new session's maps."""
    pretrained = train_to(tmp_path / "pre", settings(), make_session(), make_session("mouse2"))
    values = settings(epochs=1, lr=1e-12)
    tuned = train_to(
        tmp_path / "tuned", values, make_session("mouse3", n_units=5), pretrained=pretrained / "best.safetensors"
    )
    network, checkpoint = load_network(tuned / "last.safetensors")
    source, _ = load_network(pretrained / "best.safetensors")
    assert [s.eid for s in checkpoint.sessions] == ["mouse3"]
    assert torch.allclose(network.position, source.position)
    assert torch.allclose(network.stitchers.session[0], source.stitchers.session.mean(0), atol=1e-6)


def test_maps_of_behaviours_that_mean_something_else_start_at_random_and_that_is_said(tmp_path, caplog):
    pretrained = train_to(tmp_path / "pre", settings(), make_session(), make_session("mouse2")) / "best.safetensors"
    session = make_session("mouse3")
    block = session.modalities["block"].model_copy(update={"classes": ["low", "middle", "high"]})
    traces = Components(mean=np.zeros(1), weights=np.eye(1), variance_share=np.ones(1))
    session = replace(
        session, modalities=session.modalities | {"block": block}, components={"whisker_motion_energy": traces}
    )
    tuned = train_to(tmp_path / "tuned", settings(epochs=1, lr=1e-12), session, pretrained=pretrained)
    own, theirs = (load_network(path)[0].stitchers for path in (tuned / "last.safetensors", pretrained))
    alike = {
        name: all(
            torch.allclose(found, torch.stack(of_each).mean(0), atol=1e-6)
            for found, *of_each in zip(
                own.maps_of(name, 0), theirs.maps_of(name, 0), theirs.maps_of(name, 1), strict=True
            )
        )
        for name in own.behaviours
    }
    assert alike == {"wheel_speed": True, "choice": True, "whisker_motion_energy": False, "block": False}
    (said,) = (record.message for record in caplog.records if "start at random" in record.message)
    assert "whisker_motion_energy, of which every session has its own principal components" in said
    assert "block, of another kind, width or classes than in pretraining" in said


@pytest.mark.parametrize(
    ("freeze", "kept", "moved"),
    [
        ("encoder", "encoder.layers.0.up.weight", "position"),
        ("shared", "position", "stitchers.session"),
        ("shared", "told.weight", "stitchers.session"),
        ("shared", "patches.joint.weight", "stitchers.session"),
    ],
)
def test_frozen_parts_keep_their_pretrained_weights(freeze, kept, moved, tmp_path):
    layout = {"per_trial_tokens": "one", "patch_bins": 2}
    pretrained = train_to(tmp_path / "pre", settings(epochs=1, model=layout), make_session()) / "best.safetensors"
    values = settings(epochs=2, freeze=freeze)
    tuned = last_weights(train_to(tmp_path / "tuned", values, make_session("mouse3"), pretrained=pretrained))
    source = read_checkpoint(pretrained)[1]
    assert torch.equal(tuned[kept], source[kept])
    assert not torch.equal(tuned[moved], source[moved])


def test_nothing_is_frozen_that_is_not_pretrained(tmp_path):
    with pytest.raises(UserError, match=r"training: training.freeze shared keeps .* there is no pretrained network"):
        train_to(tmp_path, settings(epochs=1, freeze="shared"), make_session())


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"training": {"freeze": "shared"}}, "training.freeze: shared"),
        ({"overrides": {"pretrain": {"training.freeze": "encoder"}}}, "overrides.pretrain.training.freeze: encoder"),
        (
            {"regimes": ["scratch"], "overrides": {"pretrain mm": {"training.freeze": "shared"}}},
            "overrides.pretrain mm.training.freeze: shared",
        ),
        ({"ablations": {"variants": {"x": {"training.freeze": "shared"}}}}, "ablations.variants.x: shared"),
    ],
)
def test_freezing_where_nothing_is_pretrained_is_refused_before_anything_runs(values, place):
    with pytest.raises(UserError) as caught:
        check_config(values, base=None)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"config key {place} keeps weights as they are pretrained")
    assert "overrides: {finetuned: {training.freeze: " in line


def test_fine_tuning_alone_may_freeze():
    config, _ = check_config({"overrides": {"finetuned": {"training.freeze": "shared"}}}, base=None)
    assert config.run_settings("finetuned", "mm").training.freeze == "shared"


def test_shared_parts_learn_slower_where_asked(tmp_path):
    pretrained = train_to(tmp_path / "pre", settings(epochs=1), make_session()) / "best.safetensors"
    source = read_checkpoint(pretrained)[1]["encoder.layers.0.up.weight"]

    def distance(shared_lr: float) -> float:
        values = settings(epochs=2, shared_lr=shared_lr)
        folder = train_to(tmp_path / str(shared_lr), values, make_session("mouse3"), pretrained=pretrained)
        return float((last_weights(folder)["encoder.layers.0.up.weight"] - source).norm())

    assert 0 < distance(0.1) < 0.2 * distance(1.0)


def told_apart(session, first: int):
    """The session with fingerprints of its trials that go on from a number."""
    return replace(session, fingerprints=np.arange(first, first + session.n_trials, dtype=np.uint64))


def test_a_model_is_not_tested_on_trials_that_its_pretraining_saw(tmp_path):
    """The same recording under another EID; trials that were held out of pretraining do no harm."""
    values = settings(epochs=1, validate_every=1)
    seen, other = told_apart(make_session("mouse1"), 1), told_apart(make_session("mouse2"), 1)
    pretrained = train_to(tmp_path / "pretrained", values, seen) / "best.safetensors"
    with pytest.raises(
        UserError, match=r"has seen \d+ of the test trials of session mouse2: they are in session mouse1"
    ):
        train_to(tmp_path / "leak", values, other, pretrained=pretrained)
    train_to(tmp_path / "allowed", values, replace(other, settings={"overlap": "allow"}), pretrained=pretrained)
    train_to(tmp_path / "apart", values, told_apart(other, 10_000), pretrained=pretrained)


def test_fine_tuning_keeps_the_size_and_has_dropouts_of_its_own(tmp_path):
    pretrained = train_to(tmp_path / "a", settings(epochs=1, validate_every=1), make_session("mouse1"))
    own = settings(epochs=1, validate_every=1, model={"dim": 32, "mlp_dropout": 0.35})
    tuned = train_to(tmp_path / "b", own, make_session("mouse2"), pretrained=pretrained / "best.safetensors")
    design = load_network(tuned / "best.safetensors")[1].design
    assert (design.settings.dim, design.settings.mlp_dropout) == (TINY["dim"], 0.35)


def test_a_session_of_other_bins_is_refused_before_training(tmp_path):
    """As many bins, but longer ones, or of another part of the trial, are another thing to the network."""
    values = settings(epochs=1, validate_every=1)
    pretrained = train_to(tmp_path / "pretrained", values, make_session()) / "best.safetensors"
    for number, change in enumerate([{"bin_s": 0.1}, {"window_start_s": 0.0}]):
        with pytest.raises(UserError, match=r"trained on 10 bins of 0.05 s from -0.2 s, session mouse2 has 10 of"):
            train_to(tmp_path / str(number), values, replace(make_session("mouse2"), **change), pretrained=pretrained)


def test_a_session_of_the_pretraining_is_told_and_its_test_trials_must_have_been_held_out(tmp_path, caplog):
    values = settings(epochs=1, validate_every=1)
    session = told_apart(make_session(), 1)
    pretrained = train_to(tmp_path / "pretrained", values, session) / "best.safetensors"
    train_to(tmp_path / "again", values, session, pretrained=pretrained)
    assert "session mouse1 is among those that" in caplog.text
    with pytest.raises(UserError, match="it was trained on this session, split otherwise"):
        train_to(tmp_path / "other", values, replace(session, split=session.split[::-1].copy()), pretrained=pretrained)


def test_what_a_model_was_fine_tuned_from_has_seen_counts_too(tmp_path, caplog):
    """Pretrained on mouse1 and mouse2, fine-tuned on mouse3: a third training does not forget the first."""
    values = settings(epochs=1, validate_every=1)
    sessions = [told_apart(make_session(f"mouse{n}"), 1000 * n) for n in (1, 2, 3)]
    first = train_to(tmp_path / "first", values, *sessions[:2]) / "best.safetensors"
    chain = train_to(tmp_path / "chain", values, sessions[2], pretrained=first) / "best.safetensors"
    caplog.clear()
    train_to(tmp_path / "again", values, sessions[0], pretrained=chain)
    assert "session mouse1 is among those that" in caplog.text
    renamed = replace(sessions[0], eid="mouse4", split=sessions[0].split[::-1].copy())
    with pytest.raises(UserError, match="test trials of session mouse4: they are in session mouse1"):
        train_to(tmp_path / "renamed", values, renamed, pretrained=chain)


def test_a_split_of_an_earlier_training_counts_after_a_later_one_on_another(tmp_path):
    values = settings(epochs=1, validate_every=1)
    session = told_apart(make_session(), 1)
    other = replace(session, split=session.split[::-1].copy(), settings={"overlap": "allow"})
    first = train_to(tmp_path / "first", values, session) / "best.safetensors"
    chain = train_to(tmp_path / "chain", values, other, pretrained=first) / "best.safetensors"
    with pytest.raises(UserError, match="it was trained on this session, split otherwise"):
        train_to(tmp_path / "again", values, replace(other, settings={}), pretrained=chain)
