"""Marks by which the trials of two sessions are known to be the same, and not to be so by chance."""

import re
from dataclasses import replace

import numpy as np
import pytest

from neds.errors import UserError
from neds.files.aligned import write_aligned
from neds.partition.same_trials import of_spikes
from neds.partition.sessions_table import sessions_table
from tests.test_arrays import N_BINS, N_TRIALS, N_UNITS, example, run


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


def arrays_of(seed: int, *, stimulus: int, timetable: int) -> dict[str, np.ndarray]:
    """A session of spikes of its own; stimulus and times of trials are drawn by their own seeds."""
    shape = (N_TRIALS, N_BINS, N_UNITS)
    times_s = np.cumsum(np.random.default_rng(timetable).uniform(2, 6, N_TRIALS))
    trace = np.random.default_rng(stimulus).normal(size=(N_TRIALS, N_BINS)).astype(np.float32)
    spikes = np.random.default_rng(seed).poisson(1, shape).astype(np.uint8)
    return example() | {"spikes": spikes, "wheel_speed": trace, "align_time_s": times_s}


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"seed": 2, "stimulus": 1, "timetable": 2}, ""),
        ({"seed": 2, "stimulus": 2, "timetable": 1}, ""),
        ({"seed": 2, "stimulus": 1, "timetable": 1}, "(equal behaviour and times)"),
        ({"seed": 1, "stimulus": 2, "timetable": 2}, "(equal spikes)"),
        ({"seed": 1, "stimulus": 1, "timetable": 1}, "(equal spikes, behaviour and times)"),
    ],
)
def test_arrays_with_one_stimulus_or_one_timetable_are_different_sessions(tmp_path, second, told):
    paths = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for path, given in zip(paths, [{"seed": 1, "stimulus": 1, "timetable": 1}, second], strict=True):
        write_aligned(path, replace(run(tmp_path, arrays_of(**given)), eid=path.stem))
    roles = {"a": "train", "b": "test"}
    if told:
        with pytest.raises(UserError, match=re.escape(told)):
            sessions_table(paths, roles)
    else:
        assert len(sessions_table(paths, roles)) == 2
