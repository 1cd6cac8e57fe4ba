"""The rules of the partition stage, one by one: binning, interpolation, split, statistics, conditions, settings."""

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from neds.files.raw import Trace
from neds.modalities import resolve
from neds.partition.behaviour import Measured, align_behaviour
from neds.partition.binning import bin_edges, spikes_in_windows
from neds.partition.conditions import condition_index
from neds.partition.settings import PartitionSettings
from neds.partition.split import assign_split
from neds.partition.statistics import training_statistics

EID = "6713a4a7-faed-4df2-acab-ee4e63326f8d"
FRACTIONS = [0.7, 0.1, 0.2]


def test_binning_equals_a_plain_loop_with_overlapping_windows_and_spikes_on_edges():
    rng = np.random.default_rng(1)
    settings = PartitionSettings(window_start_s=-0.5, window_end_s=0.5, bin_s=0.125)
    edges = bin_edges(np.array([3.0, 1.0, 1.25, 1.25, 90.0]), settings)
    times = np.sort(np.concatenate([rng.uniform(0, 4, 3000), edges.ravel()]))
    units = rng.integers(0, 5, len(times))
    kept = np.array([True, False, True, True, False])
    expected = np.zeros((5, 8, 5), int)
    for k in range(5):
        for t in range(8):
            for time, unit in zip(times, units, strict=True):
                expected[k, t, unit] += edges[k, t] <= time < edges[k, t + 1]
    counts = spikes_in_windows(times, units, edges).counts(kept)
    np.testing.assert_array_equal(counts, expected[:, :, kept])
    assert counts.dtype == np.uint8


def test_a_bin_includes_its_left_edge_only():
    settings = PartitionSettings(window_start_s=0.0, window_end_s=1.0, bin_s=0.25)
    windowed = spikes_in_windows(np.array([0.0, 0.25, 1.0]), np.zeros(3, int), bin_edges(np.array([0.0]), settings))
    assert windowed.counts(np.array([True]))[0, :, 0].tolist() == [1, 1, 0, 0]


def test_counts_above_255_are_uint16():
    settings = PartitionSettings(window_start_s=0.0, window_end_s=1.0, bin_s=0.5)
    windowed = spikes_in_windows(np.linspace(0, 0.4, 300), np.zeros(300, int), bin_edges(np.array([0.0]), settings))
    counts = windowed.counts(np.array([True]))
    assert counts.dtype == np.uint16 and counts[0, 0, 0] == 300


def test_traces_are_interpolated_at_the_right_edge_of_each_bin():
    settings = PartitionSettings(window_start_s=-0.5, window_end_s=0.5, bin_s=0.1)
    clock = np.arange(0, 10, 0.03)
    edges = bin_edges(np.array([5.0]), settings)
    values, failures = align_behaviour(Measured("line", Trace(clock, 2 * clock)), np.array([0]), edges)
    np.testing.assert_allclose(values[0, :, 0], 2 * (4.5 + 0.1 * np.arange(1, 11)), rtol=1e-6)
    assert not any(mask.any() for mask in failures.values())


def test_a_trace_may_begin_and_end_within_one_bin_of_the_window():
    edges = bin_edges(np.array([5.0]), PartitionSettings(bin_s=0.02))
    for margin_s, uncovered in ((0.019, False), (0.021, True)):
        clock = np.linspace(4.5 + margin_s, 6.5 - margin_s, 2000)
        _, failures = align_behaviour(Measured("line", Trace(clock, clock)), np.array([0]), edges)
        assert failures["line does not cover the window"].tolist() == [uncovered]


def test_statistics_follow_the_training_trials():
    rng = np.random.default_rng(2)
    modalities = resolve(["spikes", "wheel_speed", "choice"], {})
    counts = rng.poisson(2, (20, 6, 3)).astype(np.uint8)
    counts[:, :, 2] = 0
    wheel = rng.normal(size=(20, 6, 1)).astype(np.float32)
    wheel[0, :3] = np.nan
    choice = np.array([0, 1, 1, -1] * 5, np.int8)
    training = np.arange(20) < 12
    values = {"spikes": counts, "wheel_speed": wheel, "choice": choice}
    found = training_statistics(values, modalities, training)
    np.testing.assert_allclose(found["spikes"]["mean"], counts[:12].mean(axis=(0, 1)))
    np.testing.assert_allclose(found["spikes"]["std"][:2], counts[:12, :, :2].std(axis=(0, 1)))
    assert found["spikes"]["std"][2] == 1
    np.testing.assert_allclose(found["wheel_speed"]["std"], np.nanstd(wheel[:12].astype(float)))
    np.testing.assert_allclose(found["choice"]["frequency"], [1 / 3, 2 / 3])


def test_the_split_is_a_function_of_eid_and_seed():
    split = assign_split(400, eid=EID, seed=0, fractions=FRACTIONS)
    assert np.bincount(split).tolist() == [280, 40, 80]
    np.testing.assert_array_equal(split, assign_split(400, eid=EID, seed=0, fractions=FRACTIONS))
    assert (split != assign_split(400, eid=EID, seed=1, fractions=FRACTIONS)).any()
    assert (split != assign_split(400, eid="another", seed=0, fractions=FRACTIONS)).any()


@pytest.mark.parametrize("n_trials", [3, 4, 5, 7, 10])
def test_every_part_of_a_small_split_has_a_trial(n_trials):
    for fractions in (FRACTIONS, [0.05, 0.05, 0.9], [0.98, 0.01, 0.01]):
        assert np.bincount(assign_split(n_trials, eid=EID, seed=0, fractions=fractions), minlength=3).min() >= 1


def test_conditions_number_the_combinations_that_occur():
    factors = pd.DataFrame({"choice": [1, -1, 1, 1], "reward": [True, True, False, True]})
    assert condition_index(factors).tolist() == [2, 0, 1, 2]
    assert condition_index(pd.DataFrame(index=range(3))).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bin_s": 0.03}, "does not divide the window"),
        ({"window_end_s": -1.0}, "must be later than"),
        ({"split_fractions": [0.7, 0.2, 0.2]}, "must sum to 1"),
        ({"align": "none", "split": "blocks"}, "windows that start at 0; set window_start_s to 0"),
        ({"align": "none", "window_start_s": 0.0}, "align none needs split: blocks"),
        ({"window_step_s": 1.0}, "window_step_s is for windows"),
        ({"window_intervals": ["task"]}, "window_intervals is for windows"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(ValidationError, match=message):
        PartitionSettings(**settings)
