"""Small recordings in the layout of BrainWideBench, written by torch_brain itself.

Trials that are not valid, a trial whose wheel was not recorded, paws that were not seen well, a unit without a spike and one
without a spike in the training trials. Shapes: K trials, N units, n samples at 50 Hz.
"""

import uuid
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
from torch_brain.data import (
    ArrayDict,
    BrainsetDescription,
    Data,
    Interval,
    IrregularTimeSeries,
    RegularTimeSeries,
    SessionDescription,
    SubjectDescription,
)

N_TRIALS, N_UNITS, RATE_HZ = 48, 16, 50
FIRST_S, EVERY_S = 6.137, 6.5
SPIKES_END_S = FIRST_S + EVERY_S * N_TRIALS + 2.0
WHEEL_END_S = FIRST_S + EVERY_S * (N_TRIALS - 1) - 1.0
"""Before the last trial."""
NOT_VALID = (3, 40)
REGIONS = np.array(["Isocortex", "HPF", "TH", "root"])
HELD_OUT = (2, 9, 15)
"""Of co-smoothing; the last has no spike."""
CONTRASTS = np.array([0.0, 0.0625, 0.125, 0.25, 1.0])


def write_recording(path: Path, *, seed: int, pretrain: bool = False, unit_filtering: str = "selected_units") -> Path:
    """A session called as the file is."""
    rng = np.random.default_rng(seed)
    trials = _trials(rng)
    wheel, whisker, paws, licks = _series(rng, trials)
    spikes = _spikes(rng, trials, wheel)
    intervals = _task_aligned(trials, paws)
    data = Data(
        brainset=BrainsetDescription(
            id="ibl_brain_wide_bench_2026",
            origin_version="0.0.1",
            derived_version="0.1.0",
            source="one-api",
            description="made up",
            unit_filtering=unit_filtering,
        ),
        subject=SubjectDescription(id=f"mouse{seed}", species="MUS_MUSCULUS"),
        session=SessionDescription(id=path.stem, recording_date=datetime(2024, 5, 6)),
        lab="a lab",
        spikes=spikes,
        units=_units(rng, spikes, held_out=not pretrain),
        trials=trials,
        task_aligned_intervals=intervals,
        wheel=wheel,
        whisker=whisker,
        paws=paws,
        licks=licks,
        domain=spikes.domain,
    )
    splits = {"pretrain_train": (0.0, 0.8), "pretrain_val": (0.8, 1.0)}
    if not pretrain:
        splits = {"ts1_train": (0.0, 0.45), "ts1_val": (0.45, 0.65), "ts1_test": (0.65, 1.0)}
        for name, own in _chunks(spikes.domain.end[-1], intervals.domain).items():
            setattr(data, f"ts2_{name}_domain", own)
    for name, (first, last) in splits.items():
        ends = [_between_trials(share, spikes.domain.end[-1]) for share in (first, last)]
        # Twenty seconds apart, as there.
        setattr(data, f"{name}_domain", Interval(ends[0] + (20.0 if first else 0.0), ends[1]))
    _add_normalisation(data, "pretrain" if pretrain else "ts1")
    with h5py.File(path, "w") as handle:
        data.to_hdf5(handle)
    return path


def changed(recording: Path, place: str, values: object) -> None:
    """Give a recording another dataset, or its session another attribute, which @ marks."""
    with h5py.File(recording, "r+") as handle:
        if place.startswith("@"):
            handle["session"].attrs[place[1:]] = values
            return
        del handle[place]
        handle[place] = values


def _trials(rng: np.random.Generator) -> Interval:
    k = np.arange(N_TRIALS)
    stimulus = FIRST_S + EVERY_S * k + rng.uniform(-0.2, 0.2, N_TRIALS)
    movement = stimulus + rng.uniform(0.2, 0.6, N_TRIALS)
    feedback = movement + rng.uniform(0.3, 0.8, N_TRIALS)
    choice, side = rng.permutation(k) % 2, rng.permutation(k) % 2
    # Every contrast is among the trials of every split.
    contrast = (3 * k) % 5
    valid = ~np.isin(k, NOT_VALID)
    movement[~valid], choice[~valid] = np.nan, 2
    return Interval(
        start=stimulus - 1.5,
        end=stimulus + 3.0,
        stim_on_time=stimulus,
        stim_off_time=feedback + 1.0,
        go_cue_time=stimulus + 0.005,
        movement_onset_time=movement,
        response_time=feedback - 0.01,
        feedback_time=feedback,
        feedback_type=np.where(choice == side, 1.0, -1.0),
        reward_volume=np.where(choice == side, 1.5, 0.0),
        contrast_left=np.where(side == 1, CONTRASTS[contrast], np.nan),
        contrast_right=np.where(side == 0, CONTRASTS[contrast], np.nan),
        probability_left=np.array([0.5, 0.2, 0.8])[k // (N_TRIALS // 3)],
        choice=choice,
        reward=(choice == side).astype(int),
        stimulus_contrast=contrast,
        is_valid=valid,
        trial_index=k,
        timekeys=[
            *("start", "end", "stim_on_time", "stim_off_time", "go_cue_time", "movement_onset_time"),
            *("response_time", "feedback_time"),
        ],
    )


def _series(rng: np.random.Generator, trials: Interval) -> tuple[RegularTimeSeries, ...]:
    """Wheel, whisker, paws and licks on one grid that no trial's time lies on."""
    start = 0.1131
    times = start + np.arange(int((SPIKES_END_S - start) * RATE_HZ)) / RATE_HZ
    moved = np.zeros(len(times))
    for onset in trials.movement_onset_time[trials.is_valid]:
        moved += np.exp(-0.5 * ((times - onset - 0.4) / 0.15) ** 2) * rng.uniform(1, 3)
    velocity = moved + 0.05 * rng.normal(size=len(times))
    n_wheel = int((WHEEL_END_S - start) * RATE_HZ)
    wheel = RegularTimeSeries(
        wheel_pos=np.cumsum(velocity[:n_wheel]) / RATE_HZ,
        wheel_vel=velocity[:n_wheel],
        wheel_speed=np.abs(velocity[:n_wheel]),
        sampling_rate=float(RATE_HZ),
        domain_start=start,
    )
    whisker = RegularTimeSeries(
        whisker_motion_energy=1e5 * (5 + 2 * moved + 0.3 * rng.normal(size=len(times))),
        sampling_rate=float(RATE_HZ),
        domain_start=start,
    )
    seen = {f"is_{side}_paw_confident": np.ones(len(times), bool) for side in ("left", "right")}
    blink = trials.movement_onset_time[N_TRIALS - 8]
    # Not for a moment of the window of one trial, and not in all of that of the next.
    seen["is_left_paw_confident"][(times > blink + 0.3) & (times < blink + 0.5)] = False
    gone = trials.movement_onset_time[N_TRIALS - 7]
    seen["is_left_paw_confident"][(times > gone - 0.5) & (times < gone + 1.5)] = False
    paws = RegularTimeSeries(
        left_paw_speed=40 + 30 * moved + 5 * rng.normal(size=len(times)),
        right_paw_speed=40 + 25 * moved + 5 * rng.normal(size=len(times)),
        **seen,
        sampling_rate=float(RATE_HZ),
        domain_start=start,
    )
    rate = np.full(len(times), 0.02)
    for onset in trials.feedback_time[trials.is_valid & (trials.reward == 1)]:
        rate[(times > onset) & (times < onset + 0.8)] = 0.3
    licks = RegularTimeSeries(
        licking_rate=rng.poisson(rate) * float(RATE_HZ), sampling_rate=float(RATE_HZ), domain_start=start
    )
    return wheel, whisker, paws, licks


def _spikes(rng: np.random.Generator, trials: Interval, wheel: RegularTimeSeries) -> IrregularTimeSeries:
    """The first units prefer a choice, the next fire when the wheel turns; the last but one is silent at first."""
    step_s = 0.005
    times = np.arange(0.0, SPIKES_END_S, step_s)
    speed = np.interp(times, wheel.timestamps, wheel.wheel_speed, right=0.0)
    rates = rng.uniform(4, 10, N_UNITS)[:, None] * np.ones(len(times))
    for onset, choice in zip(trials.movement_onset_time, trials.choice, strict=True):
        before = (times > onset - 0.8) & (times < onset)
        rates[:4, before] *= np.where(np.arange(4)[:, None] % 2 == choice, 4.0, 0.3)
    rates[4:9] *= 1 + 2 * speed
    rates[N_UNITS - 2, times < 0.7 * SPIKES_END_S] = 0.0
    rates[N_UNITS - 1] = 0.0
    unit, step = np.nonzero(rng.uniform(size=rates.shape) < rates * step_s)
    spikes = IrregularTimeSeries(
        timestamps=times[step] + rng.uniform(0, step_s, len(step)), unit_index=unit.astype(np.int64), domain="auto"
    )
    spikes.sort()
    return spikes


def _units(rng: np.random.Generator, spikes: IrregularTimeSeries, *, held_out: bool) -> ArrayDict:
    regions = REGIONS[np.arange(N_UNITS) % len(REGIONS)]
    columns = {
        "id": np.array([str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(N_UNITS)]),
        "probe_id": np.array([["probe_a", "probe_b"][u % 2] for u in range(N_UNITS)]),
        "depths": 100.0 + 25.0 * np.arange(N_UNITS),
        "channels": np.arange(N_UNITS),
        "label": np.ones(N_UNITS),
        "firing_rate": np.maximum(np.bincount(spikes.unit_index, minlength=N_UNITS) / SPIKES_END_S, 1.1),
        **{f"region_{atlas}": regions for atlas in ("allen", "beryl", "cosmos")},
        "qc_neural": np.array(["PASS"] * N_UNITS),
        "qc_neural_alignment": np.array(["PASS"] * (N_UNITS - 1) + ["WARNING"]),
    }
    if held_out:
        columns["ts2_co_smoothing_is_held_out_test"] = np.isin(np.arange(N_UNITS), HELD_OUT)
        columns["ts2_co_smoothing_is_held_out_val"] = np.isin(np.arange(N_UNITS), [5])
    return ArrayDict(**columns)


def _task_aligned(trials: Interval, paws: RegularTimeSeries) -> Data:
    valid = trials.select_by_mask(trials.is_valid)
    stimulus, movement, feedback = valid.stim_on_time, valid.movement_onset_time, valid.feedback_time
    known = {"trial_index": np.flatnonzero(trials.is_valid)}
    parts = {
        "stimulus_contrast": Interval(
            stimulus - 0.9, stimulus + 0.1, stimulus_contrast=valid.stimulus_contrast, **known
        ),
        "choice": Interval(movement - 1.0, movement, choice=valid.choice, **known),
        "movement_window": Interval(movement, movement + 1.0, **known),
        "reward": Interval(feedback, feedback + 1.0, reward=valid.reward, **known),
        "licking_window": Interval(feedback, feedback + 1.0, **known),
    }
    for side in ("left", "right"):
        number = [getattr(paws.slice(t, t + 1.0), f"is_{side}_paw_confident").sum() for t in movement]
        setattr(parts["movement_window"], f"num_{side}_paw_confident", np.array(number))
    starts, ends = zip(*((own.start, own.end) for own in parts.values()), strict=True)
    return Data(**parts, domain=Interval(np.min(starts, axis=0), np.max(ends, axis=0)))


def _between_trials(share: float, end_s: float) -> float:
    if share in (0.0, 1.0):
        return share * end_s
    return FIRST_S + EVERY_S * round(share * N_TRIALS) - 2.5


def _chunks(end_s: float, domain: Interval) -> dict[str, Interval]:
    """Stretches of about 40 s in turn, which begin and end between trials."""
    edges = [_between_trials(share, end_s) for share in np.linspace(0, 1, 9)]
    order = ["train", "test", "train", "val", "test", "train", "train", "test"]
    return {
        name: Interval(
            np.array([edges[i] for i, own in enumerate(order) if own == name]),
            np.array([edges[i + 1] for i, own in enumerate(order) if own == name]),
        )
        for name in ("train", "val", "test")
    }


def _add_normalisation(data: Data, scope: str) -> None:
    windows = data.task_aligned_intervals.movement_window & getattr(data, f"{scope}_train_domain")
    found = {}
    for group, name in (("whisker", "whisker_motion_energy"), ("paws", "left_paw_speed"), ("paws", "right_paw_speed")):
        values = np.concatenate([getattr(getattr(data.slice(s, e), group), name) for s, e in windows])
        found.setdefault(group, {})[name] = Data(mean=values.mean(), std=values.std())
    setattr(data, f"{scope}_normalize", Data(**{group: Data(**own) for group, own in found.items()}))
