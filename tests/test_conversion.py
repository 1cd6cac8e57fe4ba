"""NWB and brainsets files as sources: written by pynwb and temporaldata, read, and cut like any recording."""

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from neds.conversion.settings import ConvertRun
from neds.conversion.stage import convert
from neds.errors import UserError
from neds.evaluation.settings import HeldOut
from neds.evaluation.unit_tasks import held_out_units
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.raw import RawSession, read_raw
from neds.modalities import PAPER, Modality, resolve
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.stage import partition
from tests import other_formats as formats

LICKS = Modality(name="licks", kind="counts")
HAND = Modality(name="hand", kind="continuous", width=2)
OF_TASK = resolve(["spikes", "wheel_speed", "hand", "choice"], {"hand": HAND})
CUE = {"align": "cue", "trial_rule": "all", "bin_s": 0.05, "min_units": 5}


def converted(
    path: Path, kind: str, mapping: dict, modalities: dict[str, Modality] = OF_TASK, *, linked: Sequence[Path] = ()
) -> RawSession:
    settings = ConvertRun(modalities=list(modalities.values()), mapping=mapping)
    output = path.with_suffix(".raw")
    convert(format=kind, file=path, eid="one", settings=settings, output=output, linked=linked)
    return read_raw(path.with_suffix(".raw"))


def aligned(path: Path, modalities: dict[str, Modality] = OF_TASK, **settings) -> AlignedSession:
    output = path.with_suffix(".aligned")
    run = PartitionRun(modalities=list(modalities.values()), partition=PartitionSettings(**settings))
    partition(raw=path.with_suffix(".raw"), settings=run, output=output)
    return read_aligned(output)


@pytest.fixture(scope="module")
def nwb_file(tmp_path_factory) -> Path:
    return formats.write_nwb(tmp_path_factory.mktemp("nwb") / "session.nwb")


@pytest.fixture(scope="module")
def brainsets_file(tmp_path_factory) -> Path:
    return formats.write_brainsets(tmp_path_factory.mktemp("brainsets") / "session.h5")


@pytest.mark.parametrize("kind", ["nwb", "brainsets"])
def test_a_file_of_another_task_becomes_the_same_session(kind, nwb_file, brainsets_file):
    path, mapping = {"nwb": (nwb_file, formats.NWB), "brainsets": (brainsets_file, formats.BRAINSETS)}[kind]
    raw = converted(path, kind, mapping)
    assert (raw.eid, raw.subject, raw.date) == ("one", "monkey", "2024-05-06")
    trains = formats.spike_trains()
    for unit, times_s in enumerate(trains):
        np.testing.assert_allclose(raw.spike_times[raw.spike_units == unit], times_s)
    assert (np.diff(raw.spike_times) >= 0).all()
    assert raw.units["acronym"].tolist() == raw.units["beryl"].tolist() == formats.REGIONS.tolist()
    assert raw.units["uuid"].is_unique
    clock = np.arange(0.01, formats.END_S, 0.02)
    np.testing.assert_allclose(raw.traces["wheel_speed"].times, clock)
    np.testing.assert_allclose(raw.traces["wheel_speed"].values, formats.speed(clock), atol=1e-6)
    np.testing.assert_allclose(raw.traces["hand"].values, formats.hand(clock), atol=1e-6)

    session = aligned(path, **CUE)
    assert session.usable and session.n_trials == formats.N_TRIALS
    edges_s = formats.CUE_S[:, None] - 0.5 + 0.05 * np.arange(41)
    np.testing.assert_allclose(session.values["wheel_speed"][..., 0], formats.speed(edges_s[:, 1:]), atol=0.02)
    assert session.values["hand"].shape == (formats.N_TRIALS, 40, 2)
    np.testing.assert_array_equal(session.values["choice"], formats.RESPONSES == "L")
    counts = np.histogram(trains[3], edges_s[5])[0]
    np.testing.assert_array_equal(session.values["spikes"][5, :, 3], counts)
    assert session.trials["condition"].nunique() == 2


def test_truth_values_and_unknown_values_of_a_column(tmp_path):
    """A truth value is 1 or 0; what stands for nothing is unknown, and its trial keeps its other values."""
    path = tmp_path / "session.h5"
    formats.write_brainsets(path)
    with h5py.File(path, "r+") as handle:
        handle["trials"]["correct"] = np.arange(formats.N_TRIALS) % 2 == 0
    side = Modality(name="side", kind="categorical", classes=["bad", "good"])
    values = {"side": {True: "good", False: ""}}
    mapping = {"series": {}, "trials": {"side": "correct"}, "units": {}, "values": values}
    assert converted(path, "brainsets", mapping, {"side": side}).trials["side"].tolist() == ["good", ""] * 30


def test_units_of_an_nwb_file_are_selected_by_their_quality(nwb_file):
    raw = converted(nwb_file, "nwb", formats.NWB)
    assert set(raw.units["probe"]) == {"array0"}
    session = aligned(nwb_file, min_label=1.0, **CUE)
    assert session.n_units == formats.N_UNITS - 2 and session.dropped["units: label below 1"] == 2


def test_an_nwb_file_without_trials_is_cut_into_windows(tmp_path):
    path = formats.write_nwb(tmp_path / "rest.nwb", with_trials=False)
    modalities = {name: OF_TASK[name] for name in ("spikes", "wheel_speed", "hand")}
    mapping = {"series": formats.NWB["series"]}
    raw = converted(path, "nwb", mapping, modalities)
    assert not len(raw.trials)
    windows = {"align": "none", "window_start_s": 0.0, "split": "blocks", "split_blocks": 1}
    session = aligned(path, modalities, bin_s=0.05, min_units=5, **windows)
    assert session.usable and session.n_trials > 100 and not session.has_conditions
    session = aligned(path, modalities, **CUE)
    assert session.reason == "no trials (trials: the file has no table trials, its tables are none)"


def test_a_session_in_the_layout_of_brain_wide_bench_needs_no_mapping(tmp_path):
    path = formats.write_brain_wide_bench(tmp_path / "d23a44ef.h5")
    raw = converted(path, "brainsets", {}, PAPER)
    assert (raw.subject, raw.lab) == ("SWC_001", "a lab")
    assert raw.units.loc[0, ["acronym", "beryl", "cosmos"]].tolist() == list(formats.REGION_NAMES.values())
    session = aligned(path, PAPER, min_units=5)
    assert session.usable and session.dropped == {"trials: no choice": 1}
    kept = session.trials["original_index"].to_numpy()
    np.testing.assert_array_equal(session.values["choice"], kept % 2)
    np.testing.assert_array_equal(session.values["block"], np.array([1, 0, 2])[kept // 20])
    assert session.settings["sources"]["whisker_motion_energy"] == "whisker_motion_energy"
    # The pipeline leaves a behaviour out that fails its quality control.
    missing = converted(path, "brainsets", {"series": {"wheel_speed": "wheel/wheel_speed", "hand": "paws/left"}})
    assert "the file has" in missing.provenance["problems"]["hand"]
    assert aligned(path, **CUE | {"align": "stimOn_times"}).reason.startswith(
        "no trace hand (hand: no series paws/left: the"
    )


NWB_MISTAKES = {
    "nwb.series.hand: no series processing/behavior/Postion/hand: processing/behavior has ": {
        "series": {"hand": "processing/behavior/Postion/hand"}
    },
    "nwb.series.hand: no series behavior/hand: a path begins with acquisition, processing": {
        "series": {"hand": "behavior/hand"}
    },
    "nwb.series.hand: no series processing/behavior: processing/behavior is a ProcessingModule and has ": {
        "series": {"hand": "processing/behavior"}
    },
    "nwb.trials.choice: no column side with one value each; there are id, start_time, stop_time, cue, response": {
        "trials": {"choice": "side"}
    },
    "nwb.units.acronym: no column location with one value each; there are id, ": {"units": {"acronym": "location"}},
    "nwb.units.depth_um: column quality holds text (good, noise); give each a number": {
        "units": {"depth_um": "quality"}
    },
    "nwb.values.choice: says nothing of R; it names L": {"values": {"choice": {"L": "left"}}},
    "nwb.values.choice: leftish is neither a class of choice (right, left)": {
        "values": {"choice": {"L": "leftish", "R": "right"}}
    },
    "nwb.trials.choice: name the column of choice; there are id, start_time": {"trials": None},
}


@pytest.mark.parametrize("message", NWB_MISTAKES)
def test_a_mapping_that_does_not_fit_the_file_is_one_line_with_file_key_and_what_is_there(message, nwb_file):
    change = NWB_MISTAKES[message]
    mapping = formats.NWB | {
        key: value if value is None or key == "values" else formats.NWB[key] | value for key, value in change.items()
    }
    with pytest.raises(UserError) as caught:
        converted(nwb_file, "nwb", mapping)
    assert f"{nwb_file}, config key {message}" in str(caught.value) and "\n" not in str(caught.value)


BRAINSETS_MISTAKES = {
    "brainsets.series.hand: no series cursor/position: cursor has ": {"hand": "cursor/position"},
    "brainsets.series.hand: no series mouse/pos: the file has ": {"hand": "mouse/pos"},
    "brainsets.series.hand: no series units/id: units is no time series but ArrayDict; the file has ": {
        "hand": "units/id"
    },
}


@pytest.mark.parametrize("message", BRAINSETS_MISTAKES)
def test_a_wrong_path_in_a_brainsets_file_is_one_line(message, brainsets_file):
    mapping = formats.BRAINSETS | {"series": BRAINSETS_MISTAKES[message], "missing_series": "error"}
    with pytest.raises(UserError) as caught:
        converted(brainsets_file, "brainsets", mapping)
    assert f"{brainsets_file}, config key {message}" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["nwb", "brainsets"])
def test_a_file_of_another_format_or_none_is_refused_in_one_line(kind, tmp_path, nwb_file, brainsets_file):
    garbage = tmp_path / "garbage.h5"
    garbage.write_bytes(b"no HDF5 at all")
    other = {"nwb": brainsets_file, "brainsets": nwb_file}[kind]
    for path in (garbage, other, tmp_path / "absent.h5"):
        with pytest.raises(UserError, match=path.name) as caught:
            converted(path, kind, {})
        assert "\n" not in str(caught.value)
    assert not garbage.with_suffix(".raw").exists()


def test_events_were_observed_in_their_domain(brainsets_file, tmp_path):
    path = Path(shutil.copy(brainsets_file, tmp_path / "s.h5"))
    with h5py.File(path, "r+") as handle:
        licks = handle.create_group("licks")
        licks.attrs["object"] = "IrregularTimeSeries"
        licks["timestamps"], licks["tongue"] = formats.CUE_S + 0.1, np.ones(formats.N_TRIALS)
        licks["domain/start"], licks["domain/end"] = [0.0, 120.0], [80.0, 250.0]
    mapping = formats.BRAINSETS | {"series": {"licks": "licks/tongue"}}
    modalities = {"spikes": OF_TASK["spikes"], "licks": LICKS, "choice": OF_TASK["choice"]}
    raw = converted(path, "brainsets", mapping, modalities)
    assert raw.traces["licks"].observed_s.tolist() == [[0, 80], [120, 250]]
    session = aligned(path, modalities, **CUE | {"min_trials": 20})
    assert not ((session.trials["cue"] > 78) & (session.trials["cue"] < 120)).any()
    assert session.dropped["trials: licks not observed throughout the window"] >= 10


@pytest.mark.parametrize("kind", ["nwb", "brainsets"])
def test_a_column_of_truth_values_names_the_units_that_co_smoothing_holds_out(kind, tmp_path):
    write, mapping = {
        "nwb": (formats.write_nwb, formats.NWB),
        "brainsets": (formats.write_brainsets, formats.BRAINSETS),
    }[kind]
    path, held_out = write(tmp_path / f"a.{kind}"), np.arange(formats.N_UNITS) % 3 == 0
    with h5py.File(path, "a") as handle:
        column = handle["units"].create_dataset("held_out", data=held_out)
        if kind == "nwb":
            column.attrs.update(handle["units/quality"].attrs)
            column.attrs["object_id"] = str(uuid.uuid4())
            handle["units"].attrs["colnames"] = [*handle["units"].attrs["colnames"], "held_out"]
    converted(path, kind, mapping)
    rule = HeldOut(share=0.5, seed=0, column="held_out")
    np.testing.assert_array_equal(held_out_units(aligned(path, **CUE), rule), np.flatnonzero(held_out))
