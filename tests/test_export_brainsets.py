"""Sessions of ours as files that torch_brain and temporaldata read, and source brainsets too."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import temporaldata
import torch_brain.data

from neds.conversion.brainsets_export import export_brainsets
from neds.conversion.settings import ConvertRun
from neds.conversion.stage import convert
from neds.errors import UserError
from neds.files.aligned import AlignedSession, read_aligned
from neds.files.raw import RawSession, read_raw
from neds.modalities import PAPER
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.stage import partition
from tests.alf_trees import write_session
from tests.download_runs import EID, load_local, use_scratch_home
from tests.other_formats import NWB, write_nwb

CUT = PartitionRun(
    modalities=list(PAPER.values()), partition=PartitionSettings(min_trials=5, min_units=2, min_rate_hz=0)
)


def cut(raw: Path, output: Path) -> AlignedSession:
    partition(raw=raw, settings=CUT, output=output)
    return read_aligned(output)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[RawSession, AlignedSession, Path]:
    """A session of an ALF folder, as it was loaded, cut, and exported."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_scratch_home(folder, monkeypatch)
        write_session(folder / "alf")
        raw = load_local(folder / "alf", folder)
    aligned = cut(folder / "local.h5", folder / "aligned.h5")
    told = export_brainsets(raw=[folder / "local.h5"], aligned=[folder / "aligned.h5"], output=folder / "brainsets")
    assert told == f"{folder / 'brainsets' / EID}.h5: 6000 spikes, 20 units, 20 trials"
    return raw, aligned, folder / "brainsets" / f"{EID}.h5"


@pytest.mark.parametrize("library", [temporaldata, torch_brain.data], ids=["temporaldata", "torch_brain"])
def test_what_the_libraries_read_is_the_session(library, exported):
    raw, aligned, path = exported
    with h5py.File(path) as handle:
        data = library.Data.from_hdf5(handle)
        assert (data.session.id, data.subject.id, data.lab) == (raw.eid, raw.subject, raw.lab)
        np.testing.assert_array_equal(data.units.id[:].astype(str), raw.units["uuid"])
        np.testing.assert_array_equal(data.units.region_beryl[:].astype(str), raw.units["beryl"])
        n_trials = 0
        for split in ("train", "valid", "test"):
            stretches = getattr(data, f"{split}_domain")
            assert stretches.is_disjoint() and stretches.is_sorted()
            own = aligned.trials_of(split.replace("valid", "val"))
            for row in own:
                start_s = aligned.trials["align_time_s"][row] + aligned.window_start_s
                inside = data.slice(start_s, start_s + 2.0)
                counts = np.bincount(inside.spikes.unit_index[:], minlength=len(raw.units))
                expected = raw.spike_units[(raw.spike_times >= start_s) & (raw.spike_times < start_s + 2.0)]
                np.testing.assert_array_equal(counts, np.bincount(expected, minlength=len(raw.units)))
                assert ((stretches.start <= start_s + 1e-6) & (stretches.end >= start_s + 2.0 - 1e-6)).any()
            n_trials += len(own)
        assert n_trials == aligned.n_trials
        velocity = data.slice(10.0, 12.0).wheel
        clock = raw.traces["wheel_velocity"].times
        within = (clock >= 10.0) & (clock < 12.0)
        np.testing.assert_allclose(velocity.timestamps[:] + 10.0, clock[within])
        np.testing.assert_array_equal(velocity.wheel_vel[:], raw.traces["wheel_velocity"].values[within])
        np.testing.assert_array_equal(data.trials.stim_on_time[:], raw.trials["stimOn_times"])


def test_read_back_as_a_source_it_is_cut_into_the_same_trials(exported, tmp_path):
    _, aligned, path = exported
    convert(
        format="brainsets",
        file=path,
        eid=EID,
        settings=ConvertRun(modalities=list(PAPER.values())),
        output=tmp_path / "back.h5",
    )
    back = cut(tmp_path / "back.h5", tmp_path / "back_aligned.h5")
    assert back.usable and back.dropped == aligned.dropped
    assert back.units["uuid"].tolist() == aligned.units["uuid"].tolist()
    np.testing.assert_array_equal(back.split, aligned.split)
    np.testing.assert_array_equal(back.fingerprints[:, 0], aligned.fingerprints[:, 0])
    for name, values in aligned.values.items():
        np.testing.assert_allclose(back.values[name], values, rtol=1e-6, err_msg=name)


def test_trials_of_another_format_are_exported_with_their_beginnings_and_ends(tmp_path):
    convert(
        format="nwb",
        file=write_nwb(tmp_path / "session.nwb"),
        eid="reach",
        settings=ConvertRun(modalities=[PAPER["choice"]], mapping=NWB | {"series": {}}),
        output=tmp_path / "raw.h5",
    )
    export_brainsets(raw=[tmp_path / "raw.h5"], output=tmp_path)
    raw = read_raw(tmp_path / "raw.h5")
    with h5py.File(tmp_path / "reach.h5") as handle:
        trials = torch_brain.data.Data.from_hdf5(handle).trials
        np.testing.assert_array_equal(trials.start[:], raw.trials["start_time"])
        np.testing.assert_array_equal(trials.choice[:], raw.trials["choice"] == "left")


def test_an_aligned_file_of_another_session_is_refused(exported, tmp_path):
    folder = exported[2].parents[1]
    raw = read_raw(folder / "local.h5")
    with pytest.raises(UserError, match="is not among those of --raw"):
        export_brainsets(raw=[], aligned=[folder / "aligned.h5"], output=tmp_path)
    assert raw.eid == EID


def test_two_files_of_one_session_are_refused(exported, tmp_path):
    raw = exported[2].parents[1] / "local.h5"
    (tmp_path / "copy.h5").write_bytes(raw.read_bytes())
    with pytest.raises(UserError, match=f"--raw: {raw} and {tmp_path / 'copy.h5'} are both of session {EID}; name one"):
        export_brainsets(raw=[raw, tmp_path / "copy.h5"], output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
