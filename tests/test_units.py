"""Units of series as people write them: converted where that is certain, refused where they are of something else."""

import numpy as np
import pytest

from neds.conversion.units import conversion
from neds.errors import UserError
from neds.modalities import Modality
from tests import other_formats as formats
from tests.test_conversion import converted
from tests.test_imperfect_files import CLOCK, SERIES, SPIKES_SPEED, nwb, one_line


@pytest.mark.parametrize(
    ("given", "wanted", "factor"),
    [
        ("cm/s", "cm/s", 1.0),
        ("cm/s", "m/s", 0.01),
        ("m/s", "cm/s", 100.0),
        ("meters per second", "cm/s", 100.0),
        ("centimeters/second", "m/s", 0.01),
        ("m s^-1", "mm/s", 1000.0),
        ("radians/s", "rad/s", 1.0),
        ("deg/s", "rad/s", np.pi / 180),
        ("degrees", "rad", np.pi / 180),
        ("rev/min", "rad/s", 2 * np.pi / 60),
        ("pixels", "px", 1.0),
        ("µV", "uV", 1.0),
        ("mV", "V", 1e-3),
        ("ms", "s", 1e-3),
        ("minutes", "s", 60.0),
        ("μL", "mL", 1e-3),
        ("m/s^2", "cm/s²", 100.0),
        ("Hz", "s^-1", 1.0),
        ("kHz", "ms^-1", 1.0),
        ("m Hz", "cm/s", 100.0),
        ("Hz", "kHz", 1e-3),
        ("furlongs", "m", None),
        ("cm/s", "clicks", None),
        ("custom/s", "custom / s", None),
    ],
)
def test_a_unit_is_converted_where_that_is_certain(given, wanted, factor):
    assert conversion(given, wanted) == (None if factor is None else pytest.approx(factor))


@pytest.mark.parametrize(
    ("given", "wanted"), [("cm/s", "rad/s"), ("cm", "cm/s"), ("px", "cm"), ("px/s", "rad/s"), ("V", "m")]
)
def test_units_of_different_things_are_none_of_each_other(given, wanted):
    with pytest.raises(ValueError, match="is no"):
        conversion(given, wanted)


RUN = Modality(name="run", kind="continuous", unit="cm/s")


def run_series(**mapping) -> dict:
    return SERIES | {"series": {"run": "processing/behavior/speed"}} | mapping


def test_a_series_in_another_unit_is_converted_with_a_remark(tmp_path):
    path = nwb(tmp_path / "s.nwb", unit="m/s")
    raw = converted(path, "nwb", run_series(), SPIKES_SPEED | {"run": RUN})
    np.testing.assert_allclose(raw.traces["run"].values, 100 * formats.speed(CLOCK), rtol=1e-6)
    assert raw.provenance["remarks"]["run"] == "converted from m/s to cm/s (times 100)"
    same = converted(nwb(tmp_path / "t.nwb", unit="cm/s"), "nwb", run_series(), {"run": RUN})
    assert "run" not in same.provenance["remarks"]


def test_a_series_of_something_else_is_refused_with_the_ways_to_say_it(tmp_path):
    path = nwb(tmp_path / "s.nwb", unit="cm/s")
    with pytest.raises(
        UserError, match=r"it is in cm/s, the modality in rad/s; .*nwb\.series_units\.wheel_speed"
    ) as caught:
        converted(path, "nwb", SERIES, SPIKES_SPEED)
    one_line(caught)
    said = converted(path, "nwb", SERIES | {"series_units": {"wheel_speed": "rad/s"}}, SPIKES_SPEED)
    np.testing.assert_allclose(said.traces["wheel_speed"].values, formats.speed(CLOCK), rtol=1e-6)
    degrees = converted(path, "nwb", SERIES | {"series_units": {"wheel_speed": "deg/s"}}, SPIKES_SPEED)
    np.testing.assert_allclose(degrees.traces["wheel_speed"].values, np.radians(formats.speed(CLOCK)), rtol=1e-6)


@pytest.mark.parametrize("unit", ["unknown", "n/a", "a.u."])
def test_a_unit_that_says_nothing_changes_nothing(tmp_path, unit):
    raw = converted(nwb(tmp_path / "s.nwb", unit=unit), "nwb", SERIES, SPIKES_SPEED)
    assert not raw.provenance["remarks"]


def test_units_that_are_not_understood_are_remarked(tmp_path):
    raw = converted(nwb(tmp_path / "s.nwb", unit="clicks/s"), "nwb", SERIES, SPIKES_SPEED)
    assert raw.provenance["remarks"]["wheel_speed"] == (
        "its unit is clicks/s in the file and taken for rad/s; nwb.series_units.wheel_speed may say which it is"
    )


@pytest.mark.parametrize(("unit", "factor"), [("rad", 1), ("degrees", np.pi / 180), ("rad/s", 1)])
def test_positions_of_the_wheel_are_taken_for_radians_with_a_remark(tmp_path, unit, factor):
    mapping = SERIES | {"series": {"wheel_position": "processing/behavior/speed"}}
    raw = converted(nwb(tmp_path / "s.nwb", unit=unit), "nwb", mapping, SPIKES_SPEED)
    np.testing.assert_allclose(raw.traces["wheel_position"].values, factor * formats.speed(CLOCK), rtol=1e-6)
    assert ("wheel_position" in raw.provenance["remarks"]) == (unit != "rad")


def test_a_velocity_of_something_else_is_refused_though_the_wheels_position_is_not(tmp_path):
    mapping = SERIES | {"series": {"wheel_velocity": "processing/behavior/speed"}}
    with pytest.raises(UserError, match=r"it is in cm/s, the modality in rad/s; .*nwb\.series_units\.wheel_velocity"):
        converted(nwb(tmp_path / "s.nwb", unit="cm/s"), "nwb", mapping, SPIKES_SPEED)
    assert converted(nwb(tmp_path / "t.nwb", unit="deg/s"), "nwb", mapping, SPIKES_SPEED).traces["wheel_velocity"]
