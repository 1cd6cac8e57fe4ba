"""Marks by which the trials of two sessions are known to be the same, and not to be so by chance."""

import numpy as np
import pytest

from neds.partition.same_trials import of_spikes


@pytest.mark.parametrize(("n_bins", "rate"), [(4, 15), (2, 200), (10, 3)])
def test_sessions_of_few_bins_share_no_trials_by_chance(n_bins, rate):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        first, second = (set(of_spikes(rng.poisson(rate, (400, n_bins))).tolist()) for _ in range(2))
        assert not first & second - {0}


@pytest.mark.parametrize(("n_trials", "n_bins"), [(40, 100), (400, 40)])
def test_sessions_of_many_bins_share_the_trials_that_they_have_in_common(n_trials, n_bins):
    counts = np.random.default_rng(0).poisson(2, (n_trials, n_bins))
    first, second = of_spikes(counts[: n_trials // 2 + 4]), of_spikes(counts[n_trials // 2 :])
    assert (first > 0).all() and len(np.unique(first)) == len(first)
    np.testing.assert_array_equal(first[-4:], second[:4])
