"""Calibration scores say how far predicted changes of rates and probabilities of classes are to be believed."""

import numpy as np
import pytest

from neds.evaluation.calibration import LARGEST_SLOPE_ERROR, calibration_slope
from neds.evaluation.score import all_scores
from neds.figures.calibration import reliability
from tests.aligned_sessions import make_session


def drawn_rates(n_units: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True rates (K, T, N) that change within units by 10 to 50 %, units' mean rates (N,), and counts drawn from them."""
    rng = np.random.default_rng(0)
    mean = rng.lognormal(-2, 1, n_units)
    rates = mean * (1 + np.linspace(0.1, 0.5, n_units) * rng.uniform(-1.7, 1.7, (60, 50, n_units)))
    return rates, mean, rng.poisson(rates)


def test_slope_is_one_for_the_true_rates_and_the_share_that_is_true_of_exaggerated_ones():
    rates, mean, counts = drawn_rates()
    assert calibration_slope(rates, counts) == pytest.approx(1, abs=0.05)
    assert calibration_slope(mean + 2 * (rates - mean), counts) == pytest.approx(0.5, abs=0.025)
    assert calibration_slope(mean + 0.5 * (rates - mean), counts) == pytest.approx(2, abs=0.1)


def test_slope_is_about_changes_within_units_alone():
    """Units that fire more than others, or a rate that is too high throughout, make no slope."""
    rates, mean, counts = drawn_rates()
    assert calibration_slope(3 + rates, counts) == pytest.approx(calibration_slope(rates, counts))
    unrelated = mean * (1 + 0.3 * np.random.default_rng(1).normal(size=rates.shape))
    assert calibration_slope(unrelated, counts) == pytest.approx(0, abs=0.05)
    assert np.isnan(calibration_slope(np.broadcast_to(mean, rates.shape), counts))


def test_slope_that_chance_alone_decides_is_not_given():
    """Of rates that vary little around the units' means, slopes of repeated draws of counts err as is said of them."""
    rates, mean, _ = drawn_rates(n_units=8)
    rng, rates = np.random.default_rng(2), rates[:10]
    deviation = rates - rates.mean((0, 1))

    def slopes(factor: float, n_draws: int) -> np.ndarray:
        draws = (rng.poisson(mean, rates.shape) for _ in range(n_draws))
        return np.array([calibration_slope(mean + factor * deviation, counts) for counts in draws])

    factor = 1 / (LARGEST_SLOPE_ERROR * np.sqrt((np.square(deviation).sum((0, 1)) / mean).sum()))
    assert slopes(1.2 * factor, 300).std() == pytest.approx(LARGEST_SLOPE_ERROR / 1.2, rel=0.15)
    assert np.isnan(slopes(0.8 * factor, 20)).all()


def test_silent_unit_has_no_part_in_the_slope():
    rates, _, counts = drawn_rates()
    counts[..., 0] = 0
    assert calibration_slope(rates, counts) == pytest.approx(calibration_slope(rates[..., 1:], counts[..., 1:]))


def test_calibration_of_a_session_is_in_its_scores_with_what_it_is_over():
    session, rng = make_session(n_trials=80), np.random.default_rng(0)
    test = session.trials_of("test")
    session.values["choice"][test[0]] = -1
    probabilities = rng.dirichlet([1, 1], len(test))
    error = all_scores(session, "choice", probabilities, test)["calibration_error"]
    assert error.value == pytest.approx(reliability(probabilities, session.values["choice"][test]).ece)
    assert error.n_scored == len(test) - 1
    counts = session.values["spikes"][test]
    rates = rng.uniform(0.1, 1, counts.shape)
    slope = all_scores(session, "spikes", rates, test)["calibration_slope"]
    assert (slope.value, slope.n_scored) == (pytest.approx(calibration_slope(rates, counts)), session.n_units)
    constant = all_scores(session, "spikes", np.full(counts.shape, 0.3, np.float32), test)["calibration_slope"]
    assert np.isnan(constant.value) and constant.n_scored == 0
