"""Where the maps of behaviours start: alike in all sessions, and in fine-tuning at the pretrained mean."""

import pytest
import torch

from tests.aligned_sessions import make_session
from tests.test_model import make_model


def maps(model, session):
    """All maps of behaviours of a session, end to end."""
    return {
        name: torch.cat([each.flatten() for each in model.stitchers.maps_of(name, session)])
        for name in model.stitchers.behaviours
    }


@pytest.mark.parametrize("start", ["common", "own"])
def test_maps_of_behaviours_start_alike_in_all_sessions_unless_each_has_its_own(start):
    model, _ = make_model(make_session(), make_session("mouse2", n_units=5), perturbed=False, behaviour_start=start)
    first, second = maps(model, 0), maps(model, 1)
    assert set(first) == {"wheel_speed", "whisker_motion_energy", "choice", "block"}
    assert {name: torch.equal(first[name], second[name]) for name in first} == dict.fromkeys(first, start == "common")


def test_maps_of_behaviours_are_taken_over_as_the_mean_of_the_pretrained_sessions():
    pretrained, _ = make_model(make_session(), make_session("mouse2"), seed=1)
    with torch.no_grad():
        for parameter in pretrained.parameters():
            parameter.normal_()
    model, _ = make_model(make_session("mouse3", n_units=5), seed=2)
    drawn, biases = maps(model, 0), model.stitchers.readouts["choice"].map.bias.clone()
    model.adopt(pretrained, unlike=["block"])
    taken = maps(model, 0)
    assert torch.equal(taken.pop("block"), drawn["block"]), "a behaviour that means something else"
    for name, values in taken.items():
        assert torch.allclose(values, (maps(pretrained, 0)[name] + maps(pretrained, 1)[name]) / 2), name
    assert torch.equal(model.stitchers.readouts["choice"].map.bias, biases), "frequencies are the session's own"
    own, _ = make_model(make_session("mouse3", n_units=5), seed=2, behaviour_start="own")
    own.adopt(pretrained)
    assert all(torch.equal(values, drawn[name]) for name, values in maps(own, 0).items())
