"""`neds check` opens recordings: a line for each name that a file lacks, before anything runs."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from neds.commands.check import check_run
from neds.errors import UserError
from tests import other_formats as formats
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


@pytest.fixture
def check(tmp_path, monkeypatch):
    """Run `neds check` on files of this folder; returns what is said of them, by how it is marked."""
    monkeypatch.chdir(tmp_path)

    def run(config: dict, *files: str, **options) -> dict[str, list[str]]:
        rows = "".join(f"{Path(file).stem}\ttest\t{file}\n" for file in files)
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
    assert found == {
        "fine": ["a.nwb: 12 units, 60 trials (60 kept by the trial rule); choice: L -> left (40), R -> right (20)"],
        "note": [],
        "missing": [],
    }


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
    assert line.startswith("a.h5: 12 units, 60 trials (60 kept by the trial rule); choice: ")
    series = {"wheel_speed": "treadmill/velocity", "hand": "cursor/pos"}
    config["brainsets"] = formats.BRAINSETS | {"series": series, "missing_series": "error"}
    (line,) = check(config, "a.h5")["missing"]
    assert line.startswith("a.h5, config key brainsets.series.wheel_speed: no series treadmill/velocity: treadmill has")


def test_arrays_are_judged_as_their_import_judges_them(check):
    save(Path("a.npz"), example())
    assert check(ARRAYS, "a.npz")["fine"] == [
        "a.npz: 12 units, 60 of 60 trials kept; choice: -1 -> right (30), 1 -> left (30)"
    ]
    arrays = example()
    arrays["Choice"] = arrays.pop("choice")
    save(Path("a.npz"), arrays)
    save(Path("b.npz"), example() | {"wheel_speed": np.zeros((60, 3))})
    found = check(ARRAYS, "a.npz", "b.npz")
    assert "a.npz has no array choice (did you mean Choice?)" in found["note"][0]
    assert found["missing"][0].startswith("b.npz, key ")


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
    assert check(config, "a.h5")["fine"] == ["a.h5: 12 units, 60 trials (60 kept by the trial rule)"]
