"""`neds check` opens recordings: a line for each name that a file lacks, before anything runs."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from neds.commands.check import check_run
from neds.conversion.look import look_into
from neds.conversion.settings import ConvertRun
from neds.errors import UserError
from neds.modalities import Modality, resolve
from neds.partition.outlook import Outlook
from neds.partition.settings import PartitionSettings
from tests import other_formats as formats
from tests.alf_trees import SESSION_PATH, write_session
from tests.download_runs import EID, use_scratch_home
from tests.test_arrays import example, save

BASE = {"sessions": "sheet.tsv", "regimes": ["scratch"], "partition": {"align": "cue", "trial_rule": "all"}}
NWB = BASE | {
    "source": "nwb",
    "modalities": ["spikes", "wheel_speed", "hand", "choice"],
    "custom_modalities": {"hand": {"kind": "continuous", "width": 2}},
    "nwb": formats.NWB,
}
ARRAYS = {key: value for key, value in BASE.items() if key != "partition"} | {
    "source": "aligned",
    "modalities": ["spikes", "wheel_speed", "choice"],
}


N_SPIKES = sum(map(len, formats.spike_trains()))


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Run `neds check` on files of this folder; returns what is said of them, by how it is marked."""
    monkeypatch.chdir(tmp_path)

    def run(config: dict, *files: str, **options) -> dict[str, list[str]]:
        eids = [EID if config["source"] == "alf" else Path(file).stem for file in files]
        rows = "".join(f"{eid}\ttest\t{file}\n" for eid, file in zip(eids, files, strict=True))
        Path("sheet.tsv").write_text("eid\trole\tpath\n" + rows)
        Path("mine.yaml").write_text(yaml.safe_dump(config))
        found = json.loads(check_run(configfile=[Path("mine.yaml")], as_json=True, **options))
        return {
            state: [each["said"] for each in found if each["about"] == "file" and each["state"] == state]
            for state in ("fine", "note", "missing")
        }

    return run


def nwb(**changes) -> dict:
    return NWB | {"nwb": formats.NWB | changes}


def test_what_a_file_holds_is_told(check):
    formats.write_nwb(Path("a.nwb"))
    found = check(NWB, "a.nwb")
    assert not found["note"] and not found["missing"]
    assert found["fine"] == [
        f"a.nwb: 12 units, {N_SPIKES} spikes, 60 trials (60 kept by the trial rule), wheel_speed 100% known, "
        "hand 100% known, choice 100% known; choice: L -> left (40), R -> right (20)"
    ]


def test_every_name_that_a_file_lacks_is_a_line_with_file_and_key(check):
    formats.write_nwb(Path("a.nwb"))
    series = formats.NWB["series"] | {"hand": "processing/behavior/Position/paw"}
    units = formats.NWB["units"] | {"label": "kslabel"}
    config = nwb(series=series, units=units, trials={"choice": "answer"})
    missing = check(config, "a.nwb")["missing"]
    starts = [
        "a.nwb, config key nwb.series.hand: no series processing/behavior/Position/paw: processing/behavior/Position has",
        "a.nwb, config key nwb.units.label: no column kslabel with one value each; there are id, ",
        "a.nwb, config key nwb.trials.choice: no column answer with one value each; there are id, start_time, ",
    ]
    assert len(missing) == 3
    assert all(line.startswith(start) for line, start in zip(missing, starts, strict=True)), missing
    with pytest.raises(UserError, match="3 things that a run needs"):
        check_run(configfile=[Path("mine.yaml")])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"values": {"choice": {"L": "left"}}}, "a.nwb, config key nwb.values.choice: says nothing of R"),
        ({"series_units": {"wheel_speed": "cm/s"}}, "a.nwb, config key nwb.series.wheel_speed: series processing/beh"),
    ],
)
def test_values_and_units_that_cannot_be_used_are_told(changes, said, check):
    formats.write_nwb(Path("a.nwb"))
    (line,) = check(nwb(**{key: formats.NWB.get(key, {}) | value for key, value in changes.items()}), "a.nwb")[
        "missing"
    ]
    assert line.startswith(said)


def test_a_series_of_another_width_is_told_with_the_width_to_write(check):
    formats.write_nwb(Path("a.nwb"))
    (line,) = check(NWB | {"custom_modalities": {"hand": {"kind": "continuous"}}}, "a.nwb")["missing"]
    assert line.endswith("Position/hand has 2 values per sample; set `width` of the modality to 2")


def test_what_would_leave_a_session_out_is_a_note(check):
    formats.write_nwb(Path("a.nwb"))
    formats.write_nwb(Path("b.nwb"), seed=1, with_hand=False)
    formats.write_nwb(Path("c.nwb"), seed=2, with_trials=False)
    found = check(nwb(missing_series="skip"), "a.nwb", "b.nwb", "c.nwb")
    assert found["missing"] == [] and len(found["fine"]) == 1
    assert "b.nwb, config key nwb.series.hand: no series" in found["note"][0]
    assert "c.nwb: the file has no table trials" in found["note"][1]
    assert all(line.endswith("(the session would be left out)") for line in found["note"])
    found = check(NWB | {"partition": {"align": "stimulus", "trial_rule": "all"}}, "a.nwb")
    assert "a.nwb: trials table without column stimulus; it has id, start_time" in found["note"][0]


def test_a_damaged_file_is_a_line_and_others_are_still_opened(check):
    formats.write_nwb(Path("a.nwb"))
    Path("b.nwb").write_bytes(b"no HDF5")
    found = check(NWB, "a.nwb", "b.nwb")
    assert len(found["fine"]) == 1 and found["missing"][0].startswith("b.nwb: damaged, or no NWB file")


def test_brainsets_files_are_looked_into_as_nwb_files_are(check):
    formats.write_brainsets(Path("a.h5"))
    config = NWB | {"source": "brainsets", "brainsets": formats.BRAINSETS}
    (line,) = check(config, "a.h5")["fine"]
    assert line.startswith(
        f"a.h5: 12 units, {N_SPIKES} spikes, 60 trials (60 kept by the trial rule), wheel_speed 100% "
    )
    series = {"wheel_speed": "treadmill/velocity", "hand": "cursor/pos"}
    config["brainsets"] = formats.BRAINSETS | {"series": series, "missing_series": "error"}
    (line,) = check(config, "a.h5")["missing"]
    assert line.startswith("a.h5, config key brainsets.series.wheel_speed: no series treadmill/velocity: treadmill has")


def test_arrays_are_judged_as_their_import_judges_them(check):
    save(Path("a.npz"), example())
    assert check(ARRAYS, "a.npz")["fine"] == [
        f"a.npz: 12 units, {example()['spikes'].sum():.0f} spikes, 60 of 60 trials kept, wheel_speed 100% known, "
        "choice 100% known; choice: -1 -> right (30), 1 -> left (30)"
    ]
    arrays = example()
    arrays["Choice"] = arrays.pop("choice")
    save(Path("a.npz"), arrays)
    save(Path("b.npz"), example() | {"wheel_speed": np.zeros((60, 3))})
    found = check(ARRAYS, "a.npz", "b.npz")
    assert "a.npz has no array choice (did you mean Choice?)" in found["note"][0]
    assert found["missing"][0].startswith("b.npz, key ")


@pytest.mark.parametrize("kind", ["arrays", "brainsets"])
def test_a_column_of_held_out_units_that_a_file_lacks_is_told(kind, check):
    config = ARRAYS if kind == "arrays" else NWB | {"source": "brainsets", "brainsets": formats.BRAINSETS}
    held_out = np.arange(12) < 3
    for name, has_column in (("a", False), ("b", True)):
        if kind == "arrays":
            save(Path(f"{name}.npz"), example() | ({"held_out": held_out} if has_column else {}))
            continue
        formats.write_brainsets(Path(f"{name}.h5"))
        if has_column:
            with h5py.File(f"{name}.h5", "r+") as handle:
                handle["units"].create_dataset("held_out", data=held_out)
    files = [f"{name}.{'npz' if kind == 'arrays' else 'h5'}" for name in ("a", "b")]
    found = check(config | {"evaluation": {"tasks": ["co_smoothing"], "held_out_column": "held_out"}}, *files)
    (line,) = found["missing"]
    assert line.startswith(
        "config key evaluation.held_out_column: session a has no column held_out of its units; it has"
    )
    assert len(found["fine"]) == 1 and found["fine"][0].startswith(f"{files[1]}: ")
    assert not check(config | {"evaluation": {"held_out_column": "held_out"}}, *files)["missing"], "no co-smoothing"


def test_one_file_or_none_may_be_opened(check):
    for name in ("a.npz", "b.npz", "c.npz"):
        save(Path(name), example() | {"session": [ord(name[0])]})
    found = check(ARRAYS, "a.npz", "b.npz", "c.npz", files="first")
    assert len(found["fine"]) == 1 and found["note"] == ["2 more files not opened (--files first)"]
    assert not any(check(ARRAYS, "a.npz", "b.npz", "c.npz", files="none").values())


def test_a_file_that_vanishes_while_it_looks_does_not_end_the_check(check, monkeypatch):
    save(Path("a.npz"), example())
    monkeypatch.setattr(os, "walk", lambda folder: [(str(folder), [], ["gone.h5"])])
    assert check(ARRAYS, "a.npz")["missing"] == []


def test_usual_columns_that_a_brainsets_file_lacks_are_no_fault(check):
    formats.write_brainsets(Path("a.h5"))
    mapping = {"series": formats.BRAINSETS["series"]}
    config = NWB | {"source": "brainsets", "brainsets": mapping, "modalities": ["spikes", "wheel_speed", "hand"]}
    assert check(config, "a.h5")["fine"] == [
        f"a.h5: 12 units, {N_SPIKES} spikes, 60 trials (60 kept by the trial rule), wheel_speed 100% known, hand 100% known"
    ]


def _alf(root: Path, **partition) -> dict:
    return {
        "source": "alf",
        "sessions": "sheet.tsv",
        "regimes": ["scratch"],
        "download": {"alf_root": str(root)},
        "modalities": ["spikes", "wheel_speed", "whisker_motion_energy", "choice"],
        "partition": {"trial_rule": "all", "min_trials": 10} | partition,
    }


def test_an_alf_folder_is_opened_and_what_is_in_it_is_counted(check, tmp_path, monkeypatch):
    use_scratch_home(tmp_path, monkeypatch)
    root = tmp_path / "alf"
    write_session(root)
    (line,) = check(_alf(root), SESSION_PATH)["fine"]
    assert line.startswith(
        f"{SESSION_PATH}: 20 units, 6000 spikes, 20 trials (20 kept by the trial rule), wheel_speed 100% known, "
        "whisker_motion_energy 99.9% known, choice 100% known; choice: "
    )
    for probe in ("probe00", "probe01"):
        sorting = root / SESSION_PATH / "alf" / probe / "pykilosort"
        for name in ("times", "clusters", "amps", "depths"):
            np.save(sorting / f"spikes.{name}.npy", np.zeros(0, int if name == "clusters" else float))
    for name in ("wheel.position", "wheel.timestamps"):
        (root / SESSION_PATH / f"alf/_ibl_{name}.npy").unlink()
    found = check(_alf(root, min_trials=30), SESSION_PATH)
    assert not found["fine"] and not found["missing"]
    assert "no spikes (" in found["note"][0] and "probe00: the spike sorting is empty" in found["note"][0]
    assert "20 of 20 trials kept by the trial rule, fewer than partition.min_trials 30" in found["note"][1]
    assert "wheel_speed: no trace wheel_velocity (" in found["note"][2]
    for table in (root / SESSION_PATH / "alf").glob("*trials*"):
        table.unlink()
    (fault,) = check(_alf(root), SESSION_PATH)["missing"]
    assert fault.startswith(f"{SESSION_PATH}: the session has no trials datasets")


def look(path: str, format: str = "nwb", **partition) -> Outlook:
    """What a look into a file of the reaching task finds."""
    custom = {"hand": Modality(name="hand", kind="continuous", width=2)}
    modalities = resolve(["spikes", "wheel_speed", "hand", "choice"], custom)
    mapping = {"nwb": formats.NWB, "brainsets": formats.BRAINSETS}[format]
    return look_into(
        Path(path),
        format=format,
        settings=ConvertRun(modalities=list(modalities.values()), mapping=mapping),
        modalities={"": modalities},
        cuttings={"": PartitionSettings(align="cue", trial_rule="all", **partition)},
    )


def test_recordings_without_spikes_or_with_too_little_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    formats.write_nwb(Path("a.nwb"))
    assert look("a.nwb", min_units=13, min_trials=61).lacks == [
        "a.nwb: 12 units, fewer than partition.min_units 13",
        "a.nwb: 60 of 60 trials kept by the trial rule, fewer than partition.min_trials 61",
    ]
    with h5py.File("a.nwb", "a") as handle:
        handle["units/spike_times_index"][:] = 0
    assert look("a.nwb").lacks == ["a.nwb: no spikes"]
    formats.write_brainsets(Path("b.h5"))
    with h5py.File("b.h5", "a") as handle:
        for name in ("timestamps", "unit_index"):
            values = handle[f"spikes/{name}"][:0]
            del handle[f"spikes/{name}"]
            handle[f"spikes/{name}"] = values
    assert look("b.h5", "brainsets").lacks == ["b.h5: no spikes"]


def test_how_much_of_a_behaviour_is_known_is_told_and_spikes_are_counted_without_being_read(tmp_path, monkeypatch):
    monkeypatch.setattr("neds.conversion.nwb._spikes", lambda *given: pytest.fail("spikes were read"))
    path = formats.write_nwb(tmp_path / "a.nwb")
    for n_unknown, told in ((3, "hand 99.9% known"), (None, "hand is unknown throughout")):
        with h5py.File(path, "a") as handle:
            handle["processing/behavior/Position/hand/data"][:n_unknown, 0] = np.nan
        found = look(path)
        assert not found.faults and f"{N_SPIKES} spikes" in str(found)
        assert told in str(found) if n_unknown else found.lacks == [f"{path}: {told}"]
