"""Arrays of other people that are not as they should be: read where they can be, refused in one line where not."""

import h5py
import numpy as np
import pytest

from neds.errors import UserError
from neds.modalities import Modality
from tests.test_arrays import N_BINS, N_TRIALS, N_UNITS, example, run, save
from tests.test_imperfect_files import one_line

IDS = np.where(np.arange(N_TRIALS) % 3, 20240101, 20240102)


@pytest.mark.parametrize("values", [IDS, IDS.astype(float), IDS.astype(str)])
def test_values_of_seven_digits_and_more_stay_apart(tmp_path, values):
    meaning = {"choice": {20240101: "left", 20240102: "right"}}
    session = run(tmp_path, example() | {"choice": values}, reading={"values": meaning})
    np.testing.assert_array_equal(session.values["choice"], IDS == 20240101)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_fractions_are_found_in_either_precision(tmp_path, kind):
    block = np.array([0.2, 0.5, 0.8])[np.arange(N_TRIALS) % 3].astype(np.float32).astype(kind)
    session = run(tmp_path, example() | {"block": block}, names=("spikes", "wheel_speed", "block"))
    np.testing.assert_array_equal(session.values["block"], np.arange(N_TRIALS) % 3)
    meaning = {"block": {0.2: "0.8", 0.5: "0.5", 0.8: ""}}
    session = run(
        tmp_path, example() | {"block": block}, names=("spikes", "wheel_speed", "block"), reading={"values": meaning}
    )
    np.testing.assert_array_equal(session.values["block"], np.array([2, 1, -1])[np.arange(N_TRIALS) % 3])


CUE_OF_TWO = Modality(name="cue", kind="categorical", classes=["low", "high"])
GRADES = Modality(name="cue", kind="categorical", classes=["1", "2", "3"])


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("choice", [-1, 0, 1], [0, -1, 1]),
        ("choice", [-1, 0, 0], [0, -1, -1]),
        ("choice", [0, 1, 1], [0, 1, 1]),
        ("reward", [-1, 0, 1], [0, -1, 1]),
        ("reward", [-1, 1, np.nan], [0, 1, -1]),
        ("reward", [True, False, True], [1, 0, 1]),
    ],
)
def test_numbers_of_choice_and_reward_are_read_as_those_of_the_ibl(tmp_path, name, given, expected):
    session = run(tmp_path, example() | {name: np.tile(given, 20)}, names=("spikes", "wheel_speed", name))
    assert session.values[name][:3].tolist() == expected
    assert (
        any(remark.startswith(f"{name}: ") and "->" in remark for remark in session.readings)
        and not session.remarks[1:]
    )


@pytest.mark.parametrize("given", [[-1, 0, 1], [-1, 0, 0], [-1, -1, -1]])
def test_numbers_that_can_be_read_in_two_ways_are_refused_until_declared(tmp_path, given):
    arrays = example() | {"cue": np.tile(given, 20)}
    with pytest.raises(
        UserError, match=r"-1 may stand for low or for unknown; say which under arrays\.values\.cue"
    ) as caught:
        run(tmp_path, arrays, custom=(CUE_OF_TWO,))
    one_line(caught)
    meaning = {"cue": {-1: "low", 0: "", 1: "high"}}
    session = run(
        tmp_path, arrays | {"cue": np.tile([-1, 0, 1], 20)}, custom=(CUE_OF_TWO,), reading={"values": meaning}
    )
    assert session.values["cue"][:3].tolist() == [0, -1, 1]


def test_names_that_are_numbers_are_never_taken_for_indices(tmp_path):
    with pytest.raises(UserError, match="key cue: 0 is neither a class of cue"):
        run(tmp_path, example() | {"cue": np.tile([0, 1, 2], 20)}, custom=(GRADES,))
    session = run(tmp_path, example() | {"cue": np.tile([1, 2, 1], 20)}, custom=(GRADES,))
    assert session.values["cue"][:3].tolist() == [0, 1, 0]


def test_a_meaning_that_lacks_a_value_is_one_line(tmp_path):
    with pytest.raises(UserError, match="says nothing of 1; it names -1") as caught:
        run(tmp_path, example(), reading={"values": {"choice": {-1: "right"}}})
    one_line(caught)


ODD = {
    "objects.npz": ("key choice: holds Python objects", {"choice": np.array(["left"] * N_TRIALS, dtype=object)}),
    "label.npz": ("key label: holds text", {"label": np.array(["good"] * N_UNITS)}),
    "time.npz": ("key align_time_s: must be numbers", {"align_time_s": np.array(["early"] * N_TRIALS)}),
    "date.npz": ("key day: holds neither numbers nor text", {"day": np.array(["2024-01-01"], dtype="datetime64[D]")}),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_arrays_are_refused_in_one_line_with_their_key(tmp_path, name):
    message, arrays = ODD[name]
    with pytest.raises(UserError, match=message) as caught:
        run(tmp_path, save(tmp_path / name, example() | arrays), min_label=0.5)
    assert name in one_line(caught)


def test_one_array_named_npz_is_named_as_such(tmp_path):
    np.save(tmp_path / "mine.npy", np.zeros(3))
    (tmp_path / "mine.npy").rename(tmp_path / "mine.npz")
    with pytest.raises(UserError, match=r"is one array \(.npy\) named .npz"):
        run(tmp_path, tmp_path / "mine.npz")


def test_arrays_of_another_byte_order_and_texts_of_old_programs_are_read(tmp_path):
    arrays = example() | {"depth_um": np.arange(float(N_UNITS)), "align_time_s": 4.0 * np.arange(N_TRIALS)}
    foreign = {
        key: np.asarray(array).astype(np.asarray(array).dtype.newbyteorder(">")) for key, array in arrays.items()
    }
    foreign["region"] = np.array(["région".encode("latin-1")] * N_UNITS)
    session = run(tmp_path, foreign)
    np.testing.assert_array_equal(session.values["wheel_speed"][..., 0], arrays["wheel_speed"])
    assert set(session.units["acronym"]) == {"région"}
    with h5py.File(tmp_path / "mine.h5", "w") as handle:
        for key, array in foreign.items():
            handle[key] = array
    assert set(run(tmp_path, tmp_path / "mine.h5").units["acronym"]) == {"région"}


def test_overlap_of_arrays_is_dealt_with_where_their_times_are_known(tmp_path):
    close = example() | {"align_time_s": 0.2 * np.arange(N_TRIALS)}
    session = run(tmp_path, close, min_trials=10)
    assert session.dropped["trials: window of train overlaps one of val or test"] > 5
    assert "no align_time_s of 60 trials" in "; ".join(run(tmp_path, example()).remarks)


def test_a_wheel_without_a_known_value_makes_a_session_of_arrays_unusable(tmp_path):
    wheel = np.full((N_TRIALS, N_BINS), np.nan)
    assert run(tmp_path, example() | {"wheel_speed": wheel}).reason.startswith("wheel_speed is unknown in all trials")
    wheel = np.full((N_TRIALS, N_BINS), 1e200)
    assert "beyond 3.4e+38" in run(tmp_path, example() | {"wheel_speed": wheel}).reason


def test_trials_of_arrays_without_any_spike_were_not_recorded(tmp_path):
    arrays = example()
    arrays["spikes"][[3, 20, 21]] = 0
    session = run(tmp_path, arrays, min_trials=10)
    assert session.dropped["trials: no spike of any unit, not recorded"] == 3
    assert not np.isin(session.trials["original_index"], [3, 20, 21]).any()
    assert run(tmp_path, arrays, longest_silence_s=None).n_trials == N_TRIALS
    rare = example()
    rare["spikes"] = (np.arange(N_TRIALS * N_BINS * N_UNITS).reshape(rare["spikes"].shape) % 500 == 0).astype(np.uint8)
    assert "trials: no spike of any unit, not recorded" not in run(tmp_path, rare, min_rate_hz=0).dropped


def test_whole_numbers_beyond_the_precision_of_floats_stay_apart(tmp_path):
    ids = 2**53 + np.arange(N_TRIALS) % 2
    cue = Modality(name="cue", kind="categorical", classes=[str(2**53), str(2**53 + 1)])
    session = run(tmp_path, example() | {"cue": ids}, custom=(cue,))
    np.testing.assert_array_equal(session.values["cue"], np.arange(N_TRIALS) % 2)
