"""Files of other people that are not as they should be: read where they can be, refused in one line where not."""

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from hdmf.common import EnumData
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

from neds.config import check_config
from neds.errors import UserError
from neds.modalities import Modality, resolve
from tests import other_formats as formats
from tests.test_arrays import N_BINS, N_TRIALS, N_UNITS, example, run, save
from tests.test_config import ROOT
from tests.test_conversion import CUE, aligned, converted

SPIKES_SPEED = resolve(["spikes", "wheel_speed"], {})
SERIES = {"series": {"wheel_speed": "processing/behavior/speed"}, "trials": None, "units": None, "values": None}
CLOCK = np.arange(0.01, formats.END_S, 0.02)


def nwb(path: Path, *, units=None, speed=None, change=None, timestamps=None, rate=50.0, unit="rad/s") -> Path:
    """A file with units, a speed, and whatever `change` makes of the NWBFile."""
    file = NWBFile("a task", path.stem, datetime(2024, 5, 6, tzinfo=UTC))
    if units is None:
        for times_s in formats.spike_trains():
            file.add_unit(spike_times=times_s)
    else:
        units(file)
    file.add_trial_column("cue", "time of the cue")
    for cue_s in formats.CUE_S:
        file.add_trial(start_time=cue_s - 1, stop_time=cue_s + 2, cue=cue_s)
    clock = {"rate": rate, "starting_time": 0.01} if timestamps is None else {"timestamps": timestamps}
    data = formats.speed(CLOCK) if speed is None else speed
    file.create_processing_module("behavior", "b").add(TimeSeries(name="speed", data=data, unit=unit, **clock))
    if change:
        change(file)
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


def one_line(caught: pytest.ExceptionInfo) -> str:
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    return str(caught.value)


def test_obs_intervals_and_invalid_times_are_when_units_were_recorded(tmp_path):
    def units(file):
        for unit, times_s in enumerate(formats.spike_trains()):
            intervals = [[0.0, 150.0], [150.0, 249.0]] if unit < 10 else [[0.0, 60.0]]
            file.add_unit(spike_times=times_s, obs_intervals=intervals)

    path = nwb(
        tmp_path / "s.nwb",
        units=units,
        change=lambda file: file.add_invalid_time_interval(start_time=100.0, stop_time=120.0),
    )
    raw = converted(path, "nwb", SERIES, SPIKES_SPEED)
    sets = [raw.recorded.of_set(number).tolist() for number in raw.recorded.of_unit[[0, 11]]]
    assert sets == [[[0.0, 100.0], [120.0, 249.0]], [[0.0, 60.0]]]
    session = aligned(path, SPIKES_SPEED, **CUE | {"min_trials": 20})
    starts_s = session.trials["align_time_s"].to_numpy() - 0.5
    assert not ((starts_s + 2 > 100) & (starts_s < 120)).any() and starts_s.max() + 2 <= 249
    assert session.n_units == 10 and session.dropped["units: not recorded in all of the trials kept"] == 2


def test_a_domain_of_several_stretches_is_when_units_were_recorded(tmp_path):
    path = formats.write_brainsets(tmp_path / "s.h5")
    with h5py.File(path, "r+") as handle:
        del handle["spikes/domain/start"], handle["spikes/domain/end"]
        handle["spikes/domain/start"], handle["spikes/domain/end"] = [0.0, 130.0], [80.0, 240.0]
    mapping = formats.BRAINSETS
    converted(path, "brainsets", mapping)
    session = aligned(path, **CUE | {"min_trials": 20})
    starts_s = session.trials["align_time_s"].to_numpy() - 0.5
    assert not ((starts_s + 2 > 80) & (starts_s < 130)).any() and session.n_trials > 20


@pytest.mark.parametrize("missing", ["error", "skip"])
def test_a_series_whose_clock_was_reset_is_refused_or_leaves_the_session_unusable(tmp_path, missing):
    half = len(CLOCK) // 2
    path = nwb(tmp_path / "s.nwb", timestamps=np.concatenate([CLOCK[:half], CLOCK[: len(CLOCK) - half]]))
    mapping = SERIES | {"missing_series": missing}
    if missing == "error":
        with pytest.raises(
            UserError, match="series processing/behavior/speed cannot be used: its times go back"
        ) as caught:
            converted(path, "nwb", mapping, SPIKES_SPEED)
        one_line(caught)
    else:
        converted(path, "nwb", mapping, SPIKES_SPEED)
        assert "its times go back" in aligned(path, SPIKES_SPEED, **CUE).reason


@pytest.mark.parametrize("kind", ["nwb", "brainsets"])
def test_spikes_whose_clock_was_reset_are_refused(tmp_path, kind):
    trains = [np.concatenate([times, times]) for times in formats.spike_trains()]
    if kind == "nwb":
        path = nwb(tmp_path / "s.nwb", units=lambda file: [file.add_unit(spike_times=times) for times in trains])
        mapping = SERIES
    else:
        path, mapping = formats.write_brainsets(tmp_path / "s.h5"), formats.BRAINSETS
        with h5py.File(path, "r+") as handle:
            for name in ("timestamps", "unit_index"):
                values = handle["spikes"][name][:]
                del handle["spikes"][name]
                handle["spikes"][name] = np.concatenate([values, values])
    with pytest.raises(UserError, match="of 12 units go back") as caught:
        converted(path, kind, mapping, SPIKES_SPEED)
    assert str(path) in one_line(caught)


def test_spikes_without_a_time_or_a_unit_are_left_out_and_counted(tmp_path):
    path = formats.write_brainsets(tmp_path / "s.h5")
    with h5py.File(path, "r+") as handle:
        handle["spikes/timestamps"][100:130] = np.nan
        handle["spikes/unit_index"][200:220] = -1
        n = len(handle["spikes/timestamps"])
    raw = converted(path, "brainsets", formats.BRAINSETS)
    assert raw.provenance["remarks"]["spikes"] == (
        f"30 of {n} spikes left out, without a time; 20 of {n} spikes left out, of no unit"
    )
    assert len(raw.spike_times) == n - 50 and np.isfinite(raw.spike_times).all()
    with h5py.File(path, "r+") as handle:
        handle["spikes/unit_index"][5] = 12
    with pytest.raises(UserError, match=r"unit_index goes from -1 to 12, but the file has 12 units") as caught:
        converted(path, "brainsets", formats.BRAINSETS)
    one_line(caught)


@pytest.mark.parametrize("clock", ["rate", "timestamps"])
def test_a_transposed_series_is_told_as_such(tmp_path, clock):
    data = np.vstack([formats.speed(CLOCK)] * 2)
    path = nwb(tmp_path / "s.nwb", timestamps=CLOCK if clock == "timestamps" else None)
    with h5py.File(path, "r+") as handle:
        series = handle["processing/behavior/speed"]
        attributes = dict(series["data"].attrs)
        del series["data"]
        series["data"] = data
        series["data"].attrs.update(attributes)
    with pytest.raises(UserError, match="has time on the second axis, not the first") as caught:
        converted(path, "nwb", SERIES, SPIKES_SPEED)
    one_line(caught)


def test_a_series_of_more_values_than_samples_is_not_taken_for_transposed(tmp_path):
    data = np.random.default_rng(0).random((249, 300))
    path = nwb(tmp_path / "s.nwb", speed=data, rate=1.0)
    video = Modality(name="video", kind="continuous", width=None)
    mapping = SERIES | {"series": {"video": "processing/behavior/speed"}}
    assert converted(path, "nwb", mapping, {"video": video}).traces["video"].values.shape == (249, 300)


def test_values_that_32_bits_cannot_hold_make_a_series_unusable(tmp_path):
    path = nwb(tmp_path / "s.nwb", speed=np.where(CLOCK > 100, 1e300, 1.0))
    with pytest.raises(UserError, match=r"values beyond 3\.4e\+38") as caught:
        converted(path, "nwb", SERIES, SPIKES_SPEED)
    one_line(caught)


def test_units_without_electrodes_leave_the_others_their_regions(tmp_path):
    def units(file):
        group = file.create_electrode_group("p", "p", "brain", file.create_device("d"))
        for region in ("CA1", "LP"):
            file.add_electrode(location=region, group=group)
        for unit, times_s in enumerate(formats.spike_trains()):
            file.add_unit(spike_times=times_s, electrodes=[] if unit in (0, 5) else [unit % 2])

    path = nwb(tmp_path / "s.nwb", units=units)
    raw = converted(path, "nwb", SERIES | {"units": {"acronym": "electrodes.location"}}, SPIKES_SPEED)
    assert raw.units["acronym"].tolist() == ["", "LP", "CA1", "LP", "CA1", "", "CA1", "LP", "CA1", "LP", "CA1", "LP"]


def test_names_of_an_enumerated_column_are_read(tmp_path):
    def change(file):
        file.trials.add_column(
            name="side",
            description="side of the response",
            col_cls=EnumData,
            data=np.arange(formats.N_TRIALS, dtype=np.uint8) % 2,
            elements=["left", "right"],
        )

    path = nwb(tmp_path / "s.nwb", change=change)
    modalities = resolve(["spikes", "wheel_speed", "choice"], {})
    raw = converted(path, "nwb", SERIES | {"trials": {"choice": "side"}}, modalities)
    assert raw.trials["choice"].tolist() == ["left", "right"] * (formats.N_TRIALS // 2)
    assert raw.provenance["readings"]["choice"] == "left -> left (30), right -> right (30)"


def test_a_zarr_folder_is_named_as_such(tmp_path):
    (tmp_path / "s.nwb.zarr").mkdir()
    (tmp_path / "s.nwb.zarr" / ".zgroup").write_text("{}")
    with pytest.raises(UserError, match="is a Zarr folder") as caught:
        converted(tmp_path / "s.nwb.zarr", "nwb", SERIES, SPIKES_SPEED)
    one_line(caught)


def test_the_position_of_the_wheel_is_enough_for_its_speed_and_for_nothing_else(tmp_path):
    path = nwb(tmp_path / "s.nwb", speed=np.sin(CLOCK), unit="rad")
    mapping = SERIES | {"series": {"wheel_position": "processing/behavior/speed"}}
    converted(path, "nwb", mapping, SPIKES_SPEED)
    session = aligned(path, SPIKES_SPEED, **CUE)
    at_s = formats.CUE_S[:, None] - 0.5 + 0.05 * np.arange(1, 41)
    np.testing.assert_allclose(session.values["wheel_speed"][..., 0], np.abs(np.cos(at_s)), atol=0.03)
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text("eid\trole\tpath\none\ttest\ts.nwb\n")
    values = {"source": "nwb", "sessions": str(sheet), "regimes": ["scratch"], "nwb": {"series": mapping["series"]}}
    check_config(values | {"modalities": ["spikes", "wheel_speed"]}, base=ROOT)
    with pytest.raises(UserError, match="name the series of whisker_motion_energy"):
        check_config(values | {"modalities": ["spikes", "whisker_motion_energy"]}, base=ROOT)


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


INCOMPLETE = {
    "treadmill does not say when its samples were": ("treadmill", "sampling_rate", "treadmill/domain"),
    "cursor does not say when its samples were": ("cursor", "", "cursor/timestamps"),
    "no whole brainsets file": ("", "", "trials/start"),
}


@pytest.mark.parametrize("told", INCOMPLETE)
def test_brainsets_files_that_lack_a_part_are_one_line(tmp_path, told):
    path = formats.write_brainsets(tmp_path / "s.h5")
    group, attribute, item = INCOMPLETE[told]
    with h5py.File(path, "r+") as handle:
        if attribute:
            del handle[group].attrs[attribute]
        del handle[item]
        if item == "trials/start":
            handle[item] = 1.0
    with pytest.raises(UserError, match=told) as caught:
        converted(path, "brainsets", formats.BRAINSETS | {"missing_series": "error"})
    one_line(caught)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ([0.0, 100.0], [250.0], "has 2 of start and 1 of end"),
        ([np.nan], [250.0], "has NaN, or ends before it starts"),
        ([250.0], [0.0], "has NaN, or ends before it starts"),
    ],
)
@pytest.mark.parametrize("group", ["spikes", "cursor", "treadmill"])
def test_domains_that_say_no_stretches_of_time_are_one_line(tmp_path, group, start, end, told):
    path = formats.write_brainsets(tmp_path / "s.h5")
    with h5py.File(path, "r+") as handle:
        for name, values in (("start", start), ("end", end)):
            del handle[f"{group}/domain/{name}"]
            handle[f"{group}/domain/{name}"] = values
    with pytest.raises(UserError, match=f"{group}/domain {told}") as caught:
        converted(path, "brainsets", formats.BRAINSETS | {"missing_series": "error"})
    one_line(caught)


def test_a_domain_of_no_length_says_nothing(tmp_path):
    path = formats.write_brainsets(tmp_path / "s.h5")
    with h5py.File(path, "r+") as handle:
        for domain in ("spikes/domain", "cursor/domain", "domain"):
            handle[f"{domain}/end"][:] = handle[f"{domain}/start"][:]
    raw = converted(path, "brainsets", formats.BRAINSETS)
    assert raw.recorded is None and raw.traces["hand"].observed_s is None
    assert aligned(path, **CUE | {"min_trials": 20}).usable


def test_linked_files_of_a_format_that_has_none_are_one_line(tmp_path):
    path = formats.write_brainsets(tmp_path / "s.h5")
    with pytest.raises(UserError, match=r"only NWB files have linked files") as caught:
        converted(path, "brainsets", formats.BRAINSETS, linked=[path])
    one_line(caught)
