"""Units along a probe that goes through VISa, CA1, DG, LP and PO, their tuning, their true rates and their spikes.

Shapes: N units, G bins of the rate grid (`GRID_S`, from session start), L latents.

A unit's log rate is a weighted sum of latents, so that the rate is exact and known. All sessions share the latents and,
per region, the distribution of the weights (how strong each is, and which sign most units prefer) and of the units' lead
over movement; the weights and leads themselves are drawn anew for each unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neds.synthetic.behaviour import STEP_S, Behaviour, decaying_sum, ornstein_uhlenbeck
from neds.synthetic.task import Task, stimulus_gain

GRID_S = 0.02
PROBE_LENGTH_UM = 3840.0

TRAJECTORY = [
    (800.0, "PO"),
    (1600.0, "LP"),
    (1800.0, "DG-po"),
    (1950.0, "DG-sg"),
    (2200.0, "DG-mo"),
    (2800.0, "CA1"),
    (3000.0, "VISa6a"),
    (3300.0, "VISa5"),
    (3450.0, "VISa4"),
    (3700.0, "VISa2/3"),
    (PROBE_LENGTH_UM, "VISa1"),
]
"""Upper border of each region, in um above the tip, and its Allen acronym, from the tip to the brain surface."""

SHARED_TIME_CONSTANTS_S = (0.15, 0.5, 2.0)

_TUNING_STRENGTH = pd.DataFrame.from_dict(
    {
        "PO": [0.25, 0.25, 0.30, 0.22, 0.25, 0.45, 0.85, 1.00, 0.40, 0.35, 0.25],
        "LP": [0.45, 0.45, 0.45, 0.25, 0.30, 0.40, 0.75, 0.75, 0.40, 0.35, 0.25],
        "DG": [0.20, 0.20, 0.30, 0.22, 0.45, 0.30, 0.65, 0.65, 0.60, 0.50, 0.40],
        "CA1": [0.25, 0.25, 0.30, 0.25, 0.40, 0.35, 0.85, 0.65, 0.50, 0.60, 0.35],
        "VISa": [0.50, 0.50, 0.45, 0.30, 0.40, 0.45, 0.75, 0.65, 0.40, 0.35, 0.25],
    },
    orient="index",
    columns=[
        "stimulus_left",
        "stimulus_right",
        "stimulus_onset",
        "choice",
        "belief",
        "velocity",
        "speed",
        "whisking",
        "arousal",
        "reward",
        "error",
    ],
)
_PREFERRED_SIGN = pd.DataFrame.from_dict(
    {
        "PO": [-1, 1, 1, -1, 1, 1, 1, 1, 1, 1, -1],
        "LP": [1, -1, 1, 1, 1, -1, 1, -1, 1, -1, 1],
        "DG": [1, 1, -1, 1, -1, 1, -1, -1, -1, 1, 1],
        "CA1": [-1, -1, -1, 1, 1, -1, -1, 1, -1, 1, -1],
        "VISa": [1, -1, 1, -1, -1, 1, 1, 1, -1, -1, 1],
    },
    orient="index",
    columns=_TUNING_STRENGTH.columns,
)
_PREFERENCE = 0.6
"""Share of a weight's root mean square that all units of a region have in common; the true weights of a unit then tell its
region in 93 % of units (Bayes' rule); without a preference, their strength alone tells 47 %."""
_SHARED_STRENGTH = 0.3
_PRIVATE_STRENGTH = 0.28
_LEADS = pd.DataFrame.from_dict(
    {
        "PO": [0, 1, 1, 2, 2],
        "LP": [0, 0, 1, 1, 2],
        "DG": [-1, -1, 0, 0, 1],
        "CA1": [-1, -1, 0, 0, 0],
        "VISa": [-1, 0, 0, 1, 1],
    },
    orient="index",
)
"""Bins by which units precede movement; each value of a region is equally frequent."""
_QUADRATURE_NODES = 7
_MAX_RATE_HZ = 120.0
_MIN_RATE_HZ = 0.05


@dataclass(frozen=True, kw_only=True)
class Population:
    """The units of one session and what they fired.

    Attributes:
        units: (N rows) probe (index), depth_um (above the tip), acronym, label (share of quality criteria passed: 1 or
            2/3 for good units, 0 or 1/3 for noise).
        rate_hz: (N, G) true rate in each bin of the grid, constant within the bin.
        rate_given_behaviour_hz: (N, G) its mean over the fluctuations that neither task nor behaviour shows.
        spike_times: (n_spikes,) seconds, ascending.
        spike_units: (n_spikes,) row of `units` that fired each spike.
    """

    units: pd.DataFrame
    rate_hz: np.ndarray
    rate_given_behaviour_hz: np.ndarray
    spike_times: np.ndarray
    spike_units: np.ndarray


def simulate_population(
    rng: np.random.Generator, *, task: Task, behaviour: Behaviour, n_good: int, n_noise: int, n_probes: int
) -> Population:
    """Draw units, then the spikes that they fire during the session."""
    units = _place_units(rng, n_good=n_good, n_noise=n_noise, n_probes=n_probes)
    good = units["label"].to_numpy() > 0.5
    latents = session_latents(rng, task=task, behaviour=behaviour)
    rates = np.empty((2, len(units), latents.shared.shape[1]), np.float32)
    rates[:, good] = _tuned_rates(rng, regions=region_of(units["acronym"][good]), latents=latents)
    rates[:, ~good] = rng.lognormal(np.log(1.0), 0.6, (n_noise, 1))
    rate_hz, given_behaviour_hz = rates
    spike_times, spike_units = draw_spikes(rng, rate_hz)
    return Population(
        units=units,
        rate_hz=rate_hz,
        rate_given_behaviour_hz=given_behaviour_hz,
        spike_times=spike_times,
        spike_units=spike_units,
    )


def acronym_at(depth_um: np.ndarray) -> np.ndarray:
    """Allen acronyms at `depth_um` above the tip."""
    borders = np.array([border for border, _ in TRAJECTORY])
    names = np.array([name for _, name in TRAJECTORY])
    return names[np.searchsorted(borders, depth_um, side="right").clip(max=len(names) - 1)]


def region_of(acronyms: Iterable[str]) -> np.ndarray:
    """Region (N,) of the Beryl parcellation that each layer or subfield belongs to."""
    return np.array([next(name for name in _TUNING_STRENGTH.index if a.startswith(name)) for a in acronyms])


@dataclass(frozen=True, kw_only=True)
class Latents:
    """What rates follow: the columns of `_TUNING_STRENGTH`, of unit variance, and fluctuations that no behaviour shows.

    Attributes:
        driven: (L, G) latents that follow task and behaviour.
        without_gain: (L, G) the same at a stimulus gain of 0.
        per_gain: (L, G) what a stimulus gain of 1 adds to `without_gain`. The gain itself, of each trial, is shown nowhere.
        shared: (one per time constant, G) fluctuations that all units share.
    """

    driven: np.ndarray
    without_gain: np.ndarray
    per_gain: np.ndarray
    shared: np.ndarray


def session_latents(rng: np.random.Generator, *, task: Task, behaviour: Behaviour) -> Latents:
    """The latents of a session; its shared fluctuations are drawn here."""
    driven = _drives(task, behaviour, gain=task.events["stimulus_gain"].to_numpy())
    at_gain_1, at_gain_0 = (_drives(task, behaviour, gain=np.full(len(task.events), gain)) for gain in (1.0, 0.0))
    mean, scale = driven.mean(axis=1, keepdims=True), np.maximum(driven.std(axis=1, keepdims=True), 1e-6)
    shared = [
        ornstein_uhlenbeck(rng, n=driven.shape[1], step_s=GRID_S, time_constant_s=time_constant_s)
        for time_constant_s in SHARED_TIME_CONSTANTS_S
    ]
    return Latents(
        driven=(driven - mean) / scale,
        without_gain=(at_gain_0 - mean) / scale,
        per_gain=(at_gain_1 - at_gain_0) / scale,
        shared=np.stack(shared),
    )


def _drives(task: Task, behaviour: Behaviour, *, gain: np.ndarray) -> np.ndarray:
    """What drives each latent of `_TUNING_STRENGTH` (L, G), at a stimulus gain (K,) of each trial."""
    events = task.events
    n_fine = len(behaviour.velocity)
    stimulus = events["stimOn_times"].to_numpy()
    outcome = events["feedback_times"].to_numpy()
    rewarded = events["feedbackType"].to_numpy() > 0

    def response(at_s: np.ndarray, size: np.ndarray, time_constant_s: float) -> np.ndarray:
        return _alpha_response(at_s, size, time_constant_s=time_constant_s, n=n_fine)

    drive = {
        "stimulus_left": response(stimulus + 0.04, gain * np.sqrt(events["contrastLeft"].fillna(0)), 0.08),
        "stimulus_right": response(stimulus + 0.04, gain * np.sqrt(events["contrastRight"].fillna(0)), 0.08),
        "stimulus_onset": response(stimulus + 0.03, gain, 0.06),
        "choice": _preparation(events, n_fine),
        "belief": _held(events["intervals_0"].to_numpy(), events["belief"].to_numpy(), n_fine),
        "velocity": np.tanh(behaviour.velocity / 3),
        "speed": np.log1p(np.abs(behaviour.velocity) / 0.5),
        "whisking": behaviour.whisking,
        "arousal": behaviour.arousal,
        "reward": response(outcome + 0.05, np.where(rewarded, gain, 0), 0.2),
        "error": response(outcome + 0.05, np.where(rewarded, 0, gain), 0.25),
    }
    per_bin = round(GRID_S / STEP_S)
    return np.stack([drive[name].reshape(-1, per_bin).mean(axis=1) for name in _TUNING_STRENGTH])


def draw_spikes(rng: np.random.Generator, rate_hz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spikes of independent Poisson processes with the piecewise constant rates `rate_hz` (N, G).

    Returns:
        Times (n_spikes,) in seconds, ascending, and units (n_spikes,).
    """
    counts = rng.poisson(rate_hz.astype(np.float64) * GRID_S)
    cells = np.repeat(np.arange(counts.size), counts.ravel())
    units, bins = np.divmod(cells, rate_hz.shape[1])
    times = (bins + rng.random(len(bins))) * GRID_S
    order = np.argsort(times, kind="stable")
    return times[order], units[order]


def _place_units(rng: np.random.Generator, *, n_good: int, n_noise: int, n_probes: int) -> pd.DataFrame:
    n = n_good + n_noise
    good_label = np.where(rng.random(n_good) < 0.7, 1.0, 2 / 3)
    noise_label = rng.choice([0.0, 1 / 3], n_noise)
    units = pd.DataFrame(
        {
            "probe": rng.permutation(np.arange(n) % n_probes),
            "depth_um": rng.uniform(20, PROBE_LENGTH_UM - 20, n),
            "label": np.concatenate([good_label, noise_label]),
        }
    )
    units = units.sort_values(["probe", "depth_um"], ignore_index=True)
    units["acronym"] = acronym_at(units["depth_um"].to_numpy())
    return units


def _tuned_rates(rng: np.random.Generator, *, regions: np.ndarray, latents: Latents) -> np.ndarray:
    """Rates (2, N, G) in Hz of units in `regions` (N,): the true ones, and their mean given task and behaviour.

    log rate = log mean rate + modulation depth x (weighted latents, scaled to unit variance) + constant.
    """
    n_units, n_driven, n_grid = len(regions), *latents.driven.shape
    weights = _draw_weights(rng, regions=regions, n_shared=len(latents.shared))
    # A unit may follow or precede the movement: its latents are read a bin later or up to two bins earlier.
    lead = _LEADS.loc[regions].to_numpy()[np.arange(n_units), rng.integers(_LEADS.shape[1], size=n_units)]
    mean_hz = np.clip(rng.lognormal(np.log(8.0), 0.6, n_units), 2.2, 25.0)
    depth = np.clip(rng.normal(0.5, 0.1, n_units), 0.3, 0.8)

    rates_hz = np.empty((2, n_units, n_grid), np.float32)
    for unit in range(n_units):
        private = ornstein_uhlenbeck(rng, n=n_grid, step_s=GRID_S, time_constant_s=0.3)
        of_driven, of_shared = weights[unit, :n_driven], weights[unit, n_driven:]
        log_rate = np.roll(of_driven @ latents.driven + of_shared @ latents.shared, -lead[unit])
        log_rate += _PRIVATE_STRENGTH * private
        unit_depth = depth[unit] / log_rate.std()
        modulation = np.exp(unit_depth * log_rate)
        scale_hz = mean_hz[unit] / modulation.mean()
        rates_hz[0, unit] = _bounded(scale_hz * modulation)
        shown = np.roll(of_driven @ latents.without_gain, -lead[unit])
        per_gain = np.roll(of_driven @ latents.per_gain, -lead[unit])
        hidden_std = np.sqrt(np.square(of_shared).sum() + _PRIVATE_STRENGTH**2)
        rates_hz[1, unit] = _mean_rate(
            np.log(scale_hz) + unit_depth * shown, per_gain=unit_depth * per_gain, log_std=unit_depth * hidden_std
        )
    return rates_hz


def _draw_weights(rng: np.random.Generator, *, regions: np.ndarray, n_shared: int) -> np.ndarray:
    """Weights (N, driven + shared latents) of units; those of shared fluctuations have no sign that a region prefers."""
    n_driven = _TUNING_STRENGTH.shape[1]
    deviates = rng.standard_normal((len(regions), n_driven + n_shared))
    preferred, own = _PREFERRED_SIGN.loc[regions].to_numpy(), deviates[:, :n_driven]
    driven = _PREFERENCE * preferred + np.sqrt(1 - _PREFERENCE**2) * own
    return np.concatenate(
        [_TUNING_STRENGTH.loc[regions].to_numpy() * driven, _SHARED_STRENGTH * deviates[:, n_driven:]], axis=1
    )


def _bounded(rate_hz: np.ndarray) -> np.ndarray:
    return np.clip(rate_hz, _MIN_RATE_HZ, _MAX_RATE_HZ)


def _mean_rate(log_rate: np.ndarray, *, per_gain: np.ndarray, log_std: float) -> np.ndarray:
    """Mean (G,) of the bounded rate whose logarithm is log_rate + stimulus gain x per_gain + a normal variable of `log_std`.

    It is over the gain, which differs from trial to trial, and the normal variable, by Gauss-Hermite quadrature.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_QUADRATURE_NODES)
    weights = weights / weights.sum()
    mean = np.zeros_like(log_rate)
    for gain, of_gain in zip(stimulus_gain(nodes), weights, strict=True):
        rate_hz = np.exp(log_rate + gain * per_gain)
        for factor, of_factor in zip(np.exp(log_std * nodes), weights, strict=True):
            mean += of_gain * of_factor * _bounded(factor * rate_hz)
    return mean


def _alpha_response(at_s: np.ndarray, size: np.ndarray, *, time_constant_s: float, n: int) -> np.ndarray:
    """Sum (n,) on the fine grid of alpha functions t/tau exp(1 - t/tau) that start at `at_s` with peaks `size`."""
    impulses = np.zeros(n)
    np.add.at(impulses, (at_s / STEP_S).astype(int), size)
    decay, step = np.exp(-STEP_S / time_constant_s), STEP_S / time_constant_s
    # Summed twice, an impulse becomes (t + 1) decay^t, which begins at 0 when it is moved by a step.
    twice = decaying_sum(decaying_sum(impulses, decay), decay)
    return np.e * step * decay * np.concatenate([[0.0], twice[:-1]])


def _preparation(events: pd.DataFrame, n: int) -> np.ndarray:
    """Signed preparation (n,): ramps up from stimulus to movement, stays until feedback, then decays in 0.3 s.

    Its height grows with the decision variable.
    """
    heights = np.zeros(n)
    rows = zip(
        events["choice"],
        events["decision"],
        events["stimOn_times"] + 0.05,
        events["firstMovement_times"],
        events["feedback_times"],
        strict=True,
    )
    for choice, decision, start_s, movement_s, feedback_s in rows:
        if choice == 0:
            continue
        first, last = int(start_s / STEP_S), int(feedback_s / STEP_S)
        height = choice * (0.6 + 0.2 * min(abs(decision), 4.0))
        ramp = np.clip((np.arange(first, last) * STEP_S - start_s) / max(movement_s - start_s, 0.05), 0, 1)
        heights[first:last] = height * ramp
        tail_s = np.arange(last, min(last + int(1.0 / STEP_S), n)) * STEP_S - feedback_s
        heights[last : last + len(tail_s)] = height * np.exp(-tail_s / 0.3)
    return heights


def _held(from_s: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """Step function (n,) on the fine grid that takes `values` from the times `from_s` on, and 0 before the first."""
    trial = np.searchsorted(from_s, np.arange(n) * STEP_S, side="right")
    return np.concatenate([[0.0], values])[trial]
