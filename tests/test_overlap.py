"""Trials that are seen in training and in testing: windows that overlap, and one recording under two names."""

from dataclasses import replace

import numpy as np
import pytest

from neds.errors import UserError
from neds.files.aligned import write_aligned
from neds.files.raw import RawSession, Trace
from neds.modalities import PAPER
from neds.partition.sessions_table import sessions_table
from neds.partition.settings import PartitionSettings
from neds.partition.split import without_overlap
from tests.test_partition import recording, run
from tests.test_windows import CONTINUOUS, WINDOWS

FEW = {"min_trials": 10, "min_units": 5}


def overlapping(raw: RawSession) -> RawSession:
    """Trials a second apart."""
    times = raw.trials.filter(like="_times").columns
    shift = 10.0 + np.arange(len(raw.trials)) - raw.trials["stimOn_times"]
    return replace(raw, trials=raw.trials.assign(**{name: raw.trials[name] + shift for name in times}))


def test_no_training_window_shares_time_with_a_test_window_unless_that_is_allowed(tmp_path):
    raw = overlapping(recording())
    session = run(tmp_path, raw, **FEW)
    times_s = {
        split: session.trials["align_time_s"].to_numpy()[session.trials_of(split)] for split in ("train", "val", "test")
    }
    assert len(times_s["test"]) == 12, "test trials are the last to be dropped"
    for first, second in (("train", "test"), ("train", "val"), ("val", "test")):
        assert np.abs(times_s[first][:, None] - times_s[second]).min() >= 2.0 - 1e-6
    assert session.dropped["trials: window of train overlaps one of val or test"] > 10
    assert run(tmp_path, raw, overlap="allow").n_trials == 60
    assert "windows that overlap one of another split: " in run(tmp_path, raw, overlap="refuse").reason
    assert run(tmp_path, recording(), overlap="refuse").n_trials == 60


def test_windows_that_only_meet_do_not_overlap():
    starts_s = 2.0 * np.arange(6)
    spans_s = starts_s[:, None] + np.array([0.0, 2.0])
    kept, dropped = without_overlap(spans_s, np.array([0, 2, 1, 0, 2, 1]), PartitionSettings())
    assert kept.all() and not dropped


def test_a_recording_of_two_names_is_refused_where_one_trains_and_one_tests(tmp_path):
    """Whatever the order of its units; told by its spikes, trial by trial."""
    raw = recording()
    order = np.random.default_rng(0).permutation(len(raw.units))
    copy = replace(
        raw,
        eid="copy",
        units=raw.units.iloc[order].reset_index(drop=True),
        spike_units=np.argsort(order)[raw.spike_units].astype(np.int32),
        trials=raw.trials.iloc[:55],
    )
    other = replace(recording(seed=1), eid="other")
    paths, allowed = [], []
    for one in (raw, copy, other):
        for settings, into in (({}, paths), ({"overlap": "allow"}, allowed)):
            into.append(tmp_path / f"{one.eid}-{len(settings)}.h5")
            write_aligned(into[-1], run(tmp_path, one, **settings))
    roles = {raw.eid: "train", "copy": "test", "other": "test"}
    with pytest.raises(UserError, match=f"sessions {raw.eid} and copy share 55 trials") as caught:
        sessions_table(paths, roles)
    assert "\n" not in str(caught.value)
    assert len(sessions_table(paths, dict.fromkeys(roles, "test"))) == len(sessions_table(allowed, roles)) == 3


def timed_at_random(raw: RawSession, seed: int) -> RawSession:
    """With trials at irregular times, as animals make them."""
    times = raw.trials.filter(like="_times").columns
    onset = 10.0 + np.cumsum(np.random.default_rng(seed).uniform(3, 4, len(raw.trials)))
    shift = onset - raw.trials["stimOn_times"]
    return replace(raw, trials=raw.trials.assign(**{name: raw.trials[name] + shift for name in times}))


def probes_apart(raw: RawSession) -> tuple[RawSession, RawSession]:
    """Two files of one recording, each with other units."""
    of_first = np.arange(len(raw.units)) % 2 == 0
    parts = []
    for eid, mine in (("first", of_first), ("second", ~of_first)):
        spikes = mine[raw.spike_units]
        rows = (np.cumsum(mine) - 1)[raw.spike_units[spikes]].astype(np.int32)
        units = raw.units[mine].reset_index(drop=True)
        parts.append(replace(raw, eid=eid, units=units, spike_times=raw.spike_times[spikes], spike_units=rows))
    return parts[0], parts[1]


def without_motion(raw: RawSession) -> RawSession:
    """Behaviour that tells nothing."""
    constant = {name: Trace(trace.times, np.ones_like(trace.values)) for name, trace in raw.traces.items()}
    return replace(raw, traces=raw.traces | constant)


def shifted(raw: RawSession, by_s: float) -> RawSession:
    times = raw.trials.filter(like="_times").columns
    traces = {name: Trace(trace.times + by_s, trace.values) for name, trace in raw.traces.items()}
    moved = raw.trials.assign(**{name: raw.trials[name] + by_s for name in times})
    return replace(raw, trials=moved, traces=traces, spike_times=raw.spike_times + by_s)


SAME = {
    "behaviour": lambda first, second: (first, second),
    "behaviour_of_fewer_trials": lambda first, second: (first, replace(second, trials=second.trials.iloc[5:])),
    "times_of_another_clock": lambda first, second: (
        timed_at_random(first, 0), shifted(timed_at_random(second, 0), 7.77),
    ),
    "windows": lambda first, second: (first, replace(second, spike_times=second.spike_times + 0.3)),
}  # fmt: skip
OTHER = {
    "regular_times": lambda first, second: (without_motion(first), without_motion(second)),
    "times_alone": lambda first, second: (
        without_motion(timed_at_random(first, 0)), without_motion(timed_at_random(second, 0)),
    ),
    "behaviour_alone": lambda first, second: (first, shifted(second, 7.77)),
    "other_times": lambda first, second: (
        without_motion(timed_at_random(first, 0)), without_motion(timed_at_random(second, 1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", [*SAME, *OTHER])
def test_probes_of_one_recording_in_two_files_are_the_same_recording(tmp_path, how):
    """Their spikes differ, what the animal did and when does not; one of these alone may be that of the task."""
    few = {"min_units": 3, "min_trials": 20} | (WINDOWS | {"window_step_s": None} if how == "windows" else {})
    modalities = CONTINUOUS if how == "windows" else PAPER
    paths = []
    for raw in (SAME | OTHER)[how](*probes_apart(recording())):
        paths.append(tmp_path / f"{raw.eid}.h5")
        session = run(tmp_path, raw, modalities=modalities, **few)
        assert session.usable, session.reason
        write_aligned(paths[-1], session)
    roles = {"first": "train", "second": "test"}
    if how in OTHER:
        assert len(sessions_table(paths, roles)) == 2
    else:
        with pytest.raises(
            UserError, match=r"sessions first and second share \d+ trials \(equal behaviour and times\)"
        ):
            sessions_table(paths, roles)
