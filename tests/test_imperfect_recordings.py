"""Recordings with gaps, resets and overlaps: what is not known is dropped or masked, counted and told, never made up."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from neds.data.store import TrialStore
from neds.errors import UserError
from neds.files.aligned import write_aligned
from neds.files.raw import RawSession, Recorded, Trace, read_raw, write_raw
from neds.modalities import PAPER
from neds.partition.recorded import heard
from neds.partition.sessions_table import sessions_table
from neds.signals.clock import ClockFault, spikes_in_order, trace_in_order
from neds.signals.wheel import NoVelocity, wheel_traces
from tests.aligned_sessions import make_session
from tests.test_partition import recording, run, with_trace
from tests.test_windows import CONTINUOUS, WINDOWS, untrialled

FEW = {"min_trials": 10, "min_units": 5}


def without_spikes(raw: RawSession, start_s: float, end_s: float, *, units: range = range(100)) -> RawSession:
    lost = (raw.spike_times > start_s) & (raw.spike_times < end_s) & np.isin(raw.spike_units, units)
    return replace(raw, spike_times=raw.spike_times[~lost], spike_units=raw.spike_units[~lost])


def two_probes(raw: RawSession, *, n_first: int) -> RawSession:
    probes = np.where(np.arange(len(raw.units)) < n_first, "probe00", "probe01")
    return replace(raw, units=raw.units.assign(probe=probes))


def dropped_trials(session) -> dict[str, int]:
    return {reason: n for reason, n in session.dropped.items() if reason.startswith("trials")}


@pytest.mark.parametrize(("start_s", "end_s"), [(0, 100), (150, 300), (100, 130)], ids=["late", "early", "hole"])
def test_trials_outside_of_the_spikes_are_dropped_and_counted(tmp_path, start_s, end_s):
    session = run(tmp_path, without_spikes(recording(), start_s, end_s), **FEW)
    windows_s = session.trials["align_time_s"].to_numpy()[:, None] + np.array([-0.5, 1.5])
    assert not ((windows_s[:, 1] > start_s + 0.5) & (windows_s[:, 0] < end_s - 0.5)).any()
    assert session.dropped["trials: spikes were not recorded throughout the window"] == 60 - session.n_trials > 0
    assert any("taken as not recorded" in remark for remark in session.remarks) == (start_s == 100)


def test_windows_in_a_hole_of_the_spikes_are_dropped(tmp_path):
    session = run(tmp_path, without_spikes(untrialled(), 100, 130), modalities=CONTINUOUS, **WINDOWS)
    starts_s = session.trials["align_time_s"].to_numpy()
    assert not ((starts_s + 2 > 100.5) & (starts_s < 129.5)).any()
    assert session.dropped["trials: spikes were not recorded throughout the window"] >= 15


def test_a_session_at_rest_stays_whole():
    rng = np.random.default_rng(0)
    busy, rest = rng.uniform(0, 300, 30_000), rng.uniform(300, 900, 180)
    stretches, silences_s = heard(np.sort(np.concatenate([busy, rest])), longest_s=5.0)
    assert len(stretches) == 1 and not len(silences_s)
    assert np.diff(np.sort(rest)).max() > 10, "there are long silences"


def test_silence_can_be_declared_to_say_nothing(tmp_path):
    session = run(tmp_path, without_spikes(recording(), 100, 130), longest_silence_s=None)
    assert session.n_trials == 60


def test_a_probe_that_stops_early_loses_its_units_or_the_trials_whichever_costs_less(tmp_path):
    few = without_spikes(two_probes(recording(), n_first=11), 100, 300, units=range(11, 16))
    session = run(tmp_path, few, **FEW)
    assert session.n_trials == 60 and set(session.units["probe"]) == {"probe00"}
    assert session.dropped["units: not recorded in all of the trials kept"] == 5
    many = without_spikes(two_probes(recording(), n_first=5), 200, 300, units=range(5, 16))
    session = run(tmp_path, many, **FEW)
    assert session.n_trials < 50 and set(session.units["probe"]) == {"probe00", "probe01"}
    assert session.dropped["trials: some of the units were not recorded"] == 60 - session.n_trials


def test_single_neurons_may_be_silent_for_minutes(tmp_path):
    """Of a probe of few units silence says nothing, however regularly they fire before and after."""
    raw = without_spikes(two_probes(recording(), n_first=12), 100, 200, units=range(12, 16))
    session = run(tmp_path, raw)
    assert session.n_trials == 60 and set(session.units["probe"]) == {"probe00", "probe01"}


def test_units_that_are_left_out_anyway_cost_no_trials(tmp_path):
    """Units of a poor label, which are no candidates, may have been recorded in part."""
    raw = recording()
    recorded = Recorded(np.array([[-np.inf, np.inf], [0.0, 100.0]]), np.array([0, 1]), np.arange(16) % 2 ^ 1)
    assert (raw.units["label"][recorded.of_unit == 1] < 1).all()
    session = run(tmp_path, replace(raw, recorded=recorded), min_label=1.0, **FEW)
    assert session.n_trials == 60 and "units: not recorded in all of the trials kept" not in session.dropped


def test_what_the_source_says_of_the_recorded_time_is_kept_and_used(tmp_path):
    recorded = Recorded(np.array([[5.0, 100.0], [150.0, 230.0]]), np.array([0, 0]), np.zeros(16, int))
    raw = replace(recording(), recorded=recorded)
    write_raw(tmp_path / "again.h5", raw)
    np.testing.assert_array_equal(read_raw(tmp_path / "again.h5").recorded.intervals_s, recorded.intervals_s)
    session = run(tmp_path, raw, **FEW)
    starts_s = session.trials["align_time_s"].to_numpy() - 0.5
    assert all((s >= 5 and s + 2 <= 100) or (s >= 150 and s + 2 <= 230) for s in starts_s)


def test_an_interval_that_ends_with_the_spikes_themselves_says_no_more_than_they_do(tmp_path):
    raw = recording()
    ends = np.array([raw.spike_times[[0, -1]]])
    session = run(tmp_path, replace(raw, recorded=Recorded(ends, np.zeros(1, int), np.zeros(16, int))))
    assert session.n_trials == 60


def test_the_same_trials_are_kept_whatever_units_fire(tmp_path):
    """Recorded time is a matter of the probe: a silent unit changes nothing."""
    session = run(tmp_path, without_spikes(recording(), 0, 300, units=range(5, 6)))
    assert session.n_trials == 60 and session.dropped["units: rate not above 2 Hz"] == 2


def with_hole(trace: Trace, start_s: float, end_s: float) -> Trace:
    kept = (trace.times < start_s) | (trace.times > end_s)
    return Trace(trace.times[kept], trace.values[kept])


@pytest.mark.parametrize("name", ["left_whisker_motion_energy", "wheel_velocity"])
def test_a_hole_in_a_trace_costs_its_trials_or_their_bins(tmp_path, name):
    raw = recording()
    raw = with_trace(raw, name, with_hole(raw.traces[name], 18.2, 18.9))
    dropped = run(tmp_path, raw)
    assert dropped_trials(dropped) == {f"trials: {name} has a hole of more than 0.25 s": 1}
    modality = "wheel_speed" if name == "wheel_velocity" else "whisker_motion_energy"
    masked = run(tmp_path, raw, holes="mask")
    unknown = np.isnan(masked.values[modality][..., 0])
    assert masked.n_trials == 60 and unknown.any(axis=1).sum() == 1
    bins_s = 18.0 - 0.5 + 0.02 * np.arange(1, 101)
    assert unknown[2][(bins_s > 18.21) & (bins_s < 18.89)].all()
    assert not unknown[2][(bins_s < 18.17) | (bins_s > 18.93)].any()
    assert f"{modality}: unknown in {unknown.sum()} bins of 1 trial" in masked.remarks
    bridged = run(tmp_path, raw, longest_gap_s={modality: 1.0, "others": 0.25})
    assert bridged.n_trials == 60 and not bridged.dropped.keys() & dropped_trials(dropped).keys()


def test_ten_seconds_of_nan_cost_the_trials_in_them(tmp_path):
    raw = recording()
    wheel = raw.traces["wheel_velocity"]
    values = wheel.values.copy()
    values[(wheel.times > 100) & (wheel.times < 110)] = np.nan
    session = run(tmp_path, with_trace(raw, "wheel_velocity", Trace(wheel.times, values)))
    assert 2 <= session.dropped["trials: wheel_velocity is NaN"] == 60 - session.n_trials <= 4


def test_a_series_of_a_low_rate_has_no_holes(tmp_path):
    clock = np.arange(0, 270, 1.0)
    raw = with_trace(recording(), "left_whisker_motion_energy", Trace(clock, clock))
    assert run(tmp_path, raw, window_start_s=0.0, window_end_s=2.0, bin_s=0.5).n_trials == 60


def test_the_wheel_alone_gives_its_speed_and_rests_without_samples():
    times = np.concatenate([np.arange(0, 10, 0.01), np.arange(40, 50, 0.01)])
    position = np.where(times < 20, np.sin(times), np.sin(10) + np.sin(times - 40))
    traces, remarks = wheel_traces(Trace(times, position))
    velocity = traces["wheel_velocity"]
    still = (velocity.times > 15) & (velocity.times < 35)
    assert np.abs(velocity.values[still]).max() < 0.01 and not remarks
    moving = (velocity.times > 1) & (velocity.times < 9)
    np.testing.assert_allclose(velocity.values[moving], np.cos(velocity.times[moving]), atol=0.01)


def test_a_wheel_that_moved_while_it_gave_no_sample_or_was_nan_is_unknown_there():
    times = np.arange(0, 60, 0.01)
    position = np.sin(times)
    position[(times > 20) & (times < 30)] = np.nan
    kept = (times < 40) | (times > 44)
    traces, remarks = wheel_traces(Trace(times[kept], position[kept]))
    velocity = traces["wheel_velocity"]
    unknown = np.isnan(velocity.values)
    expected = ((velocity.times > 20) & (velocity.times < 30)) | ((velocity.times > 40) & (velocity.times < 44))
    assert (unknown != expected).mean() < 0.001
    assert [remark.split(" for")[0] for remark in remarks] == [
        "the wheel's position is NaN",
        "the wheel's position moved without a sample",
    ]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_short_a_wheel_is_refused(n):
    with pytest.raises(NoVelocity, match="known positions"):
        wheel_traces(Trace(np.arange(n) * 0.01, np.ones(n)))


def test_times_that_go_back_are_refused_and_jitter_is_put_in_order():
    clock = np.arange(0, 10, 0.1)
    with pytest.raises(ClockFault, match=r"first from 4\.9 to 0 s: the clock was reset"):
        trace_in_order(np.concatenate([clock[:50], clock[:50]]), clock)
    swapped = clock.copy()
    swapped[[3, 4]] = 0.3004, 0.3
    trace, remarks = trace_in_order(swapped, swapped.copy())
    np.testing.assert_array_equal(trace.values, np.sort(swapped))
    assert remarks == ["1 sample out of order by up to 0.4 ms"]
    swapped[:10] = np.nan
    assert trace_in_order(swapped, clock)[1] == ["10 of 100 samples left out, without a time"]


def test_spikes_of_all_units_may_be_in_any_order_but_those_of_one_not():
    times, units = np.array([1.0, 2.0, 3.0, 1.5, 2.5, 0.5]), np.array([0, 0, 0, 1, 1, 2])
    rows, remarks = spikes_in_order(times, units)
    assert times[rows].tolist() == sorted(times) and not remarks
    with pytest.raises(ClockFault, match="of 1 unit go back, by up to 2 s"):
        spikes_in_order(np.array([1.0, 3.0, 1.0, 2.0]), np.array([0, 0, 0, 1]))
    rows, remarks = spikes_in_order(np.array([np.nan, 2.0, 1.0, np.inf]), np.array([0, -1, 0, 1]))
    assert rows.tolist() == [2]
    assert remarks == ["2 of 4 spikes left out, without a time", "1 of 4 spikes left out, of no unit"]


def test_trials_whose_clock_was_reset_are_not_used(tmp_path):
    raw = recording()
    joined = pd.concat([raw.trials.iloc[:30], raw.trials.iloc[:30]], ignore_index=True)
    reason = run(tmp_path, replace(raw, trials=joined)).reason
    assert reason.startswith("the trials cannot be used by stimOn_times: its times go back, first from 126 to 10 s")


def test_remarks_of_loading_and_cutting_are_in_the_table_of_sessions(tmp_path):
    raw = with_trace(recording(), "left_whisker_motion_energy", None)
    provenance = {"problems": {"left_whisker_motion_energy": "no times"}, "remarks": {"probe00": "9 spikes left out"}}
    write_aligned(tmp_path / "a.h5", run(tmp_path, replace(raw, provenance=provenance)))
    row = sessions_table([tmp_path / "a.h5"], {raw.eid: "test"}).iloc[0]
    for told in (
        "left_whisker_motion_energy is absent: no times",
        "probe00: 9 spikes left out",
        "of the right camera, as the left one cannot be used (no times)",
    ):
        assert told in row["remarks"]
    assert "choice: -1 -> right (30), 1 -> left (30)" in row["readings"] and "->" not in row["remarks"]


def test_remarks_are_only_of_what_is_in_use(tmp_path):
    """How values were read is no remark, and neither is a camera that nothing is made of."""
    whole = run(tmp_path, recording())
    assert whole.remarks == [] and any("->" in reading for reading in whole.readings)
    raw = with_trace(recording(), "left_whisker_motion_energy", None)
    raw = replace(raw, provenance={"problems": {"left_whisker_motion_energy": "no times"}})
    without_whiskers = {name: PAPER[name] for name in ("spikes", "wheel_speed", "choice")}
    assert run(tmp_path, raw, modalities=without_whiskers).remarks == []


def test_what_is_unknown_throughout_makes_a_session_unusable(tmp_path):
    raw = recording()
    no_block = replace(raw, trials=raw.trials.assign(probabilityLeft=0.4))
    assert run(tmp_path, no_block).reason == "block is unknown in all trials of train, val, test"


def test_a_constant_trace_has_a_std_of_one_and_is_told(tmp_path):
    raw = recording()
    whisker = raw.traces["left_whisker_motion_energy"]
    noise = np.random.default_rng(0).normal(0, 1e-3, len(whisker.times))
    raw = with_trace(raw, "left_whisker_motion_energy", Trace(whisker.times, 1e6 + noise))
    session = run(tmp_path, raw)
    assert session.statistics["whisker_motion_energy"]["std"] == [1.0]
    assert "whisker_motion_energy: 1 of 1 column constant in the training trials" in session.remarks


def test_one_wrong_spike_time_does_not_make_windows_without_end(tmp_path):
    raw = replace(untrialled(), trials=pd.DataFrame())
    times = raw.spike_times.copy()
    times[-1] = 1e12
    session = run(tmp_path, replace(raw, spike_times=times), modalities=CONTINUOUS, **WINDOWS)
    assert "one of these times cannot be right" in session.reason


def test_sessions_whose_windows_begin_at_other_moments_do_not_train_together():
    sessions = [make_session("a"), replace(make_session("b"), window_start_s=-2.0)]
    with pytest.raises(UserError, match=r"session b starts -2\.0 s from the event, that of session a -0\.2 s"):
        TrialStore(sessions, names=["spikes", "wheel_speed"], device=torch.device("cpu"))


def test_the_papers_modalities_of_a_whole_recording_have_no_loss(tmp_path):
    session = run(tmp_path, recording(), modalities=PAPER)
    assert session.n_trials == 60 and not dropped_trials(session)
