"""What `neds init` makes of the names in a recording's file."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from neds.commands.check import check_run
from neds.commands.init import write_configuration
from neds.commands.suggested import suggested
from neds.commands.suggested_arrays import suggested_arrays
from neds.commands.yaml_lines import Block, Line, yaml_lines
from neds.config import load_config
from neds.conversion.settings import BrainsetsMapping, NwbMapping
from neds.conversion.source import SourceSession
from neds.errors import UserError
from tests import other_formats as formats
from tests.test_arrays import example, save

START_S = 4.0 * np.arange(10)


def suggestion(series=None, *, trials=None, units=None, in_units=None):
    """Of a file with these series, by path with their columns, and columns of tables."""
    columns = {f"processing/behavior/{place}": n for place, n in (series or {}).items()}
    source = SourceSession(
        spikes=lambda: pytest.fail("spikes were read"),
        n_spikes=0,
        n_units=2,
        series=lambda place: pytest.fail(f"{place} was read"),
        shape_of=lambda place: (100, columns[place]) if columns[place] > 1 else (100,),
        unit_of=lambda place: (in_units or {}).get(place.removeprefix("processing/behavior/"), ""),
        places=lambda: list(columns),
        trials={"start_time": START_S, "stop_time": START_S + 3} | (trials or {}),
        units=units or {},
    )
    return suggested(source, NwbMapping(), behaviour="processing/behavior/")


def entries(found, block: str, *, used: bool = True) -> dict:
    lines = found.custom if block == "custom" else found.mapping.get(block, [])
    return {line.name: line.value for line in lines if line.used == used}


def test_a_series_of_a_known_name_is_that_modality_however_it_is_spelt():
    found = suggestion({"WheelSpeed": 1, "Pupil/pupil_diameter": 1, "tail": 2}, in_units={"WheelSpeed": "deg/s"})
    assert found.modalities == ["spikes", "wheel_speed", "pupil_diameter", "tail"]
    assert entries(found, "series") == {
        "wheel_speed": "processing/behavior/WheelSpeed",
        "pupil_diameter": "processing/behavior/Pupil/pupil_diameter",
        "tail": "processing/behavior/tail",
    }
    assert entries(found, "custom") == {"tail": {"kind": "continuous", "width": 2}}


def test_of_position_velocity_and_speed_one_is_used():
    assert suggestion({"wheel_position": 1}).modalities == ["spikes", "wheel_speed"]
    found = suggestion({"wheel_position": 1, "wheel_velocity": 1, "wheel_speed": 1})
    assert found.modalities == ["spikes", "wheel_speed"]
    assert entries(found, "series", used=False).keys() == {"wheel_position", "wheel_velocity"}


def test_what_may_be_meant_otherwise_is_left_to_people():
    """A speed of something else, two of one name, more columns than a behaviour has."""
    found = suggestion({"wheel_speed": 1}, in_units={"wheel_speed": "cm/s"})
    assert found.modalities == ["spikes"] and not entries(found, "series")
    assert "cm/s" in found.mapping["series"][0].note
    found = suggestion({"left/wheel_speed": 1, "right/wheel_speed": 1})
    assert found.modalities == ["spikes"]
    assert [line.value.split("/")[2] for line in found.mapping["series"]] == ["left", "right"]
    assert suggestion({"video": 100}).mapping["series"] == []
    assert suggestion({f"pose{number}": 2 for number in range(20)}).modalities == ["spikes"]


def test_columns_of_trials_are_modalities_events_or_left_to_people():
    number = np.arange(10)
    found = suggestion(
        trials={
            "choice": np.where(number % 2, "left", "right").astype(object),
            "reward": np.where(number % 2, "hit", "miss").astype(object),
            "stim_on_time": START_S + 1,
            "go_cue": START_S + 1.5,
            "contrast_of_noise": np.linspace(0, 1, 10),
            "stimulus": np.where(number % 2, "tone", "noise").astype(object),
            "rig": np.full(10, "A", object),
        }
    )
    assert found.modalities == ["spikes", "choice"] and entries(found, "trials") == {"choice": "choice"}
    assert "left -> left (5)" in found.mapping["trials"][0].note
    assert found.align == "stim_on_time" and found.events == ["start_time", "go_cue"]
    assert entries(found, "values", used=False) == {"reward": {"hit": "", "miss": ""}}
    assert entries(found, "custom", used=False) == {
        "contrast_of_noise": {"kind": "scalar"},
        "stimulus": {"kind": "categorical", "classes": ["noise", "tone"]},
    }


def test_units_have_regions_of_one_column_alone():
    region, quality = np.array(["CA1", "DG"], object), np.array(["good", "mua"], object)
    assert entries(suggestion(units={"electrodes.location": region}), "units") == {"acronym": "electrodes.location"}
    found = suggestion(units={"electrodes.location": region, "brain_area": region, "quality": quality})
    assert not entries(found, "units")
    assert [line.value for line in found.mapping["units"]] == ["brain_area", "electrodes.location", "quality"]
    assert entries(found, "values", used=False) == {"label": {"good": "", "mua": ""}}


def test_names_that_no_modality_may_have_are_changed_or_left_out(tmp_path, monkeypatch):
    """Of other letters, kept by torch for itself, and two alike."""
    found = suggestion(
        {"paw pos": 2, "values": 1, "マウス": 1, "a/x": 1, "b/x": 1}, trials={"x y": np.arange(10.0) ** 2}
    )
    assert found.modalities == ["spikes", "paw_pos", "a_x", "b_x"]
    assert entries(found, "trials", used=False) == {"x_y": "x y"}
    monkeypatch.chdir(tmp_path)
    save(Path("a.npz"), example() | {"paw pos": np.zeros((60, 20)), "type": np.arange(60) % 2})
    _, values = written(Path(), "aligned", Path("a.npz"))
    assert values["arrays"]["rename"] == {"paw pos": "paw_pos"}
    assert load_config([Path("mine.yaml")]).config.modalities == ["spikes", "wheel_speed", "choice", "paw_pos"]


def test_comments_are_yaml_of_the_same_block_once_their_marks_are_gone():
    """Whatever text a file has for names and values."""
    odd = "a: b\n- c # d"
    block = Block("nwb", [Block("series", [Line("x", "y"), Line("z", odd, odd, used=False)]), Block("trials", [])])
    lines = yaml_lines(block)
    assert yaml.safe_load("\n".join(lines)) == {
        "nwb": {
            "series": {"x": "y"},
        }
    } or "# trials" in "\n".join(lines)
    opened = "\n".join(line.replace("# ", "", 1) for line in lines)
    assert yaml.safe_load(opened)["nwb"]["series"] == {"x": "y", "z": odd}
    unused = yaml_lines(Block("nwb", [Block("series", [Line(odd, "y", used=False)])]))
    assert all(line.startswith("# ") for line in unused)
    assert yaml.safe_load("\n".join(line[2:] for line in unused)) == {"nwb": {"series": {odd: "y"}}}


def test_keys_of_arrays_are_modalities_by_name_or_by_shape():
    arrays = example()
    arrays["Choice"] = arrays.pop("choice")
    arrays |= {"running": arrays["wheel_speed"], "cue": np.arange(60) % 3, "weights": np.zeros((7, 3))}
    found = suggested_arrays(arrays)
    assert found.modalities == ["spikes", "wheel_speed", "choice", "running"]
    assert entries(found, "rename") == {"Choice": "choice"}
    assert entries(found, "custom") == {"running": {"kind": "continuous"}}
    assert entries(found, "custom", used=False) == {"cue": {"kind": "categorical", "classes": ["0", "1", "2"]}}
    assert found.further == []
    without = suggested_arrays({"counts": arrays["spikes"], "wheel_speed": arrays["wheel_speed"]})
    assert entries(without, "rename", used=False) == {"counts": "spikes"}
    assert [line.name for line in without.further] == ["bin_s", "window_start_s"]


def written(folder: Path, source: str, file: Path) -> tuple[str, dict]:
    """What init says of a file, and the configuration that it writes."""
    said = write_configuration(source=source, data=file, output=folder / "mine.yaml")
    return said, yaml.safe_load((folder / "mine.yaml").read_text())


@pytest.mark.parametrize("source", ["nwb", "brainsets", "aligned"])
def test_what_init_writes_of_one_file_passes_the_check_that_opens_it(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write = {"nwb": formats.write_nwb, "brainsets": formats.write_brainsets}
    file = (
        write[source](Path("a.nwb" if source == "nwb" else "a.h5"))
        if source in write
        else save(Path("a.npz"), example())
    )
    said, values = written(Path(), source, file)
    assert f"found in {file}: " in said and len(values["modalities"]) > 2
    printed = check_run(configfile=[Path("mine.yaml")])
    (line,) = [line for line in printed.splitlines() if f"{file}: 12 units, " in line]
    assert line.startswith("ok") and "60 trial" in line


def test_of_a_file_without_trials_init_cuts_windows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said, values = written(tmp_path, "nwb", formats.write_nwb(tmp_path / "a.nwb", with_trials=False))
    assert values["partition"]["align"] == "none" and "hand, speed" in said
    assert load_config([tmp_path / "mine.yaml"]).config.modalities == ["spikes", "hand", "speed"]


def test_a_file_in_the_layout_of_brain_wide_bench_needs_no_mapping(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, values = written(tmp_path, "brainsets", formats.write_brain_wide_bench(tmp_path / "a.h5"))
    assert "brainsets" not in values and values["partition"]["trial_rule"] == "neds"
    assert values["modalities"] == ["spikes", "wheel_speed", "whisker_motion_energy", "choice", "block"]
    assert load_config([tmp_path / "mine.yaml"]).config.mapping() == BrainsetsMapping().filled()


def test_names_are_those_of_the_first_file_that_can_be_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with h5py.File("a.nwb", "w") as handle:
        handle["x"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(UserError, match=r"--data: none of 1 file can be read: a\.nwb"):
        written(Path(), "nwb", Path("a.nwb"))
    assert not Path("mine.yaml").exists()
    formats.write_nwb(tmp_path / "b.nwb", with_trials=False)
    said, values = written(tmp_path, "nwb", tmp_path)
    assert "1 file before it could not be read" in said and "hand" in values["modalities"]
