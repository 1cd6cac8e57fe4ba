"""Figures beyond the paper: calibration, encoding by region, learning curves."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neds.figures.calibration import calibration_figure, reliability
from neds.figures.comparison import Comparison
from neds.figures.learning import TrainingLog, learning_figure
from neds.figures.region_encoding import region_encoding_figure
from neds.figures.save import NothingToDraw
from neds.modalities import resolve
from tests.aligned_sessions import make_session

MODALITIES = resolve(["spikes", "wheel_speed", "choice"], {})


def drawn_classes(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A class (K,) of each trial, drawn with its probabilities (K, C): what a calibrated model says of it is true."""
    return (rng.random((len(probabilities), 1)) > probabilities.cumsum(1)).sum(1)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibration_error_is_small_for_a_calibrated_and_large_for_an_overconfident_model(n_classes):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(n_classes), 5000)
    truth = drawn_classes(probabilities, rng)
    calibrated = reliability(probabilities, truth)
    assert calibrated.ece < 0.03
    assert ((calibrated.bins["ci_low"] <= calibrated.bins["confidence"]).mean()) > 0.8
    sharpened = probabilities**4 / (probabilities**4).sum(1, keepdims=True)
    assert reliability(sharpened, truth).ece > 0.1
    certain = np.eye(n_classes)[probabilities.argmax(1)]
    accuracy = (probabilities.argmax(1) == truth).mean()
    assert reliability(certain, truth).ece == pytest.approx(1 - accuracy)


def test_trials_of_unknown_class_are_left_out_of_calibration():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    found = reliability(probabilities, np.array([0, -1, 0]))
    assert found.bins["n_trials"].tolist() == [1, 1]
    assert found.ece == pytest.approx((0.1 + 0.7) / 2)


def test_calibration_csv_pools_the_trials_of_all_sessions():
    rng, comparisons = np.random.default_rng(0), []
    for eid in ("a", "b"):
        session = make_session(eid)
        trials = session.trials_of("test")
        predicted = {"choice": rng.dirichlet([1, 1], len(trials)), "block": rng.dirichlet([1, 1, 1], len(trials))}
        comparisons.append(Comparison(session, trials, {"linear": predicted}))
    _, plotted = calibration_figure(comparisons)
    assert plotted.groupby("target")["n_trials"].sum().to_dict() == {
        "choice": 2 * len(trials),
        "block": 2 * len(trials),
    }
    with pytest.raises(NothingToDraw):
        calibration_figure([])


def unit_rows(region: str, scores: list[float], *, inputs: str, seed: int = 0, eid: str = "a") -> pd.DataFrame:
    known = {"model": "neds-mm", "training": "scratch", "seed": seed, "inputs": inputs, "target": "spikes"}
    known["task"] = "encoding"
    rows = [{"eid": eid, "unit": n, "beryl": region, "bits_per_spike": s} | known for n, s in enumerate(scores)]
    return pd.DataFrame(rows)


def test_region_csv_counts_units_and_says_which_input_predicts_them():
    everything = "wheel_speed+choice"
    units = pd.concat(
        [
            unit_rows("CA1", [0.1, 0.3, np.nan], inputs=everything),
            unit_rows("CA1", [0.3, 0.5, np.nan], inputs=everything, seed=1),
            unit_rows("CA1", [0.2], inputs=everything, eid="b"),
            unit_rows("PO", [0.6, 0.6], inputs=everything, eid="c"),
            unit_rows("LP", [0.9], inputs=everything, eid="d"),
            unit_rows("root", [0.9, 0.9], inputs=everything, eid="e"),
            unit_rows("CA1", [0.05, 0.15, np.nan], inputs="choice"),
            unit_rows("CA1", [0.01, 0.01, np.nan], inputs="wheel_speed"),
        ]
    )
    _, plotted = region_encoding_figure(units, MODALITIES, model="neds-mm-scratch", min_units=2)
    of_all = plotted[plotted["all_inputs"]].set_index("region")
    assert of_all["n_units"].to_dict() == {"CA1": 3, "PO": 2}, "a silent unit, a small region, and root are left out"
    assert of_all["n_sessions"].to_dict() == {"CA1": 2, "PO": 1}
    assert of_all.loc["CA1", "mean"] == pytest.approx(np.mean([0.2, 0.4, 0.2])), "seeds are averaged within a unit"
    alone = plotted[(plotted["region"] == "CA1") & ~plotted["all_inputs"]].set_index("inputs")["mean"]
    assert alone.to_dict() == pytest.approx({"choice": 0.1, "wheel_speed": 0.01})


def test_regions_of_held_out_units_are_drawn_apart_from_encoding():
    units = pd.concat(
        [
            unit_rows("CA1", [0.5, 0.7], inputs="wheel_speed+choice"),
            unit_rows("CA1", [0.2, 0.4], inputs="spikes+wheel_speed+choice").assign(task="co_smoothing_with_behaviour"),
            unit_rows("CA1", [0.1, 0.1], inputs="spikes").assign(task="co_smoothing"),
            unit_rows("CA1", [0.9, 0.9], inputs="spikes").assign(task="forecasting"),
        ]
    )
    chosen = {"model": "neds-mm-scratch", "min_units": 2}
    _, plotted = region_encoding_figure(units, MODALITIES, task="co_smoothing", **chosen)
    assert plotted.set_index("inputs")["mean"].to_dict() == pytest.approx(
        {"spikes+wheel_speed+choice": 0.3, "spikes": 0.1}
    )
    _, encoded = region_encoding_figure(units, MODALITIES, **chosen)
    assert encoded["mean"].tolist() == pytest.approx([0.6])


def by_input(fig: Figure) -> tuple[Axes, list[str]]:
    """The panel of inputs, and the names of its columns."""
    panel = next(ax for ax in fig.axes if ax.images)
    return panel, [" ".join(label.get_text().split()) for label in panel.get_xticklabels()]


def co_smoothed(scores: dict[str, list[float]]) -> pd.DataFrame:
    """Units of regions from other units and behaviour, and from other units alone at a tenth less."""
    both = [unit_rows(region, own, inputs="spikes+wheel_speed", eid=region) for region, own in scores.items()]
    alone = [
        unit_rows(region, [one - 0.1 for one in own], inputs="spikes", eid=region) for region, own in scores.items()
    ]
    tasks = (both, "co_smoothing_with_behaviour"), (alone, "co_smoothing")
    return pd.concat([table.assign(task=task) for tables, task in tasks for table in tables])


@pytest.mark.parametrize("scores", [[-0.2, -0.4], [0.4, 0.2], [0.4, -0.4]])
def test_colours_of_regions_tell_scores_of_any_sign_apart(scores):
    units = co_smoothed({"CA1": [scores[0]] * 2, "PO": [scores[1]] * 2})
    fig, _ = region_encoding_figure(units, MODALITIES, model="neds-mm-scratch", min_units=2, task="co_smoothing")
    image = by_input(fig)[0].images[0]
    drawn = np.array(image.get_array())
    np.testing.assert_allclose(drawn, [[score, score - 0.1] for score in scores])
    low, high = image.get_clim()
    assert low <= min(drawn.min(), 0) and high >= max(drawn.max(), 0)
    shades = np.sort(image.norm(drawn.ravel()))
    assert (np.diff(shades) > 0.1).all()


def test_small_scores_of_regions_have_the_digits_to_differ_and_zero_has_no_sign():
    units = co_smoothed({"CA1": [-0.0001] * 2}).assign(bits_per_spike=lambda t: t["bits_per_spike"].clip(-0.013))
    fig, _ = region_encoding_figure(units, MODALITIES, model="neds-mm-scratch", min_units=1, task="co_smoothing")
    assert [text.get_text() for text in by_input(fig)[0].texts] == ["0.000", "-0.013"]


def test_inputs_of_regions_are_called_what_they_are():
    chosen = {"model": "neds-mm-scratch", "min_units": 1}
    both = co_smoothed({"CA1": [0.3, 0.4]})
    fig, _ = region_encoding_figure(both, MODALITIES, task="co_smoothing", **chosen)
    assert by_input(fig)[1] == ["units + behaviour", "units alone"]
    assert fig.axes[0].get_xlabel() == "bits per spike, units + behaviour"
    alone = both[both["task"] == "co_smoothing"]
    fig, _ = region_encoding_figure(alone, MODALITIES, task="co_smoothing", **chosen)
    assert by_input(fig)[1] == ["units alone"]
    encoded = pd.concat(
        unit_rows("CA1", [0.3, 0.4], inputs=inputs) for inputs in ("wheel_speed+choice", "choice", "wheel_speed")
    )
    fig, _ = region_encoding_figure(encoded, MODALITIES, **chosen)
    assert by_input(fig)[1] == ["all behaviours", "wheel speed", "choice"]


def test_a_region_of_one_unit_is_marked_and_regions_keep_apart():
    units = co_smoothed({"CA1": [0.3, 0.4], "PO": [0.2], "LP": [0.1, 0.2]})
    others = [units.assign(model=model, training="") for model in ("psth", "linear", "glm", "rrr", "oracle")]
    both = pd.concat([units, *others])
    fig, table = region_encoding_figure(both, MODALITIES, model="neds-mm-scratch", min_units=1, task="co_smoothing")
    left = fig.axes[0]
    hollow = [line for line in left.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [line.get_xdata().tolist() for line in hollow] == [[0.2]] * 6
    assert table.loc[table["n_units"] == 1, "region"].unique().tolist() == ["PO"]
    assert "Open circles: a single unit, without an error bar." in " ".join(fig.get_suptitle().split())
    filled = np.array([line.get_ydata() for line in left.lines if line.get_marker() == "o" and line not in hollow])
    places = np.sort(filled, axis=0)
    assert places[0, 1] - places[-1, 0] > 1.5 * np.diff(places[:, 0]).max(), "regions lie further apart than models"
    without, _ = region_encoding_figure(units, MODALITIES, model="neds-mm-scratch", min_units=2, task="co_smoothing")
    assert "Open circles" not in without.get_suptitle()


def test_without_known_regions_there_is_nothing_to_draw():
    units = unit_rows("", [0.1, 0.2], inputs="choice")
    for given in (units, units.drop(columns="beryl"), pd.DataFrame()):
        with pytest.raises(NothingToDraw, match="not known"):
            region_encoding_figure(given, MODALITIES, model="neds-mm-scratch", min_units=1)
    with pytest.raises(NothingToDraw, match="No brain region has 3 units"):
        region_encoding_figure(units.assign(beryl="CA1"), MODALITIES, model="neds-mm-scratch", min_units=3)


def test_learning_csv_averages_over_the_sessions_that_are_still_training():
    def log(scores: list[float]) -> pd.DataFrame:
        return pd.DataFrame(
            {"epoch": range(1, len(scores) + 1), "loss": 1.0, "val_spikes_bits_per_spike": scores}
        ).assign(seconds=lambda table: 120.0 * table["epoch"])

    runs = [
        TrainingLog("neds-mm-scratch", "a", 0, log([0.1, 0.2, 0.3])),
        TrainingLog("neds-mm-scratch", "a", 1, log([0.3, 0.4, 0.5])),
        TrainingLog("neds-mm-scratch", "b", 0, log([0.0, 0.1])),
        TrainingLog("neds-mm-scratch", "skipped", 0, pd.DataFrame({"epoch": []})),
    ]
    fig, plotted = learning_figure(runs, MODALITIES)
    assert "Training took 4 to 6 min a model" in " ".join(fig.get_suptitle().split())
    rows = plotted[plotted["panel"] == "val_spikes_bits_per_spike"]
    assert rows.loc[rows["eid"] == "a", "value"].tolist() == pytest.approx([0.2, 0.3, 0.4])
    mean = rows.groupby("epoch")["mean"].first()
    np.testing.assert_allclose(mean, [0.1, 0.2, np.nan])
    with pytest.raises(NothingToDraw):
        learning_figure(runs[-1:], MODALITIES)
