"""Import of a user's own trial-aligned arrays."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from pydantic import ValidationError

from neds.errors import UserError
from neds.evaluation.settings import HeldOut
from neds.evaluation.unit_tasks import held_out_units
from neds.files.aligned import AlignedSession, read_aligned
from neds.modalities import Modality, resolve
from neds.partition.arrays import import_arrays
from neds.partition.settings import ArrayRun, ArraySettings, PartitionSettings

N_TRIALS, N_UNITS, N_BINS = 60, 12, 20
PUPIL = Modality(name="pupil", kind="continuous")
PAWS = Modality(name="paws", kind="continuous", width=2)
CUE = Modality(name="cue", kind="categorical", classes=["low", "high"])
RECORDING = Path(__file__).parents[2] / "shared" / "data" / "ibl_DY016_d23a44ef_probe00.npz"


def example() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "spikes": rng.poisson(0.4, (N_TRIALS, N_BINS, N_UNITS)).astype(np.uint8),
        "wheel_speed": rng.normal(size=(N_TRIALS, N_BINS)).astype(np.float32),
        "choice": np.where(np.arange(N_TRIALS) % 2, 1, -1),
        "bin_s": np.array(0.02),
        "t0_s": np.array(-0.1),
    }


def save(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as handle:
            for key, array in arrays.items():
                array = np.asarray(array)
                handle[key] = array.astype(object) if array.dtype.kind == "U" else array
    return path


def run(
    tmp_path,
    arrays: dict[str, np.ndarray] | Path,
    *,
    names=("spikes", "wheel_speed", "choice"),
    custom=(),
    reading: dict | None = None,
    **settings,
) -> AlignedSession:
    path = arrays if isinstance(arrays, Path) else save(tmp_path / "mine.npz", arrays)
    modalities = resolve(
        [*names, *(modality.name for modality in custom)], {modality.name: modality for modality in custom}
    )
    import_arrays(
        arrays=path,
        eid="mouse1",
        settings=ArrayRun(
            modalities=list(modalities.values()),
            partition=PartitionSettings(**settings),
            arrays=ArraySettings(**(reading or {})),
        ),
        output=tmp_path / "aligned.h5",
    )
    return read_aligned(tmp_path / "aligned.h5")


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("axes", ["trials,bins,units", "trials,units,bins"])
def test_both_orders_of_axes_in_both_file_types(tmp_path, suffix, axes):
    arrays = example()
    counts = arrays["spikes"]
    if axes == "trials,units,bins":
        arrays["spike_counts"] = arrays.pop("spikes").transpose(0, 2, 1)
    session = run(tmp_path, save(tmp_path / f"mine{suffix}", arrays))
    np.testing.assert_array_equal(session.values["spikes"], counts)
    np.testing.assert_array_equal(session.values["wheel_speed"][:, :, 0], arrays["wheel_speed"])
    np.testing.assert_array_equal(session.values["choice"], np.arange(N_TRIALS) % 2)
    assert (session.bin_s, session.window_start_s, session.n_trials_before) == (0.02, -0.1, N_TRIALS)
    assert session.trials["condition"].nunique() == 2 and session.trials["align_time_s"].isna().all()
    assert np.bincount(session.split).tolist() == [42, 6, 12]


@pytest.mark.parametrize("in_file", [True, False])
def test_ambiguous_axes_are_refused_until_named(tmp_path, in_file):
    arrays = example()
    arrays["spikes"] = arrays["spikes"][:, :N_UNITS]
    arrays["wheel_speed"] = arrays["wheel_speed"][:, :N_UNITS]
    with pytest.raises(UserError, match="does not tell bins from units"):
        run(tmp_path, arrays)
    if in_file:
        arrays["axes"] = np.array("trials,units,bins")
    session = run(tmp_path, arrays, reading={} if in_file else {"axes": "trials,units,bins"})
    np.testing.assert_array_equal(session.values["spikes"], arrays["spikes"].transpose(0, 2, 1))


def test_modalities_of_the_user(tmp_path):
    arrays = example() | {
        "eye": np.full((N_TRIALS, N_BINS), np.nan),
        "paws": np.zeros((N_TRIALS, N_BINS, 2)),
        "cue": np.where(np.arange(N_TRIALS) % 3, "high", "low"),
    }
    arrays["cue"][3] = ""
    arrays["eye"][:, 4] = 7.0
    session = run(tmp_path, arrays, custom=(PUPIL, PAWS, CUE), reading={"rename": {"eye": "pupil"}})
    assert session.values["pupil"].shape == (N_TRIALS, N_BINS, 1)
    assert np.isnan(session.values["pupil"]).sum() == N_TRIALS * (N_BINS - 1)
    assert session.statistics["pupil"] == {"mean": [7.0], "std": [1.0]}
    assert session.values["paws"].shape == (N_TRIALS, N_BINS, 2)
    assert session.values["cue"][:5].tolist() == [0, 1, 1, -1, 1]


@pytest.mark.parametrize(
    ("classes", "given", "expected"),
    [
        (["right", "left"], [-1, 1, 1], [0, 1, 1]),
        (["right", "left"], [0, 1, 1], [0, 1, 1]),
        (["right", "left"], [0.0, 1.0, np.nan], [0, 1, -1]),
        (["0.2", "0.5", "0.8"], [0.2, 0.8, 0.5], [0, 2, 1]),
        (["0.2", "0.5", "0.8"], [0, 2, -1], [0, 2, -1]),
        (["1", "2"], [1, 2, 2], [0, 1, 1]),
    ],
)
def test_categorical_values(tmp_path, classes, given, expected):
    cue = Modality(name="cue", kind="categorical", classes=classes)
    session = run(tmp_path, example() | {"cue": np.tile(given, N_TRIALS // 3)}, custom=(cue,))
    assert session.values["cue"][:3].tolist() == expected


def test_columns_of_units_and_trials(tmp_path):
    arrays = example() | {
        "region": np.array(["PO", "LP"] * (N_UNITS // 2)),
        "uuid": np.array([f"u{i}" for i in range(N_UNITS)]),
        "held_out": np.arange(N_UNITS) < 2,
        "condition": np.arange(N_TRIALS) % 5,
        "subject": np.array("mouse"),
        "split": np.array(["train", "train", "val", "test"] * (N_TRIALS // 4)),
    }
    arrays["spikes"][:, :, 3] = 0
    session = run(tmp_path, arrays)
    assert session.subject == "mouse" and session.dropped == {"units: rate not above 2 Hz": 1}
    assert session.units["uuid"].tolist() == [f"u{i}" for i in range(N_UNITS) if i != 3]
    assert session.units["acronym"].tolist()[:4] == ["PO", "LP", "PO", "PO"]
    rule = HeldOut(share=0.5, seed=0, column="held_out")
    assert held_out_units(session, rule).tolist() == [0, 1] and "held_out" not in run(tmp_path, example()).units
    assert session.trials["condition"].tolist() == (np.arange(N_TRIALS) % 5).tolist()
    assert session.split[:4].tolist() == [0, 0, 1, 2]


def test_bins_are_cut_and_the_window_moves_with_them(tmp_path):
    arrays = example()
    session = run(tmp_path, arrays, reading={"bins": [2, 19], "bin_s": 0.05, "window_start_s": -0.5})
    assert session.n_bins == 17 and session.window_start_s == pytest.approx(-0.4) and session.bin_s == 0.05
    np.testing.assert_array_equal(session.values["spikes"], arrays["spikes"][:, 2:19])


def test_counts_above_255_stay_whole(tmp_path):
    arrays = example()
    arrays["spikes"] = arrays["spikes"].astype(float)
    arrays["spikes"][0, 0, 0] = 300
    session = run(tmp_path, arrays)
    assert session.values["spikes"].dtype == np.uint16 and session.values["spikes"][0, 0, 0] == 300


MALFORMED = {
    "key spikes: spike counts hold NaN": {"spikes": np.full((N_TRIALS, N_BINS, N_UNITS), np.nan)},
    "key spikes: spike counts hold negative": {"spikes": np.full((N_TRIALS, N_BINS, N_UNITS), -1)},
    "key spikes: spike counts must be whole": {"spikes": np.full((N_TRIALS, N_BINS, N_UNITS), 0.5)},
    "key spikes: spike counts exceed": {"spikes": np.full((N_TRIALS, N_BINS, N_UNITS), 70000)},
    "key spikes: spike counts need three axes": {"spikes": np.zeros((N_TRIALS, N_BINS), int)},
    "key spikes: shape .* fits no behaviour": {"spikes": np.zeros((N_TRIALS, 7, N_UNITS), int)},
    "key wheel_speed: expected 60 trials": {"wheel_speed": np.zeros((N_TRIALS - 1, N_BINS))},
    "key wheel_speed: expected shape": {"wheel_speed": np.zeros((N_TRIALS, N_BINS, 3))},
    "key wheel_speed: must be numbers": {"wheel_speed": np.full((N_TRIALS, N_BINS), "x")},
    "key wheel_speed: holds infinite": {"wheel_speed": np.full((N_TRIALS, N_BINS), np.inf)},
    "key choice: 7 is neither a class": {"choice": np.full(N_TRIALS, 7)},
    "key choice: no is neither a class": {"choice": np.full(N_TRIALS, "no")},
    "key choice: expected one value per trial": {"choice": np.zeros((N_TRIALS, N_BINS))},
    "key region: expected one value per unit": {"region": np.array(["PO"])},
    "key split: every trial must be": {"split": np.zeros(N_TRIALS, int)},
    "key bin_s: 0 is no bin width": {"bin_s": np.array(0.0)},
    "key t0_s: expected one number": {"t0_s": np.array("early")},
    "key axes|axes 'bins' must be one of": {"axes": np.array("bins")},
}


@pytest.mark.parametrize("message", MALFORMED)
def test_malformed_arrays_are_refused_in_one_line(tmp_path, message):
    with pytest.raises(UserError, match=message) as caught:
        run(tmp_path, example() | MALFORMED[message])
    assert "mine.npz" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "aligned.h5").exists()


@pytest.mark.parametrize(
    "name", ["damaged.npz", "truncated.npz", "damaged.h5", "absent.npz", "mine.mat", "pickled.npz"]
)
def test_unreadable_files_are_refused_in_one_line(tmp_path, name):
    path = tmp_path / name
    if name.startswith("damaged"):
        path.write_bytes(b"not an archive")
    elif name == "truncated.npz":
        save(path, example())
        path.write_bytes(path.read_bytes()[:3000])
    elif name == "pickled.npz":
        np.savez(path, **example(), odd=np.array([{}]))
    with pytest.raises(UserError, match=name) as caught:
        run(tmp_path, path)
    assert "\n" not in str(caught.value)


def test_bins_beyond_the_file_are_refused(tmp_path):
    with pytest.raises(UserError, match="goes beyond the 20 bins"):
        run(tmp_path, example(), reading={"bins": [1, 21]})
    with pytest.raises(ValidationError, match="holds no bin"):
        ArraySettings(bins=[3, 3])


def test_renaming_onto_an_existing_key_is_refused(tmp_path):
    with pytest.raises(UserError, match="two keys are called wheel_speed"):
        run(tmp_path, example() | {"wheel": np.zeros(3)}, reading={"rename": {"wheel": "wheel_speed"}})


def test_an_absent_modality_makes_the_session_unusable(tmp_path):
    arrays = example()
    del arrays["wheel_speed"]
    session = run(tmp_path, arrays)
    assert session.reason == "mine.npz has no array wheel_speed; its keys are spikes, choice, bin_s, t0_s"
    assert session.n_trials_before == N_TRIALS
    with pytest.raises(UserError, match="has no array wheel_speed"):
        run(tmp_path, arrays, unusable="error")


@pytest.mark.parametrize(
    ("settings", "reason"), [({"min_trials": 61}, "min_trials 61"), ({"min_units": 13}, "min_units 13")]
)
def test_too_few_trials_or_units_make_the_session_unusable(tmp_path, settings, reason):
    assert run(tmp_path, example(), **settings).reason.endswith(reason)


def test_held_out_trials_change_no_unit_and_no_statistic(tmp_path):
    arrays = example()
    before = run(tmp_path, arrays)
    arrays["spikes"][before.split != 0] = 50
    arrays["wheel_speed"][before.split != 0] = 1000
    after = run(tmp_path, arrays)
    assert before.units.equals(after.units)
    for name in before.statistics:
        for key, value in before.statistics[name].items():
            np.testing.assert_array_equal(value, after.statistics[name][key])


@pytest.mark.skipif(not RECORDING.is_file(), reason="the real recording is not in this checkout")
def test_a_real_recording(tmp_path):
    custom = (Modality(name="paw_speed", kind="continuous"),)
    session = run(
        tmp_path,
        RECORDING,
        names=("spikes", "wheel_speed", "whisker_motion_energy", "pupil_diameter"),
        custom=custom,
        reading={"rename": {"motion_energy": "whisker_motion_energy"}, "bins": [1, 49]},
        min_rate_hz=1.0,
    )
    assert session.values["spikes"].shape[:2] == (367, 48) and session.window_start_s == pytest.approx(-0.18)
    # 270 units pass 1 Hz over all trials; which ones pass over the training trials depends on the split.
    assert abs(session.n_units - 270) <= 5
    assert set(session.units["acronym"]) == {"po", "lp", "dg", "ca1", "vis"}


def test_an_array_of_many_columns_becomes_components(tmp_path):
    rng = np.random.default_rng(0)
    video = rng.normal(size=(N_TRIALS, N_BINS, 2)) @ rng.normal(size=(2, 30))
    session = run(
        tmp_path, example() | {"video": video}, custom=(Modality(name="video", kind="continuous", width=None),)
    )
    assert session.modalities["video"].width == 2 and session.values["video"].shape == (N_TRIALS, N_BINS, 2)
    np.testing.assert_allclose(session.components["video"].restored(session.values["video"]), video, atol=1e-4)


def test_keys_that_are_not_used_are_told_with_what_may_have_been_meant(tmp_path):
    arrays = example() | {
        "Region": np.array(["CA1"] * N_UNITS),
        "notes": np.array("x"),
        "block": np.arange(N_TRIALS) % 3,
    }
    told = "keys that are not used: Region (did you mean region?), notes"
    assert told in run(tmp_path, arrays).remarks
    arrays["region"] = arrays.pop("Region")
    assert "keys that are not used: notes" in run(tmp_path, arrays).remarks
    reading = {"rename": {"areas": "acronym"}}
    assert "keys to be renamed that the file lacks: areas" in run(tmp_path, arrays, reading=reading).remarks


def test_a_second_key_of_the_same_meaning_is_not_used(tmp_path):
    arrays = example()
    session = run(tmp_path, arrays | {"spike_counts": arrays["spikes"], "whisker_motion_energy": arrays["wheel_speed"]})
    assert any(remark == "keys that are not used: spike_counts" for remark in session.remarks)


def test_what_is_absent_is_told_with_what_may_have_been_meant(tmp_path):
    arrays = example()
    arrays["counts"], arrays["Wheel_speed"] = arrays.pop("spikes"), arrays.pop("wheel_speed")
    reason = run(tmp_path, arrays).reason
    assert "no array spikes (did you mean counts?), wheel_speed (did you mean Wheel_speed?)" in reason


def test_groups_of_a_file_and_numbers_that_the_configuration_overrules_are_told(tmp_path):
    path = save(tmp_path / "mine.h5", example())
    with h5py.File(path, "r+") as handle:
        handle["behaviour/wheel"] = np.zeros(3)
    session = run(tmp_path, path, reading={"bin_s": 0.05})
    assert "groups, of which nothing is read: behaviour" in session.remarks
    assert "bin_s is 0.02 in the file and 0.05 by arrays.bin_s, which counts" in session.remarks


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (np.linspace(0.02, 0.03, N_TRIALS), f"of shape ({N_TRIALS},)"),
        (np.array("20 ms"), "20 ms"),
        (np.array(0.02), "0.02"),
    ],
)
def test_a_number_of_the_file_that_is_none_gives_way_to_the_configuration_too(tmp_path, given, told):
    session = run(tmp_path, example() | {"bin_s": given}, reading={"bin_s": 0.05})
    assert f"bin_s is {told} in the file and 0.05 by arrays.bin_s, which counts" in session.remarks


def test_a_trial_that_stands_twice_is_in_one_split_alone(tmp_path):
    arrays = example() | {"spikes": np.random.default_rng(1).poisson(1, (N_TRIALS, N_BINS, N_UNITS)).astype(np.uint8)}
    twice = {key: np.concatenate([array[:30]] * 2) if array.ndim else array for key, array in arrays.items()}
    session = run(tmp_path, twice, min_trials=10)
    of_split = [
        set(session.trials["original_index"].to_numpy()[session.trials_of(name)] % 30)
        for name in ("train", "val", "test")
    ]
    assert not of_split[0] & of_split[1] and not of_split[2] & (of_split[0] | of_split[1])
    assert len(session.trials_of("test")) == 12
    assert session.dropped["trials: the same trial is in another split"] == 60 - session.n_trials > 0
    assert "in two splits, spike by spike: " in run(tmp_path, twice, overlap="refuse").reason
    assert run(tmp_path, twice, overlap="allow").n_trials == run(tmp_path, arrays).n_trials == 60


def test_numbers_of_either_precision_are_the_same(tmp_path):
    session = run(tmp_path, example() | {"bin_s": np.float32(0.02), "t0_s": np.float32(-0.1)})
    assert (session.bin_s, session.window_start_s) == (0.02, -0.1)


def test_times_of_trials_that_are_not_in_order_are_told(tmp_path):
    session = run(tmp_path, example() | {"align_time_s": 4.0 * np.arange(N_TRIALS)[::-1]})
    assert session.remarks == ["align_time_s is not in order: trials are taken by their times"]
