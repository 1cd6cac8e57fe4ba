"""The IBL visual decision task, played by a simulated mouse.

Shapes: K trials. Times in seconds from session start.

The schedule (contrasts, blocks, quiescence, feedback time-outs) is that of the IBL's biased choice world (International
Brain Laboratory, eLife 2021, doi:10.7554/eLife.63711). ALF signs: choice +1 reports a stimulus on the left (the wheel
turns counter-clockwise, its position grows), choice -1 one on the right, 0 is a no-go trial.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

CONTRASTS = np.array([1.0, 0.25, 0.125, 0.0625, 0.0])
UNBIASED_TRIALS = 90
BLOCK_LENGTH = (20, 100)
THRESHOLD_RAD = 0.28
"""Wheel turn that moves the stimulus by 35 degrees: 4 degrees per mm on a wheel of 31 mm radius."""

_CONTRAST_WEIGHTS = np.array([2, 2, 2, 2, 1]) / 9
_REWARD_UL = 1.5
_NO_GO_S = 12.0
_LEAD_IN_S, _LEAD_OUT_S = 10.0, 10.0
_LAPSE_RATE = 0.05
_PRIOR_WEIGHT = 1.2
_BELIEF_STEP = 0.3
_GAIN_LOG_STD = 0.4

ALF_COLUMNS = [
    "intervals_0",
    "intervals_1",
    "stimOn_times",
    "goCue_times",
    "firstMovement_times",
    "response_times",
    "feedback_times",
    "feedbackType",
    "choice",
    "probabilityLeft",
    "contrastLeft",
    "contrastRight",
    "rewardVolume",
]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What happened in a session and what was recorded of it.

    Attributes:
        events: (K rows) the ALF columns, complete, and the hidden variables of each trial: `belief` (-1 right .. +1
            left), `decision` (decision variable, > 0 reports left unless the mouse lapses), `stimulus_gain`,
            `quiescence_s`, `movement_s` and `movement_rad` (duration and signed size of the choice turn; 0 rad on
            no-go trials).
        trials: (K rows) the ALF columns as recorded: a few event times are missing (NaN).
        duration_s: length of the session.
    """

    events: pd.DataFrame
    trials: pd.DataFrame
    duration_s: float


def simulate_task(rng: np.random.Generator, *, n_trials: int) -> Task:
    """Play `n_trials` trials."""
    probability_left = draw_blocks(rng, n_trials)
    side = np.where(rng.random(n_trials) < probability_left, 1, -1)
    contrast = rng.choice(CONTRASTS, n_trials, p=_CONTRAST_WEIGHTS)
    belief = _beliefs(probability_left)
    decision = 5.2 * side * contrast / (contrast + 0.25) + _PRIOR_WEIGHT * belief + rng.logistic(size=n_trials)
    lapse = rng.random(n_trials) < _LAPSE_RATE
    choice = np.where(lapse, rng.choice([-1.0, 1.0], n_trials), np.sign(decision))
    choice[rng.random(n_trials) < 0.01] = 0

    reaction_s = _reaction_times(rng, np.abs(decision))
    movement_rad = THRESHOLD_RAD * (1.1 + rng.lognormal(np.log(0.5), 0.7, n_trials))
    movement_s = movement_durations(rng, movement_rad)
    latency_s = reaction_s + movement_s * minimum_jerk_crossing(THRESHOLD_RAD / movement_rad)

    quiescence_s = 0.2 + _truncated_exponential(rng, 0.35, 0.2, 0.5, n_trials)
    go_cue_s = rng.uniform(0.001, 0.006, n_trials)
    response_s = np.where(choice == 0, go_cue_s + _NO_GO_S, latency_s)
    correct = choice == side
    timeout_s = np.where(correct, 1.0, 2.0) + 0.5
    trial_s = quiescence_s + response_s + timeout_s
    pause_s = rng.uniform(0.3, 1.2, n_trials)
    start = _LEAD_IN_S + np.concatenate([[0.0], np.cumsum(trial_s + pause_s)[:-1]])
    stim_on = start + quiescence_s

    events = pd.DataFrame(
        {
            "intervals_0": start,
            "intervals_1": start + trial_s,
            "stimOn_times": stim_on,
            "goCue_times": stim_on + go_cue_s,
            "firstMovement_times": np.where(choice == 0, np.nan, stim_on + reaction_s),
            "response_times": stim_on + response_s,
            "feedback_times": stim_on + response_s + rng.uniform(0.001, 0.004, n_trials),
            "feedbackType": np.where(correct, 1.0, -1.0),
            "choice": choice,
            "probabilityLeft": probability_left,
            "contrastLeft": np.where(side > 0, contrast, np.nan),
            "contrastRight": np.where(side < 0, contrast, np.nan),
            "rewardVolume": np.where(correct, _REWARD_UL, 0.0),
            "belief": belief,
            "decision": decision,
            "stimulus_gain": stimulus_gain(rng.standard_normal(n_trials)),
            "quiescence_s": quiescence_s,
            "movement_s": movement_s,
            "movement_rad": choice * movement_rad,
        }
    )
    duration_s = float(np.ceil(events["intervals_1"].iloc[-1] + _LEAD_OUT_S))
    return Task(events=events, trials=_recorded(rng, events), duration_s=duration_s)


def stimulus_gain(deviate: np.ndarray) -> np.ndarray:
    """How strongly stimulus and outcome drive the brain in a trial, log-normal with a mean of 1, from normal deviates."""
    return np.exp(_GAIN_LOG_STD * deviate - 0.5 * _GAIN_LOG_STD**2)


def draw_blocks(rng: np.random.Generator, n_trials: int) -> np.ndarray:
    """Probability (K,) of a stimulus on the left: 0.5 for 90 trials, then blocks of 0.2 and 0.8 in turn."""
    values = [np.full(UNBIASED_TRIALS, 0.5)]
    left = rng.random() < 0.5
    while sum(map(len, values)) < n_trials:
        length = int(_truncated_exponential(rng, 60.0, *BLOCK_LENGTH, 1)[0])
        values.append(np.full(length, 0.8 if left else 0.2))
        left = not left
    return np.concatenate(values)[:n_trials]


def minimum_jerk(phase: np.ndarray) -> np.ndarray:
    """Share of a reach done at `phase` 0..1 of its duration (Flash & Hogan, J. Neurosci. 1985)."""
    return phase**3 * (10 - 15 * phase + 6 * phase**2)


def minimum_jerk_crossing(share: np.ndarray) -> np.ndarray:
    """Phase 0..1 at which a minimum-jerk reach has covered `share` of its size."""
    phase = np.linspace(0, 1, 1001)
    return np.interp(share, minimum_jerk(phase), phase)


def movement_durations(rng: np.random.Generator, size_rad: np.ndarray) -> np.ndarray:
    """Durations (M,) in seconds of wheel turns: larger ones take longer, with vigour that varies from turn to turn."""
    return 0.25 * np.sqrt(np.abs(size_rad) / 0.4) * np.clip(rng.lognormal(0, 0.4, len(size_rad)), 0.5, 3.0)


def _truncated_exponential(rng: np.random.Generator, scale: float, low: float, high: float, size: int) -> np.ndarray:
    """Exponential draws shifted to start at `low`, those above `high` drawn again, by inversion."""
    ceiling = -np.expm1(-(high - low) / scale)
    return low - scale * np.log1p(-rng.random(size) * ceiling)


def _beliefs(probability_left: np.ndarray) -> np.ndarray:
    """The mouse's estimate (K,) of the block, -1 .. +1, which lags behind each switch by about three trials."""
    target = (probability_left - 0.5) / 0.3
    belief = np.zeros(len(target))
    for k in range(1, len(target)):
        belief[k] = belief[k - 1] + _BELIEF_STEP * (target[k] - belief[k - 1])
    return belief


def _reaction_times(rng: np.random.Generator, certainty: np.ndarray) -> np.ndarray:
    n = len(certainty)
    reaction_s = 0.1 + rng.lognormal(np.log(0.15 + 0.25 * np.exp(-certainty / 2)), 0.55)
    hesitant = rng.random(n) < 0.1
    reaction_s[hesitant] *= 3
    absent = rng.random(n) < 0.01
    reaction_s[absent] = rng.uniform(10.5, 14.0, absent.sum())
    return reaction_s


def _recorded(rng: np.random.Generator, events: pd.DataFrame) -> pd.DataFrame:
    trials = events[ALF_COLUMNS].copy()
    for column, rate in (("firstMovement_times", 0.015), ("stimOn_times", 0.01), ("feedback_times", 0.005)):
        trials.loc[rng.random(len(trials)) < rate, column] = np.nan
    return trials
