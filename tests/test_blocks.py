"""Splits in blocks of time with a guard gap."""

import numpy as np
import pandas as pd
import pytest

from neds.errors import UserError
from neds.files.aligned import SPLITS, write_aligned
from neds.partition.sessions_table import sessions_table
from neds.partition.split import assign_blocks
from tests import test_arrays
from tests.test_partition import EID, recording, run

FRACTIONS = [0.7, 0.1, 0.2]


def spans(n: int, *, every_s: float = 6.0, length_s: float = 2.0) -> np.ndarray:
    return every_s * np.arange(n)[:, None] + np.array([0.0, length_s])


def blocks(split: np.ndarray) -> list[int]:
    """The split of each run of trials of one split."""
    return split[np.flatnonzero(np.diff(split, prepend=-1))].tolist()


def smallest_distance_s(spans_s: np.ndarray, split: np.ndarray) -> float:
    """Least time between two windows of different splits; negative where they overlap."""
    apart = np.maximum(spans_s[:, None, 0] - spans_s[None, :, 1], spans_s[None, :, 0] - spans_s[:, None, 1])
    return apart[split[:, None] != split[None, :]].min()


@pytest.mark.parametrize("n_blocks", [1, 3, 5])
def test_each_split_has_its_share_in_blocks_over_the_session(n_blocks):
    split, _ = assign_blocks(spans(600), eid=EID, seed=0, fractions=FRACTIONS, n_blocks=n_blocks, gap_s=0)
    np.testing.assert_allclose(np.bincount(split) / 600, FRACTIONS, atol=0.01)
    assert 2 * n_blocks < len(blocks(split)) <= 3 * n_blocks
    for index in range(3):
        of_split = np.flatnonzero(split == index)
        assert of_split[0] < 600 / n_blocks and of_split[-1] >= 600 - 600 / n_blocks


@pytest.mark.parametrize(("every_s", "length_s"), [(6.0, 2.0), (2.0, 2.0), (0.5, 2.0)])
@pytest.mark.parametrize("gap_s", [0.0, 5.0, 20.0])
def test_windows_of_different_splits_are_apart_even_where_windows_overlap(every_s, length_s, gap_s):
    spans_s = spans(600, every_s=every_s, length_s=length_s)
    split, near = assign_blocks(spans_s, eid=EID, seed=0, fractions=FRACTIONS, n_blocks=3, gap_s=gap_s)
    assert smallest_distance_s(spans_s[~near], split[~near]) >= gap_s - 1e-5
    boundaries = len(blocks(split)) - 1
    assert near.sum() <= boundaries * ((gap_s + 2 * length_s) / every_s + 1)
    assert near.any() == (gap_s > every_s - length_s)


def test_blocks_depend_on_eid_seed_and_times_alone():
    times = spans(400)

    def drawn(eid=EID, seed=0, times=times):
        return assign_blocks(times, eid=eid, seed=seed, fractions=FRACTIONS, n_blocks=3, gap_s=5)[0]

    np.testing.assert_array_equal(drawn(), drawn())
    assert (drawn() != drawn(seed=1)).any() and (drawn() != drawn(eid="another")).any()
    order = np.random.default_rng(0).permutation(400)
    np.testing.assert_array_equal(drawn(times=times[order]), drawn()[order])


def test_partition_drops_trials_between_splits_and_says_how_many(tmp_path):
    settings = {"split": "blocks", "split_blocks": 2, "split_gap_s": 9.0, "min_trials": 20}
    session = run(tmp_path, recording(), **settings)
    times_s = session.trials["align_time_s"].to_numpy()
    spans_s = times_s[:, None] + np.array([-0.5, 1.5])
    assert smallest_distance_s(spans_s, session.split) >= 9.0 - 1e-5
    n_dropped = 60 - session.n_trials
    assert session.dropped["trials: less than 4.5 s from a boundary between splits"] == n_dropped > 0
    assert all(len(session.trials_of(split)) for split in SPLITS)
    rows = session.trials["original_index"].to_numpy()
    np.testing.assert_array_equal(session.values["choice"], np.arange(60)[rows] % 2)
    assert session.values["spikes"].shape[0] == len(session.split) == session.n_trials

    write_aligned(tmp_path / "session.h5", session)
    row = sessions_table([tmp_path / "session.h5"], {EID: "test"}).iloc[0]
    assert row["dropped"] == f"less than 4.5 s from a boundary between splits: {n_dropped}"
    assert row["n_train"] + row["n_val"] + row["n_test"] == row["n_trials"] == 60 - n_dropped


def test_a_gap_that_leaves_a_split_empty_makes_the_session_unusable(tmp_path):
    session = run(tmp_path, recording(), split="blocks", split_blocks=5, split_gap_s=20.0, min_trials=3)
    assert session.reason.startswith("no trials left for val") and "lower split_gap_s" in session.reason
    assert session.dropped["trials: less than 10 s from a boundary between splits"] > 0


def test_own_arrays_are_split_into_blocks_by_their_times(tmp_path):
    n = test_arrays.N_TRIALS
    arrays = test_arrays.example()
    blocked = {"split": "blocks", "split_blocks": 1, "split_gap_s": 8.0, "min_trials": 10}
    with pytest.raises(UserError, match=r"mine.npz, key align_time_s: is absent"):
        test_arrays.run(tmp_path, arrays, **blocked)
    times_s = 4.0 * np.random.default_rng(0).permutation(n)
    session = test_arrays.run(tmp_path, arrays | {"align_time_s": times_s}, **blocked)
    kept = session.trials["original_index"].to_numpy()
    assert session.dropped == {"trials: less than 4 s from a boundary between splits": n - len(kept)}
    spans_s = times_s[kept, None] + np.array([-0.1, 0.3])
    assert smallest_distance_s(spans_s, session.split) >= 8.0 - 1e-5
    np.testing.assert_array_equal(session.values["spikes"], arrays["spikes"][kept])
    pd.testing.assert_series_equal(
        session.trials["choice"], pd.Series(arrays["choice"][kept], name="choice"), check_dtype=False
    )
