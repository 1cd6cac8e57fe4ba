"""Which tokens a trial has: one or many of a value per trial, and patches of bins."""

import pytest
import torch

from neds.modalities import BUILT_IN, PAPER
from neds.model.layout import Layout, layout_of
from neds.model.settings import ModelSettings
from tests.aligned_sessions import make_session
from tests.test_model import make_model, masks, whole_batch


def layout(*names: str, n_bins: int = 100, **settings) -> Layout:
    return layout_of([BUILT_IN[name] for name in names], ModelSettings(**settings), n_bins)


def test_paper_modalities_have_500_tokens_as_copies_and_302_as_one_each():
    assert layout(*PAPER, per_trial_tokens="bins").n_tokens == 500
    one = layout(*PAPER, per_trial_tokens="one")
    assert one.n_tokens == 302
    assert [one.n_tokens_of(name) for name in PAPER] == [100, 100, 100, 1, 1]
    assert layout(*PAPER, per_trial_tokens="one", patch_bins=4).n_tokens == 3 * 25 + 2


def test_tokens_stand_in_the_middle_of_what_they_cover():
    device = torch.device("cpu")
    assert layout("spikes", "choice", n_bins=5, per_trial_tokens="one").times(device).tolist() == [0, 1, 2, 3, 4, 2]
    patched = layout("spikes", "wheel_speed", "choice", n_bins=10, per_trial_tokens="one", patch_bins=4)
    assert patched.times(device).tolist() == [1.5, 5.5, 9.5, 1.5, 5.5, 9.5, 4.5]


def test_trial_without_a_value_per_bin_has_copies_that_mark_the_time():
    """Encoding spikes from the choice alone must still give each bin a rate of its own."""
    assert layout("choice", "block", n_bins=10, per_trial_tokens="one").n_tokens == 20
    model, store = make_model(make_session(names=("spikes", "choice")), mode="encoding", per_trial_tokens="one")
    batch = whole_batch(store)
    rates = model(batch, masks(model, batch, schemes=("encoding",)).hidden).log_rates["spikes"]
    assert not torch.allclose(rates[:, 0], rates[:, 1])


@pytest.mark.parametrize("patch_bins", [2, 4])
def test_bins_of_a_patch_are_hidden_and_predicted_one_by_one(patch_bins):
    """A visible bin beside a hidden one of the same patch counts, and bins of one patch are predicted apart."""
    model, store = make_model(make_session(), patch_bins=patch_bins)
    batch = whole_batch(store)
    hidden = torch.zeros(batch.n_trials, 5, store.n_bins, dtype=torch.bool)
    hidden[:, 1, 0] = True
    before = model(batch, hidden).means["wheel_speed"]
    assert not torch.allclose(before[:, 0], before[:, 1])
    batch.continuous["wheel_speed"][:, 0] += 4.0
    assert torch.equal(model(batch, hidden).means["wheel_speed"], before), "the hidden bin"
    batch.continuous["wheel_speed"][:, 1] += 4.0
    assert not torch.allclose(model(batch, hidden).means["wheel_speed"], before), "its visible neighbour"
