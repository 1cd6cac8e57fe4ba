"""The partition stage: raw recording -> trials x bins."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neds.errors import UserError
from neds.files.aligned import AlignedSession, read_aligned, write_aligned
from neds.files.raw import RawSession, Trace, write_raw
from neds.modalities import PAPER, Modality
from neds.partition.binning import bin_edges
from neds.partition.sessions_table import sessions_table
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.stage import partition
from neds.partition.trials import keep_trials

EID = "6713a4a7-faed-4df2-acab-ee4e63326f8d"


def trials_table(n: int, *, first_s: float = 10.0, every_s: float = 4.0) -> pd.DataFrame:
    stimulus = first_s + every_s * np.arange(n)
    return pd.DataFrame(
        {
            "stimOn_times": stimulus,
            "goCue_times": stimulus + 0.01,
            "firstMovement_times": stimulus + 0.3,
            "feedback_times": stimulus + 0.8,
            "choice": np.where(np.arange(n) % 2, 1.0, -1.0),
            "probabilityLeft": np.array([0.2, 0.5, 0.8])[np.arange(n) // 10 % 3],
            "feedbackType": np.where(np.arange(n) % 5, 1.0, -1.0),
        }
    )


def recording(*, n_trials: int = 60, rates_hz: list[float] | None = None, seed: int = 0) -> RawSession:
    rng = np.random.default_rng(seed)
    rates_hz = rates_hz or [1.0, *np.linspace(4, 30, 15)]
    end_s = 10.0 + 4.0 * n_trials + 10.0
    n_spikes = rng.poisson(np.array(rates_hz) * end_s)
    times = rng.uniform(0, end_s, n_spikes.sum())
    units = np.repeat(np.arange(len(rates_hz)), n_spikes)
    order = np.argsort(times)
    clock = np.arange(0, end_s, 0.001)
    camera = np.arange(0.003, end_s, 1 / 60)
    return RawSession(
        eid=EID,
        subject="SYN001",
        lab="lab",
        date="2024-01-01",
        spike_times=times[order],
        spike_units=units[order].astype(np.int32),
        units=pd.DataFrame(
            {
                "uuid": [f"unit{i}" for i in range(len(rates_hz))],
                "probe": "probe00",
                "cluster_id": np.arange(len(rates_hz)),
                "acronym": "PO",
                "beryl": "PO",
                "cosmos": "TH",
                "depth_um": 100.0 * np.arange(len(rates_hz)),
                "channel": np.arange(len(rates_hz)),
                "label": np.where(np.arange(len(rates_hz)) % 2, 1.0, 1 / 3),
                "firing_rate_hz": rates_hz,
            }
        ),
        trials=trials_table(n_trials),
        traces={
            "wheel_velocity": Trace(clock, np.sin(clock).astype(np.float32)),
            "left_whisker_motion_energy": Trace(camera, (1 + camera).astype(np.float32)),
            "right_whisker_motion_energy": Trace(camera, (2 + camera).astype(np.float32)),
        },
    )


def run(tmp_path, raw: RawSession, *, modalities: dict[str, Modality] = PAPER, **settings) -> AlignedSession:
    write_raw(tmp_path / "raw.h5", raw)
    partition(
        raw=tmp_path / "raw.h5",
        settings=PartitionRun(
            modalities=list(modalities.values()), partition=PartitionSettings(**{"bin_s": 0.02} | settings)
        ),
        output=tmp_path / "aligned.h5",
    )
    return read_aligned(tmp_path / "aligned.h5")


def with_trace(raw: RawSession, name: str, trace: Trace | None) -> RawSession:
    traces = raw.traces | {name: trace}
    return replace(raw, traces={key: value for key, value in traces.items() if value is not None})


def test_built_in_behaviours(tmp_path):
    raw = recording()
    session = run(tmp_path, raw)
    right_edges = bin_edges(raw.trials["stimOn_times"].to_numpy(), PartitionSettings(bin_s=0.02))[:, 1:]
    assert session.n_trials == 60 and session.n_bins == 100
    np.testing.assert_allclose(session.values["wheel_speed"][:, :, 0], np.abs(np.sin(right_edges)), atol=1e-5)
    np.testing.assert_allclose(session.values["whisker_motion_energy"][:, :, 0], 1 + right_edges, rtol=1e-5)
    np.testing.assert_array_equal(session.values["choice"], np.arange(60) % 2)
    np.testing.assert_array_equal(session.values["block"], np.arange(60) // 10 % 3)
    assert set(session.values) == set(PAPER)


@pytest.mark.parametrize(
    ("choice", "present", "used"),
    [("auto", ("left", "right"), "left"), ("auto", ("right",), "right"), ("right", ("left", "right"), "right")],
)
def test_whisker_camera_is_chosen_and_recorded(tmp_path, choice, present, used):
    raw = recording()
    for camera in {"left", "right"} - set(present):
        raw = with_trace(raw, f"{camera}_whisker_motion_energy", None)
    session = run(tmp_path, raw, whisker_camera=choice)
    assert session.settings["sources"]["whisker_motion_energy"] == f"{used}_whisker_motion_energy"
    expected = {"left": 1, "right": 2}[used] + 10.0 - 0.5 + 0.02
    assert session.values["whisker_motion_energy"][0, 0, 0] == pytest.approx(expected, rel=1e-5)


def test_each_dropped_trial_counts_once_under_its_first_reason():
    trials = trials_table(10)
    trials.loc[0, ["stimOn_times", "choice"]] = np.nan
    trials.loc[1, "feedbackType"] = np.nan
    trials.loc[2, "choice"] = 0
    trials.loc[3, "firstMovement_times"] -= 0.31
    trials.loc[4, "feedback_times"] += 10
    trials.loc[5, "firstMovement_times"] -= 0.25
    trials.loc[6, "firstMovement_times"] += 2
    kept, dropped = keep_trials(trials, PartitionSettings())
    assert np.flatnonzero(kept).tolist() == [5, 6, 7, 8, 9]
    assert dropped == {
        "trials: no stimOn_times": 1,
        "trials: no feedbackType": 1,
        "trials: no choice made": 1,
        "trials: first movement not 0 to 10 s after the stimulus": 1,
        "trials: feedback later than 10 s after the go cue": 1,
    }
    kept, dropped = keep_trials(trials, PartitionSettings(trial_rule="bwm"))
    assert np.flatnonzero(kept).tolist() == [4, 7, 8, 9]
    assert dropped["trials: first movement not 0.08 to 2 s after the stimulus"] == 3


def test_trials_with_uncovered_or_nan_traces_are_dropped(tmp_path):
    raw = recording()
    wheel, whisker = raw.traces["wheel_velocity"], raw.traces["left_whisker_motion_energy"]
    late = wheel.times > 10.2
    energy = whisker.values.copy()
    energy[np.searchsorted(whisker.times, 18.3)] = np.nan
    raw = with_trace(raw, "wheel_velocity", Trace(wheel.times[late], wheel.values[late]))
    raw = with_trace(raw, "left_whisker_motion_energy", Trace(whisker.times, energy))
    session = run(tmp_path, raw)
    assert session.trials["original_index"].tolist() == [1, *range(3, 60)]
    assert session.n_trials_before == 60
    trials_dropped = {key: n for key, n in session.dropped.items() if key.startswith("trials")}
    assert trials_dropped == {
        "trials: wheel_velocity does not cover the window": 1,
        "trials: left_whisker_motion_energy is NaN": 1,
    }


def test_units_are_selected_by_rate_and_label_on_training_trials(tmp_path):
    raw = recording()
    session = run(tmp_path, raw)
    assert session.units["uuid"].tolist() == [f"unit{i}" for i in range(1, 16)]
    assert session.dropped["units: rate not above 2 Hz"] == 1
    training = session.values["spikes"][session.trials_of("train")]
    np.testing.assert_allclose(session.units["rate_hz"], training.mean(axis=(0, 1)) / 0.02)
    own = raw.units.assign(held_out=np.arange(16) < 3, note="x")
    named = run(tmp_path, replace(raw, units=own)).units
    assert named["held_out"].tolist() == [True, True] + [False] * 13 and "note" not in named
    labelled = run(tmp_path, raw, min_label=1.0, min_units=5)
    assert labelled.units["uuid"].tolist() == [f"unit{i}" for i in range(1, 16, 2)]
    assert labelled.dropped["units: label below 1"] == 8


def test_validation_and_test_data_change_neither_statistics_nor_units(tmp_path):
    raw = recording()
    before = run(tmp_path, raw)
    held_out = np.flatnonzero(before.split != 0)
    burst = np.concatenate([raw.trials["stimOn_times"][k] + np.linspace(0, 1, 400) for k in held_out])
    times = np.concatenate([raw.spike_times, burst])
    units = np.concatenate([raw.spike_units, np.zeros(len(burst), np.int32)])
    order = np.argsort(times, kind="stable")
    wheel = raw.traces["wheel_velocity"]
    velocity = wheel.values.copy()
    for k in held_out:
        velocity[np.abs(wheel.times - raw.trials["stimOn_times"][k] - 0.5) < 1.5] = 100
    changed = with_trace(raw, "wheel_velocity", Trace(wheel.times, velocity))
    after = run(tmp_path, replace(changed, spike_times=times[order], spike_units=units[order]))
    pd.testing.assert_frame_equal(before.units, after.units)
    assert after.values["wheel_speed"].max() == 100
    for name, statistics in before.statistics.items():
        for key, value in statistics.items():
            np.testing.assert_array_equal(value, after.statistics[name][key])


def test_conditions_of_a_session_are_choice_block_reward(tmp_path):
    trials = run(tmp_path, recording()).trials
    combinations = trials.groupby(["choice", "probabilityLeft", trials["feedbackType"] > 0])["condition"]
    assert combinations.nunique().eq(1).all() and trials["condition"].nunique() == combinations.ngroups


UNUSABLE = {
    "no trace wheel_velocity (wheel: dataset not found)": lambda raw: replace(
        with_trace(raw, "wheel_velocity", None), provenance={"problems": {"wheel": "dataset not found"}}
    ),
    "no spikes (probe00: not sorted)": lambda raw: replace(
        raw,
        spike_times=np.zeros(0),
        spike_units=np.zeros(0, int),
        units=raw.units[:0],
        provenance={"problems": {"probe00": "not sorted"}},
    ),
    "20 of 20 trials kept, fewer than min_trials 50": lambda raw: replace(raw, trials=raw.trials[:20]),
    "9 of 9 units kept, fewer than min_units 10": lambda raw: recording(rates_hz=[10.0] * 9),
    "trials table without column firstMovement_times": lambda raw: replace(
        raw, trials=raw.trials.drop(columns="firstMovement_times")
    ),
    "no trials": lambda raw: replace(raw, trials=pd.DataFrame()),
}


@pytest.mark.parametrize("reason", UNUSABLE)
def test_an_unusable_session_is_written_with_its_reason_or_refused(tmp_path, reason):
    raw = UNUSABLE[reason](recording())
    session = run(tmp_path, raw)
    assert session.reason == reason and not session.usable and session.n_trials == 0
    with pytest.raises(UserError, match="is unusable") as caught:
        run(tmp_path, raw, unusable="error")
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_an_aligned_file_reads_back_as_written(tmp_path):
    session = run(tmp_path, recording())
    write_aligned(tmp_path / "again.h5", session)
    again = read_aligned(tmp_path / "again.h5")
    assert again.dropped == session.dropped and again.settings == session.settings
    pd.testing.assert_frame_equal(again.trials, session.trials)
    for name, values in session.values.items():
        np.testing.assert_array_equal(again.values[name], values)
        assert again.values[name].dtype == values.dtype


def test_partition_is_deterministic(tmp_path):
    raw = recording()
    first, second = run(tmp_path, raw), run(tmp_path, raw)
    for name, values in first.values.items():
        np.testing.assert_array_equal(values, second.values[name])


def test_a_damaged_raw_file_is_one_clear_line(tmp_path):
    (tmp_path / "raw.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    with pytest.raises(UserError, match=r"raw.h5: damaged") as caught:
        partition(
            raw=tmp_path / "raw.h5",
            settings=PartitionRun(modalities=list(PAPER.values())),
            output=tmp_path / "aligned.h5",
        )
    assert "\n" not in str(caught.value) and not (tmp_path / "aligned.h5").exists()


def test_a_modality_without_recipe_is_refused(tmp_path):
    custom = {"pupil": Modality(name="pupil", kind="continuous")}
    with pytest.raises(UserError, match="pupil cannot be computed from a recording"):
        run(tmp_path, recording(), modalities=PAPER | custom)


def test_sessions_table(tmp_path):
    usable, unusable = recording(), replace(recording(n_trials=20), eid="too-short")
    paths = []
    for raw in (usable, unusable):
        write_aligned(tmp_path / f"{raw.eid}.h5", run(tmp_path, raw))
        paths.append(tmp_path / f"{raw.eid}.h5")
    table = sessions_table(paths, {EID: "train", "too-short": "test"})
    first, second = table.to_dict("records")
    assert (first["eid"], first["role"], first["usable"], first["why_not"]) == (EID, "train", True, "")
    assert [first[key] for key in ("n_trials", "n_train", "n_val", "n_test", "n_trials_before")] == [60, 42, 6, 12, 60]
    assert (first["units"], first["units_dropped"]) == (15, "rate not above 2 Hz: 1")
    assert (second["usable"], second["n_trials"], second["n_trials_before"]) == (False, 0, 20)
    assert "fewer than min_trials" in second["why_not"]
