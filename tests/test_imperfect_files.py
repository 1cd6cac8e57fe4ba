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
