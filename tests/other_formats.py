"""A recording of a task that is not the IBL's, written by pynwb and by temporaldata themselves."""

from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import BehavioralTimeSeries, Position, SpatialSeries
from pynwb.file import Subject
from temporaldata import ArrayDict, Data, Interval, IrregularTimeSeries, RegularTimeSeries

N_TRIALS, N_UNITS, END_S = 60, 12, 250.0
CUE_S = 5.0 + 4.0 * np.arange(N_TRIALS)
RESPONSES = np.where(np.arange(N_TRIALS) % 3 == 0, "R", "L").astype(object)
CONTRASTS = np.where(np.arange(N_TRIALS) % 9 == 8, np.nan, np.arange(N_TRIALS) % 7 / 3 - 1)
"""Signed, of the stimulus; unknown in some trials."""
REGIONS = np.array(["M1", "PMd"] * (N_UNITS // 2), dtype=object)
QUALITY = np.array(["good"] * (N_UNITS - 2) + ["noise"] * 2, dtype=object)


def spike_trains(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0, END_S, rng.poisson(rate * END_S))) for rate in np.linspace(4, 20, N_UNITS)]


def speed(times_s: np.ndarray) -> np.ndarray:
    return np.abs(np.sin(times_s))


def hand(times_s: np.ndarray) -> np.ndarray:
    return np.column_stack([np.sin(times_s / 2), np.cos(times_s / 2)])


def write_nwb(path: Path, *, seed: int = 0, with_trials: bool = True, with_hand: bool = True) -> Path:
    file = NWBFile(
        "a reaching task",
        path.stem,
        datetime(2024, 5, 6, 12, tzinfo=UTC),
        lab="a lab",
        subject=Subject(subject_id="monkey"),
    )
    device = file.create_device("array")
    group = file.create_electrode_group("array0", "an array", "cortex", device)
    for region in ("M1", "PMd"):
        file.add_electrode(location=region, group=group, group_name="array0")
    file.add_unit_column("quality", "quality of the sorting")
    for unit, times_s in enumerate(spike_trains(seed)):
        file.add_unit(spike_times=times_s, electrodes=[unit % 2], quality=QUALITY[unit], electrode_group=group)
    if with_trials:
        file.add_trial_column("cue", "time of the cue")
        file.add_trial_column("response", "side of the response")
        file.add_trial_column("signed_contrast", "contrast of the stimulus, positive on the right")
        for cue_s, response, contrast in zip(CUE_S, RESPONSES, CONTRASTS, strict=True):
            file.add_trial(
                start_time=cue_s - 1, stop_time=cue_s + 2, cue=cue_s, response=response, signed_contrast=contrast
            )
    behavior = file.create_processing_module("behavior", "behaviour")
    clock = np.arange(0.01, END_S, 0.02)
    # In hundredths with a conversion to rad/s, and at a rate with a starting time.
    speeds = TimeSeries(
        name="speed", data=100 * speed(clock), unit="rad/s", conversion=0.01, rate=50.0, starting_time=0.01
    )
    behavior.add(BehavioralTimeSeries(name="treadmill", time_series=speeds))
    if with_hand:
        series = SpatialSeries(name="hand", data=hand(clock), reference_frame="the screen", timestamps=clock)
        behavior.add(Position(name="Position", spatial_series=series))
    with NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


NWB = {
    "series": {"wheel_speed": "processing/behavior/treadmill/speed", "hand": "processing/behavior/Position/hand"},
    "trials": {"choice": "response"},
    "units": {"acronym": "electrodes.location", "label": "quality", "probe": "electrode_group"},
    "values": {"choice": {"L": "left", "R": "right"}, "label": {"good": 1.0, "noise": 0.0}},
}


def write_brainsets(path: Path, *, seed: int = 0) -> Path:
    """The same recording as temporaldata writes it, with the series of one clock in one object."""
    trains = spike_trains(seed)
    units = np.repeat(np.arange(N_UNITS), [len(train) for train in trains])
    spikes = IrregularTimeSeries(timestamps=np.concatenate(trains), unit_index=units, domain="auto")
    spikes.sort()
    clock = np.arange(0.01, END_S, 0.02)
    data = Data(
        subject=Data(id="monkey"),
        session=Data(id=path.stem, recording_date="2024-05-06"),
        spikes=spikes,
        units=ArrayDict(id=np.array([f"{path.stem}/{u}" for u in range(N_UNITS)]), area=REGIONS.astype(str)),
        treadmill=RegularTimeSeries(speed=speed(clock), sampling_rate=50.0, domain_start=0.01),
        cursor=IrregularTimeSeries(timestamps=clock, pos=hand(clock), domain="auto"),
        trials=Interval(
            start=CUE_S - 1,
            end=CUE_S + 2,
            cue=CUE_S,
            response=(RESPONSES == "L").astype(int),
            timekeys=["start", "end", "cue"],
        ),
        domain=spikes.domain,
    )
    with h5py.File(path, "w") as handle:
        data.to_hdf5(handle)
    return path


BRAINSETS = {
    "series": {"wheel_speed": "treadmill/speed", "hand": "cursor/pos"},
    "trials": {"choice": "response"},
    "units": {"uuid": "id", "acronym": "area"},
    "values": {"choice": {0: "right", 1: "left"}},
}


def write_brain_wide_bench(path: Path) -> Path:
    """A small session of the IBL in the layout that BrainWideBench's pipeline writes."""
    trains, stimulus = spike_trains(), CUE_S
    units = np.repeat(np.arange(N_UNITS), [len(train) for train in trains])
    spikes = IrregularTimeSeries(timestamps=np.concatenate(trains), unit_index=units, domain="auto")
    spikes.sort()
    n_samples = int(END_S * 50)
    times_s = 0.01 + np.arange(n_samples) / 50
    columns = {
        "start": stimulus - 1,
        "end": stimulus + 2.5,
        "stim_on_time": stimulus,
        "stim_off_time": stimulus + 2,
        "go_cue_time": stimulus + 0.01,
        "movement_onset_time": stimulus + 0.3,
        "response_time": stimulus + 0.7,
        "feedback_time": stimulus + 0.8,
    }
    times = list(columns)
    columns |= {
        "feedback_type": np.where(np.arange(N_TRIALS) % 5, 1.0, -1.0),
        "reward_volume": np.where(np.arange(N_TRIALS) % 5, 1.5, 0.0),
        "contrast_left": np.where(np.arange(N_TRIALS) % 2, 1.0, np.nan),
        "contrast_right": np.where(np.arange(N_TRIALS) % 2, np.nan, 1.0),
        "probability_left": np.array([0.5, 0.2, 0.8])[np.arange(N_TRIALS) // 20],
        "choice": np.where(np.arange(N_TRIALS) == 7, 2, np.arange(N_TRIALS) % 2),
    }
    regions = {f"region_{atlas}": np.array([name] * N_UNITS) for atlas, name in REGION_NAMES.items()}
    table = pd.DataFrame(
        {"id": [f"u{u}" for u in range(N_UNITS)], "probe_id": "p0", "depths": 100.0, "channels": 3, "label": 1.0}
        | regions
    )
    data = Data(
        subject=Data(id="SWC_001"),
        session=Data(id=path.stem, recording_date="2024-05-06"),
        lab="a lab",
        spikes=spikes,
        units=ArrayDict.from_dataframe(table),
        trials=Interval(timekeys=times, **columns),
        wheel=RegularTimeSeries(
            wheel_speed=speed(times_s), wheel_vel=np.sin(times_s), sampling_rate=50.0, domain_start=0.01
        ),
        whisker=RegularTimeSeries(whisker_motion_energy=times_s, sampling_rate=50.0, domain_start=0.01),
        domain=spikes.domain,
    )
    with h5py.File(path, "w") as handle:
        data.to_hdf5(handle)
    return path


REGION_NAMES = {"allen": "VISa1", "beryl": "VISa", "cosmos": "Isocortex"}
