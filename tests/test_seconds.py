"""Times in milliseconds and the like, in data and settings: refused in one line, wherever they come from."""

from dataclasses import replace

import numpy as np
import pytest

from neds.config import check_config
from neds.errors import UserError
from neds.files.raw import Recorded, Trace
from neds.partition.seconds import clock_fault
from tests.test_arrays import N_BINS, N_TRIALS, example
from tests.test_arrays import run as run_arrays
from tests.test_config import ROOT
from tests.test_imperfect_files import one_line
from tests.test_partition import recording, run, with_trace
from tests.test_windows import CONTINUOUS, WINDOWS, untrialled


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"bin_s": 50}, "bin_s 50 is in seconds; write 0.05 for 50 ms"),
        ({"bin_s": 20.0, "t0_s": -200}, "write 0.02 for 20 ms"),
        ({"bin_s": 5}, "no unit would fire once in 10 s; give seconds, 0.005 for 5 ms"),
        ({"t0_s": -1500}, "t0_s -1500 is in seconds, far from the event; write -1.5 for -1500 ms"),
        ({"align_time_s": 4000.0 * np.arange(N_TRIALS)}, "trials would be 4000 s apart"),
    ],
)
def test_arrays_in_milliseconds_are_refused(tmp_path, arrays, told):
    given = example()
    if arrays.get("bin_s") == 5:
        given["spikes"] = (np.arange(given["spikes"].size).reshape(given["spikes"].shape) % 40 == 0).astype(np.uint8)
    with pytest.raises(UserError) as caught:
        run_arrays(tmp_path, given | {key: np.asarray(value) for key, value in arrays.items()})
    assert told in one_line(caught)


def test_wide_bins_that_are_of_seconds_are_read(tmp_path):
    session = run_arrays(tmp_path, example() | {"bin_s": np.asarray(2.0), "t0_s": np.asarray(-10.0)}, min_rate_hz=0)
    assert session.usable and session.n_bins == N_BINS


def test_a_window_long_before_the_event_is_read(tmp_path):
    session = run_arrays(tmp_path, example() | {"t0_s": np.asarray(-15.0)})
    assert session.usable and session.window_start_s == -15


def test_recordings_a_day_apart_in_one_file_are_of_seconds(tmp_path):
    """The rate counts by the time that was recorded, whether the source says so or the silence between."""
    raw = recording()
    later_s = 2000 * float(raw.spike_times[-1])
    both = replace(
        raw,
        spike_times=np.concatenate([raw.spike_times, raw.spike_times + later_s]),
        spike_units=np.concatenate([raw.spike_units, raw.spike_units]),
    )
    session = run(tmp_path, both)
    assert session.usable, session.reason
    ends_s = raw.spike_times[[0, -1]]
    n_units = len(raw.units)
    said = Recorded(np.array([ends_s, ends_s + later_s]), np.zeros(2, int), np.zeros(n_units, int))
    session = run(tmp_path, replace(both, recorded=said), longest_silence_s=None)
    assert session.usable, session.reason


def test_two_events_early_in_an_hour_are_of_seconds():
    spike_times = np.linspace(0, 3600, 10_000)
    assert not clock_fault("cues", np.array([0.5, 3.2]), spike_times)
    early_ms = np.linspace(0, 3600, 10_000) * 1000
    assert "look like milliseconds" in clock_fault("cues", early_ms, spike_times)


def trials_in_ms(raw):
    times = raw.trials.filter(like="_times").columns
    return replace(raw, trials=raw.trials.assign(**{name: 1000 * raw.trials[name] for name in times}))


def wheel_in(raw, factor):
    wheel = raw.traces["wheel_velocity"]
    return with_trace(raw, "wheel_velocity", Trace(factor * wheel.times, wheel.values))


def all_in_ms(raw):
    raw = trials_in_ms(raw)
    traces = {name: Trace(1000 * trace.times, trace.values) for name, trace in raw.traces.items()}
    return replace(raw, traces=traces, spike_times=1000 * raw.spike_times)


RECORDINGS = {
    "the times of stimOn_times of the trials look like milliseconds": trials_in_ms,
    "the times of samples of wheel_velocity look like milliseconds": lambda raw: wheel_in(raw, 1e3),
    "the times of samples of wheel_velocity look like microseconds": lambda raw: wheel_in(raw, 1e6),
    "the times of spikes look like milliseconds": lambda raw: replace(raw, spike_times=1000 * raw.spike_times),
    "the times of spikes look like samples": lambda raw: replace(raw, spike_times=30_000 * raw.spike_times),
    "spikes are not timed in seconds": all_in_ms,
}


@pytest.mark.parametrize("told", RECORDINGS)
def test_recordings_of_which_a_clock_is_not_in_seconds_are_unusable(tmp_path, told):
    reason = run(tmp_path, RECORDINGS[told](recording())).reason
    assert told in reason or "spikes are not timed in seconds" in reason


def test_windows_over_spikes_in_milliseconds_are_refused(tmp_path):
    raw = untrialled()
    session = run(tmp_path, replace(raw, spike_times=1000 * raw.spike_times), modalities=CONTINUOUS, **WINDOWS)
    assert "not timed in seconds" in session.reason


def test_a_short_part_of_a_recording_is_no_other_unit(tmp_path):
    raw = recording()
    short = replace(raw, trials=raw.trials.iloc[:2])
    assert "look like" not in run(tmp_path, short).reason


@pytest.mark.parametrize(
    "settings",
    [
        {"bin_s": 50},
        {"window_start_s": -500.0, "window_end_s": 1500.0},
        {"longest_gap_s": {"others": 2500.0}},
        {"longest_silence_s": 5000.0},
        {"split_gap_s": 5000.0},
    ],
)
def test_settings_in_milliseconds_are_refused(settings):
    with pytest.raises(UserError, match=r"config key partition") as caught:
        check_config({"partition": settings}, base=ROOT)
    one_line(caught)
