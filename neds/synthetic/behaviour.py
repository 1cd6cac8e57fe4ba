"""Wheel and whisker pads through a whole session.

Shapes: F samples of the fine grid (step `STEP_S`, from session start), M movements, K trials.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neds.synthetic.task import Task, movement_durations

STEP_S = 0.002
CAMERA_HZ = {"left": 60.0, "right": 150.0}

_ENCODER_STEP_RAD = 2 * np.pi / 4096
_LICK_HZ = 7.0


@dataclass(frozen=True)
class Samples:
    """A recorded signal on its own clock: `times` (n,) seconds, ascending; `values` (n,)."""

    times: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What the mouse did, and what the instruments saw of it.

    Attributes:
        velocity: (F,) wheel velocity, rad/s, positive counter-clockwise.
        whisking: (F,) drive common to both whisker pads, about unit variance.
        arousal: (F,) slow state, zero mean and unit variance.
        wheel: position (rad) at the times at which the rotary encoder's count changes.
        cameras: motion energy (a.u.) of the whisker pad, by camera, at its frame times.
    """

    velocity: np.ndarray
    whisking: np.ndarray
    arousal: np.ndarray
    wheel: Samples
    cameras: dict[str, Samples]


def simulate_behaviour(rng: np.random.Generator, *, task: Task) -> Behaviour:
    """Move the wheel and the whiskers through the session of `task`."""
    n = round(task.duration_s / STEP_S)
    arousal = (
        ornstein_uhlenbeck(rng, n=n, step_s=STEP_S, time_constant_s=20.0)
        + 0.75 * ornstein_uhlenbeck(rng, n=n, step_s=STEP_S, time_constant_s=1.5)
    ) / 1.25
    velocity = _wheel_velocity(_movements(rng, task=task, arousal=arousal), n)
    velocity *= 1 + 0.3 * ornstein_uhlenbeck(rng, n=n, step_s=STEP_S, time_constant_s=0.05)
    whisking = (
        0.6 * np.log1p(np.abs(velocity) / 0.5)
        + 0.55 * arousal
        + 0.65 * ornstein_uhlenbeck(rng, n=n, step_s=STEP_S, time_constant_s=0.2)
        + 0.7 * _licking(rng, events=task.events, n=n)
    )
    return Behaviour(
        velocity=velocity,
        whisking=whisking,
        arousal=arousal,
        wheel=_encoder(velocity),
        cameras={name: _camera(rng, whisking=whisking, rate_hz=rate) for name, rate in CAMERA_HZ.items()},
    )


def ornstein_uhlenbeck(rng: np.random.Generator, *, n: int, step_s: float, time_constant_s: float) -> np.ndarray:
    """Stationary Ornstein-Uhlenbeck process (n,) of zero mean and unit variance, sampled every `step_s`."""
    decay = np.exp(-step_s / time_constant_s)
    noise = rng.standard_normal(n)
    noise[1:] *= np.sqrt(1 - decay**2)
    return decaying_sum(noise, decay)


def decaying_sum(values: np.ndarray, decay: float) -> np.ndarray:
    """Sum (n,) of the values so far, each `decay` times as large after every step: y[t] = decay * y[t - 1] + values[t].

    By pandas, which is loaded anyway; scipy.signal takes most of a second to load.
    """
    gain = 1 - decay
    # pandas takes its first value for the mean of all before it, which were zero.
    scaled = pd.Series(np.concatenate([[0.0], values]) / gain)
    return scaled.ewm(alpha=gain, adjust=False).mean().to_numpy()[1:]


def _movements(rng: np.random.Generator, *, task: Task, arousal: np.ndarray) -> pd.DataFrame:
    """Turns of the wheel (M rows): onset_s, duration_s, size_rad (signed)."""
    events = task.events
    moved = events["choice"] != 0
    choices = pd.DataFrame(
        {
            "onset_s": events["firstMovement_times"][moved],
            "duration_s": events["movement_s"][moved],
            "size_rad": events["movement_rad"][moved],
        }
    )
    n_after = rng.poisson(1.5, len(events))
    after_s = np.repeat(events["feedback_times"].to_numpy(), n_after)
    after = _spontaneous(rng, after_s + rng.uniform(0.05, 1.2, len(after_s)))

    times = np.sort(rng.uniform(0, task.duration_s, rng.poisson(1.0 * task.duration_s)))
    aroused = 1 / (1 + np.exp(-1.5 * arousal[(times / STEP_S).astype(int)] + 0.5))
    trial = np.searchsorted(events["intervals_0"].to_numpy(), times) - 1
    # The stimulus appears only after the wheel has stood still, and the choice turn ends the wait for a response.
    free = (trial < 0) | (times > events["response_times"].to_numpy()[trial])
    next_start = np.append(events["intervals_0"].to_numpy(), np.inf)[trial + 1]
    settled = times + 1.0 < next_start
    between = _spontaneous(rng, times[free & settled & (rng.random(len(times)) < aroused)])
    return pd.concat([choices, after, between], ignore_index=True)


def _spontaneous(rng: np.random.Generator, onset_s: np.ndarray) -> pd.DataFrame:
    n = len(onset_s)
    size_rad = rng.choice([-1.0, 1.0], n) * np.clip(rng.lognormal(np.log(0.3), 0.6, n), 0.05, 1.2)
    return pd.DataFrame({"onset_s": onset_s, "duration_s": movement_durations(rng, size_rad), "size_rad": size_rad})


def _wheel_velocity(movements: pd.DataFrame, n: int) -> np.ndarray:
    """Sum (F,) of minimum-jerk velocity profiles (Flash & Hogan, J. Neurosci. 1985)."""
    velocity = np.zeros(n)
    for onset_s, duration_s, size_rad in movements.itertuples(index=False):
        first, last = int(onset_s / STEP_S), min(int((onset_s + duration_s) / STEP_S) + 1, n)
        phase = np.clip((np.arange(first, last) * STEP_S - onset_s) / duration_s, 0, 1)
        velocity[first:last] += size_rad / duration_s * 30 * (phase * (1 - phase)) ** 2
    return velocity


def _licking(rng: np.random.Generator, *, events: pd.DataFrame, n: int) -> np.ndarray:
    """Bouts (F,) of licks at 7 Hz after each reward, of variable strength and length."""
    drive = np.zeros(n)
    for reward_s in events["feedback_times"][events["feedbackType"] > 0]:
        length_s, strength = rng.uniform(0.4, 1.4), rng.lognormal(0, 0.4)
        first = int((reward_s + rng.uniform(0.05, 0.2)) / STEP_S)
        time_s = np.arange(min(int(length_s / STEP_S), n - first)) * STEP_S
        rhythm = 1 - np.cos(2 * np.pi * _LICK_HZ * time_s)
        drive[first : first + len(time_s)] += strength * rhythm * (1 - time_s / length_s)
    return drive


def _encoder(velocity: np.ndarray) -> Samples:
    """Position at every change of a rotary encoder with 4096 counts per turn, and at both ends of the session."""
    counts = np.round(np.cumsum(velocity) * STEP_S / _ENCODER_STEP_RAD)
    kept = np.union1d(np.flatnonzero(np.diff(counts)) + 1, [0, len(counts) - 1])
    return Samples(times=(kept + 1) * STEP_S, values=counts[kept] * _ENCODER_STEP_RAD)


def _camera(rng: np.random.Generator, *, whisking: np.ndarray, rate_hz: float) -> Samples:
    """Motion energy of one camera: the common drive, a fluctuation of its own, its own gain, clock and frame noise."""
    duration_s = len(whisking) * STEP_S
    interval_s = (1 + rng.uniform(-2e-4, 2e-4)) / rate_hz
    times = np.arange(rng.uniform(0.2, 1.0), duration_s - 0.2, interval_s)
    times += rng.uniform(-0.1, 0.1, len(times)) * interval_s
    drive = np.interp(times, np.arange(len(whisking)) * STEP_S, whisking)
    drive += 0.25 * ornstein_uhlenbeck(rng, n=len(times), step_s=interval_s, time_constant_s=0.03)
    energy = rng.uniform(0.7, 1.4) * (1 + 2 * np.logaddexp(0, drive)) + 0.1 * rng.standard_normal(len(times))
    return Samples(times=times, values=np.maximum(energy, 0).astype(np.float32))
