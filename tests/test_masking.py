"""What masking schemes hide, and that what they ask for, and nothing else, carries loss."""

import numpy as np
import pytest
import torch

from neds.data.store import stacked_valid
from neds.modalities import PAPER
from neds.model.loss import loss_terms, total_loss
from neds.model.masking import draw_masks, observe
from neds.model.settings import MaskingSettings
from tests.aligned_sessions import WITH_STIMULUS, make_session
from tests.test_model import SCHEMES, as_list, make_model, masks, whole_batch


def test_value_per_trial_is_hidden_whole_or_not_at_all():
    model, store = make_model(make_session(names=WITH_STIMULUS))
    batch = whole_batch(store, per_session=40)
    mask = masks(model, batch, ratio=0.5)
    for name in ("choice", "block", "stimulus"):
        hidden = mask.hidden[:, list(model.design.modalities).index(name)]
        assert torch.equal(hidden.any(-1), hidden.all(-1))
        assert set(hidden.any(-1).tolist()) == {True, False}


def test_schemes_hide_what_they_say():
    model, store = make_model(make_session())
    batch = whole_batch(store, per_session=40)
    neural = torch.tensor([m.group == "neural" for m in model.design.modalities.values()])

    encoding = masks(model, batch, schemes=("encoding",))
    assert encoding.hidden[:, neural].all()
    assert encoding.target[:, neural].all() and not encoding.target[:, ~neural].any()
    shown = (~encoding.hidden[:, ~neural].any(-1)).sum(1)
    assert set(shown.tolist()) == {1, 4}, "all behaviours or one alone"

    decoding = masks(model, batch, schemes=("decoding",))
    assert not decoding.hidden[:, neural].any() and decoding.target[:, ~neural].all()

    within = masks(model, batch, schemes=("within_spikes",))
    assert not within.hidden[:, ~neural].any()
    assert 0.2 < within.hidden[:, neural].float().mean() < 0.4
    behaviour = masks(model, batch, schemes=("within_behaviour",))
    assert not behaviour.hidden[:, neural].any() and behaviour.hidden[:, ~neural].any()

    across = masks(model, batch, schemes=("across",)).hidden
    assert torch.equal(across[:, 0], across[:, 1]) and torch.equal(across[:, 0], across[:, 2])
    assert not torch.equal(across[0, 0], across[1, 0]), "bins are drawn for each trial"


def test_scheme_units_hides_and_asks_for_units_alone():
    model, store = make_model(make_session(), make_session("mouse2", n_units=20))
    batch = whole_batch(store, per_session=40)
    neural = torch.tensor([m.group == "neural" for m in model.design.modalities.values()])
    mask = masks(model, batch, schemes=("units",))
    hidden = mask.hidden_units["spikes"]
    assert hidden.shape == (80, 20) and 0.25 < hidden.float().mean() < 0.35
    assert torch.equal(mask.target_units["spikes"], hidden) and not torch.equal(hidden[0], hidden[1])
    assert mask.target[:, neural].all() and not mask.target[:, ~neural].any()
    assert not mask.hidden[:, neural].any(), "the other units stay"
    unseen = mask.hidden[:, ~neural].flatten(1)
    assert torch.equal(unseen.any(1), unseen.all(1)) and 0.3 < unseen.all(1).float().mean() < 0.7

    mixed = masks(model, batch, schemes=("units", "decoding"))
    decoding = ~mixed.target[:, neural].flatten(1).any(1)
    assert decoding.any() and not mixed.hidden_units["spikes"][decoding].any(), "other schemes hide no unit"
    assert masks(model, batch, schemes=("encoding",)).hidden_units == {}


def test_scheme_future_hides_the_end_of_all_and_every_value_per_trial():
    model, store = make_model(make_session(names=WITH_STIMULUS))
    batch = whole_batch(store)
    per_trial = torch.tensor([m.per_trial for m in model.design.modalities.values()])
    mask = masks(model, batch, schemes=("future",))
    end = torch.arange(store.n_bins) == store.n_bins - 1
    assert torch.equal(mask.hidden[:, ~per_trial], end.expand(batch.n_trials, 3, -1))
    assert torch.equal(mask.target[:, ~per_trial], end.expand(batch.n_trials, 3, -1))
    assert mask.hidden[:, per_trial].all() and not mask.target[:, per_trial].any(), "they are known only afterwards"


@pytest.mark.parametrize("n_bins", [10, 100])
def test_schemes_that_are_not_asked_for_change_no_draw(n_bins):
    """A training without `units` and `future` draws what it drew before there were such schemes."""
    draw = {
        weights: draw_masks(
            list(PAPER.values()),
            n_trials=40,
            n_bins=n_bins,
            n_units={"spikes": 7},
            scheme_weights=dict.fromkeys(SCHEMES[:5], 1.0) | dict.fromkeys(weights, 0.0),
            settings=MaskingSettings(),
            generator=torch.Generator().manual_seed(3),
        )
        for weights in ((), ("units", "future"))
    }
    assert torch.equal(draw[()].hidden, draw["units", "future"].hidden)
    assert torch.equal(draw[()].target, draw["units", "future"].target)
    assert not draw["units", "future"].hidden_units["spikes"].any()


def test_loss_of_hidden_units_is_over_them_alone():
    """The loss equals a plain loop over the hidden units of each trial's own session."""
    model, store = make_model(make_session(), make_session("mouse2", n_units=4))
    batch = whole_batch(store)
    mask = masks(model, batch, schemes=("units",))
    target = dict(zip(model.design.modalities, mask.target.unbind(1), strict=True))
    predictions = model(batch.without_units(mask.hidden_units), mask.hidden)
    terms = loss_terms(model.design.modalities, predictions, batch, target, target_units=mask.target_units)
    expected, number = 0.0, 0
    for trial, unit in torch.nonzero(mask.hidden_units["spikes"]).tolist():
        if unit < store.shapes[batch.sessions[trial]].units["spikes"]:
            log_rate = predictions.log_rates["spikes"][trial, :, unit]
            entry = log_rate.exp() - batch.counts["spikes"][trial, :, unit] * log_rate
            expected, number = expected + entry.sum().item(), number + store.n_bins
    assert terms["spikes"][1] == number > 0
    assert terms["spikes"][0].item() == pytest.approx(expected, rel=1e-4)
    assert all(terms[name][1] == 0 for name in terms if name != "spikes")


def test_unknown_behaviour_is_hidden_and_no_target():
    session = make_session(names=WITH_STIMULUS)
    session.values["wheel_speed"][:, 3] = np.nan
    session.values["choice"][:] = -1
    session.values["stimulus"][:] = np.nan
    model, store = make_model(session)
    batch = whole_batch(store)
    order = list(model.design.modalities)
    mask = masks(model, batch, schemes=("decoding",))
    assert not mask.target[:, order.index("wheel_speed"), 3].any()
    assert not mask.target[:, order.index("choice")].any() and not mask.target[:, order.index("stimulus")].any()
    seen = observe(list(model.design.modalities.values()), stacked_valid(batch, model.design.modalities), set(order))
    assert seen[:, order.index("wheel_speed"), 3].all() and seen[:, order.index("choice")].all()
    assert all(x.isfinite().all() for x in as_list(model(batch, mask.hidden)))


def test_fully_visible_batch_has_no_loss_and_no_gradient():
    model, store = make_model(make_session())
    batch = whole_batch(store)
    nothing = torch.zeros(batch.n_trials, 5, store.n_bins, dtype=torch.bool)
    target = dict(zip(model.design.modalities, nothing.unbind(1), strict=True))
    loss = total_loss(loss_terms(model.design.modalities, model(batch, nothing), batch, target), {})
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_only_masked_values_carry_loss():
    """The loss equals a plain loop over the masked entries."""
    names = WITH_STIMULUS
    model, store = make_model(make_session(names=names), make_session("mouse2", n_units=4, names=names))
    batch = whole_batch(store)
    mask = masks(model, batch, schemes=SCHEMES[:5])
    target = dict(zip(model.design.modalities, mask.target.unbind(1), strict=True))
    predictions = model(batch, mask.hidden)
    terms = loss_terms(model.design.modalities, predictions, batch, target)

    expected, number = 0.0, 0
    for trial, bin_ in torch.nonzero(target["spikes"]).tolist():
        n_units = store.shapes[batch.sessions[trial]].units["spikes"]
        log_rate = predictions.log_rates["spikes"][trial, bin_, :n_units]
        entry = log_rate.exp() - batch.counts["spikes"][trial, bin_, :n_units] * log_rate
        expected, number = expected + entry.sum().item(), number + n_units
    assert terms["spikes"][1] == number
    assert terms["spikes"][0].item() == pytest.approx(expected, rel=1e-4)

    hidden_choices = target["choice"].any(-1)
    log_probability = predictions.logits["choice"].log_softmax(-1)
    expected = -log_probability[torch.arange(batch.n_trials), batch.categorical["choice"]][hidden_choices].sum()
    assert terms["choice"][0].item() == pytest.approx(expected.item(), rel=1e-4)

    hidden_stimuli = torch.nonzero(target["stimulus"].any(-1)).flatten().tolist()
    errors = [(predictions.scalars["stimulus"][i] - batch.scalar["stimulus"][i]).item() for i in hidden_stimuli]
    assert terms["stimulus"][1] == len(errors) > 0
    assert terms["stimulus"][0].item() == pytest.approx(sum(error**2 for error in errors), rel=1e-4)
