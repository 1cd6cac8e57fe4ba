"""The synthetic source: determinism, the task, exact rates, and trees that IBL's own loaders read."""

import hashlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from neds.errors import UserError
from neds.evaluation.calibration import calibration_slope
from neds.evaluation.metrics import bits_per_spike
from neds.regions.classify import held_out_predictions
from neds.roster import synthetic_sessions
from neds.synthetic.behaviour import STEP_S, simulate_behaviour
from neds.synthetic.neurons import _TUNING_STRENGTH, GRID_S, _draw_weights, acronym_at, draw_spikes, region_of
from neds.synthetic.settings import SyntheticSettings
from neds.synthetic.stage import synthesize
from neds.synthetic.task import ALF_COLUMNS, draw_blocks, simulate_task
from neds.synthetic.truth import expected_counts, write_truth

KINDS = {"weights": np.asarray, "strength alone": np.abs}
SMALL = {"n_train": 1, "n_test": 1, "n_trials": 100, "units_min": 10, "units_max": 12, "noise_units": 3}


def generate(folder: Path, *, place: int = 0, **changes) -> tuple[Path, Path]:
    """The folder and the truth file of the session at `place` in the roster."""
    settings = SyntheticSettings(**(SMALL | changes))
    session = synthetic_sessions(settings)[place]
    alf_root, truth = folder / "alf", folder / "truth.h5"
    synthesize(
        settings=settings.of_session(),
        index=session.index,
        session_path=session.path,
        alf_root=alf_root,
        truth=truth,
        without_cameras=session.path.split("/")[2] in settings.missing_whisker,
    )
    return alf_root / session.path, truth


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> tuple[Path, Path]:
    return generate(tmp_path_factory.mktemp("synthetic"))


def test_same_settings_give_the_same_bytes_and_others_do_not(generated, tmp_path):
    original = digests(generated[1].parent)
    generate(tmp_path / "again")
    assert digests(tmp_path / "again") == original
    generate(tmp_path / "again")
    assert digests(tmp_path / "again") == original, "an older tree is replaced"

    changing = [name for name in original if "channels." not in name and "description" not in name]
    generate(tmp_path / "seed", seed=1)
    other = digests(tmp_path / "seed")
    assert all(other[name] != original[name] for name in changing)

    # Adding sessions must not change the ones that were there.
    generate(tmp_path / "more", n_train=3)
    assert digests(tmp_path / "more") == original


def test_sessions_of_one_data_set_differ(generated, tmp_path):
    session, _ = generate(tmp_path, place=1)
    tables = [folder / "alf/_ibl_trials.table.pqt" for folder in (session, generated[0])]
    assert tables[0].read_bytes() != tables[1].read_bytes()


def test_a_failed_run_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("neds.synthetic.alf_tree._write_channels", fail)
    with pytest.raises(OSError, match="disk full"):
        generate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["truth.h5"]


def test_blocks_follow_the_ibl_schedule():
    for seed in range(20):
        blocks = draw_blocks(np.random.default_rng(seed), 1000)
        assert (blocks[:90] == 0.5).all()
        biased = blocks[90:]
        switches = np.flatnonzero(np.diff(biased)) + 1
        lengths = np.diff(np.concatenate([[0], switches]))
        assert set(biased) == {0.2, 0.8}
        assert lengths.min() >= 20 and lengths.max() <= 100


def test_choice_follows_contrast_and_prior():
    task = simulate_task(np.random.default_rng(0), n_trials=6000)
    events = task.events[task.events["choice"] != 0]
    contrast = events["contrastLeft"].fillna(0) - events["contrastRight"].fillna(0)
    left = events["choice"] > 0
    assert left[contrast == 1].mean() > 0.9 and left[contrast == -1].mean() < 0.1
    by_contrast = left.groupby(contrast).mean()
    assert (np.diff(by_contrast) > -0.03).all()
    weak = contrast.abs() < 0.1
    prior = events["probabilityLeft"]
    assert left[weak & (prior == 0.8)].mean() > left[weak & (prior == 0.2)].mean() + 0.2

    side = np.where(events["contrastLeft"].notna(), 1, -1)
    assert ((events["feedbackType"] > 0) == (events["choice"] == side)).all()
    assert ((events["rewardVolume"] > 0) == (events["feedbackType"] > 0)).all()
    reaction = events["firstMovement_times"] - events["stimOn_times"]
    assert reaction[contrast.abs() == 1].median() < reaction[contrast == 0].median()


def test_trials_are_in_order_and_a_few_must_be_rejected():
    task = simulate_task(np.random.default_rng(1), n_trials=1000)
    events, trials = task.events, task.trials
    assert list(trials.columns) == ALF_COLUMNS
    moved = events[events["choice"] != 0]
    order = ["intervals_0", "stimOn_times", "firstMovement_times", "response_times", "feedback_times", "intervals_1"]
    assert (np.diff(moved[order].to_numpy(), axis=1) > 0).all()
    assert (events["intervals_0"].to_numpy()[1:] > events["intervals_1"].to_numpy()[:-1]).all()
    assert events["intervals_1"].iloc[-1] < task.duration_s
    incomplete = trials[["stimOn_times", "firstMovement_times", "feedback_times"]].isna().any(axis=1)
    slow = trials["firstMovement_times"] - trials["stimOn_times"] > 10
    assert 0.01 < (incomplete | slow | (trials["choice"] == 0)).mean() < 0.12


def test_wheel_turns_the_way_of_the_choice_and_stands_still_before_the_stimulus():
    task = simulate_task(np.random.default_rng(2), n_trials=100)
    behaviour = simulate_behaviour(np.random.default_rng(3), task=task)
    moved = task.events[task.events["choice"] != 0]

    def position(at_s):
        return np.interp(at_s, behaviour.wheel.times, behaviour.wheel.values)

    turn = position(moved["response_times"]) - position(moved["firstMovement_times"])
    assert (np.sign(turn) == moved["choice"]).mean() > 0.97
    assert np.median(np.abs(turn)) == pytest.approx(0.28, abs=0.05)
    for stimulus_s in task.events["stimOn_times"]:
        quiet = slice(int((stimulus_s - 0.2) / STEP_S), int(stimulus_s / STEP_S))
        assert np.abs(behaviour.velocity[quiet]).max() < 1e-6
    assert (np.diff(behaviour.wheel.times) > 0).all()


def test_cameras_see_the_same_whisking_on_their_own_clocks():
    task = simulate_task(np.random.default_rng(4), n_trials=60)
    cameras = simulate_behaviour(np.random.default_rng(5), task=task).cameras
    for view, rate_hz in (("left", 60), ("right", 150)):
        assert np.median(np.diff(cameras[view].times)) == pytest.approx(1 / rate_hz, rel=0.02)
        assert (np.diff(cameras[view].times) > 0).all()
    left = np.interp(cameras["right"].times, cameras["left"].times, cameras["left"].values)
    assert 0.8 < np.corrcoef(left, cameras["right"].values)[0, 1] < 0.99


def test_spikes_are_poisson_with_the_true_rate(generated):
    session, truth = generated
    for probe in sorted((session / "alf").glob("probe0?/pykilosort")):
        times, clusters = np.load(probe / "spikes.times.npy"), np.load(probe / "spikes.clusters.npy")
        assert (np.diff(times) >= 0).all()
        uuids = (probe / "clusters.uuids.csv").read_text().split()[1:]
        starts = np.arange(12.0, times[-1] - 12.0, 2.0)
        expected = expected_counts(
            truth, uuids=uuids, align_times_s=starts, window_start_s=-0.01, bin_s=0.05, n_bins=40
        )
        edges = starts[:, None] - 0.01 + 0.05 * np.arange(41)
        for unit in range(len(uuids)):
            counts = np.diff(np.searchsorted(times[clusters == unit], edges), axis=1)
            mean = expected[:, :, unit]
            assert abs(counts.sum() - mean.sum()) < 5 * np.sqrt(mean.sum())
            # The squared residuals of a Poisson variable average to its mean, with variance mean + 2 mean^2.
            excess = ((counts - mean) ** 2 - mean).sum()
            assert abs(excess) < 5 * np.sqrt((mean + 2 * mean**2).sum())


def test_rates_given_behaviour_are_the_true_rates_with_what_no_behaviour_shows_averaged_out(generated):
    session, truth = generated
    probe = session / "alf/probe00/pykilosort"
    labels = pd.read_parquet(probe / "clusters.metrics.pqt")["label"].to_numpy()
    uuids = np.array((probe / "clusters.uuids.csv").read_text().split()[1:])
    bins = {"align_times_s": np.arange(12.0, 300.0, 2.0), "window_start_s": 0.0, "bin_s": 0.05, "n_bins": 40}
    true, given = (
        expected_counts(truth, uuids=list(uuids[labels > 0.5]), rates=rates, **bins)
        for rates in ("rate_hz", "rate_given_behaviour_hz")
    )
    np.testing.assert_allclose(given.mean((0, 1)), true.mean((0, 1)), rtol=0.1)
    # The mean given what is known is calibrated, and what is averaged out varies: the rest is not constant.
    assert calibration_slope(given, true) == pytest.approx(1, abs=0.1)
    assert np.corrcoef(given.ravel(), (true - given).ravel())[0, 1] == pytest.approx(0, abs=0.1)
    bits = [bits_per_spike(rates, true) for rates in (true, given)]
    assert (bits[0] > bits[1]).all() and np.median(bits[1] / bits[0]) > 0.4

    noise = list(uuids[labels < 0.5])
    of_noise = [
        expected_counts(truth, uuids=noise, rates=rates, **bins) for rates in ("rate_hz", "rate_given_behaviour_hz")
    ]
    np.testing.assert_array_equal(*of_noise, err_msg="a rate that is constant has nothing to average out")


def test_spike_jitter_is_uniform_within_the_grid():
    times, units = draw_spikes(np.random.default_rng(0), np.full((2, 5000), 40.0))
    phase = times % GRID_S / GRID_S
    assert set(units) == {0, 1}
    assert phase.mean() == pytest.approx(0.5, abs=0.02) and phase.var() == pytest.approx(1 / 12, abs=0.01)


def test_expected_counts_equal_a_plain_loop(tmp_path):
    rng = np.random.default_rng(0)
    rate_hz = rng.gamma(2, 4, (3, 60)).astype(np.float32)
    uuids, start_s, dt_s, bin_s, window_start_s = ["a", "b", "c"], 0.5, 0.02, 0.033, -0.11
    write_truth(tmp_path / "truth.h5", uuids=uuids, rates={"rate_hz": rate_hz}, start_s=start_s, dt_s=dt_s)
    # The second trial reaches beyond the end of the grid at 1.7 s, where nothing fires.
    align_times_s = np.array([0.9137, 1.6])
    counts = expected_counts(
        tmp_path / "truth.h5",
        uuids=["c", "a"],
        align_times_s=align_times_s,
        window_start_s=window_start_s,
        bin_s=bin_s,
        n_bins=10,
    )
    assert counts.shape == (2, 10, 2)
    for column, row in enumerate([2, 0]):
        for trial, align_s in enumerate(align_times_s):
            for step in range(10):
                left = align_s + window_start_s + step * bin_s
                integral = sum(
                    max(0.0, min(left + bin_s, start_s + (g + 1) * dt_s) - max(left, start_s + g * dt_s)) * rate
                    for g, rate in enumerate(rate_hz[row].tolist())
                )
                assert counts[trial, step, column] == pytest.approx(integral, abs=1e-9)


def test_expected_counts_of_unknown_trials_and_units(generated):
    _, truth = generated
    arguments = {"window_start_s": 0.0, "bin_s": 0.02, "n_bins": 2}
    with pytest.raises(UserError, match="no true rate of unit nobody"):
        expected_counts(truth, uuids=["nobody"], align_times_s=np.array([1.0]), **arguments)
    probe = generated[0] / "alf/probe00/pykilosort"
    uuid = (probe / "clusters.uuids.csv").read_text().split()[1]
    counts = expected_counts(truth, uuids=[uuid], align_times_s=np.array([np.nan, 20.0]), **arguments)
    assert np.isnan(counts[0]).all() and (counts[1] > 0).all()


def test_missing_whisker_leaves_out_the_cameras_alone(generated, tmp_path):
    original = digests(generated[0])
    session, _ = generate(tmp_path, missing_whisker=["SYN0001"])
    cameras = {name for name in original if "Camera" in name}
    assert len(cameras) == 4
    assert digests(session) == {name: digest for name, digest in original.items() if name not in cameras}


def test_true_tuning_tells_regions_by_sign_and_is_as_strong_as_the_table_says():
    places = acronym_at(np.random.default_rng(0).uniform(20, 3820, 2000))
    regions = region_of(places)
    weights = _draw_weights(np.random.default_rng(1), regions=regions, n_shared=3)
    found = {name: held_out_predictions(kind(weights), regions, folds=5, penalty=0.01) for name, kind in KINDS.items()}
    accuracy = {name: (predicted == regions).mean() for name, predicted in found.items()}
    assert accuracy["weights"] > 0.85 > 0.6 > accuracy["strength alone"]
    for region, strength in _TUNING_STRENGTH.iterrows():
        own = weights[regions == region, : len(strength)]
        np.testing.assert_allclose(np.sqrt(np.square(own).mean(0)), strength, rtol=0.15)


def test_probe_runs_through_the_five_regions():
    acronyms = acronym_at(np.arange(0.0, 3840.0, 10.0))
    assert list(dict.fromkeys(region_of(acronyms))) == ["PO", "LP", "DG", "CA1", "VISa"]


@pytest.mark.parametrize(
    "wrong",
    [{"units_min": 90}, {"n_probes": 60}, {"missing_whisker": ["SYN0005"]}, {"n_trials": "250"}, {"n_trails": 250}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        SyntheticSettings(**wrong)


def test_tree_loads_with_the_loaders_of_ibl(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    from brainbox.io.one import SessionLoader, SpikeSortingLoader
    from iblatlas.regions import BrainRegions
    from one.api import One

    _, truth = generate(tmp_path)
    one = One.setup(cache_dir=tmp_path / "alf", silent=True)
    (eid,) = one.search()

    loader = SessionLoader(one=one, eid=eid)
    loader.load_trials()
    loader.load_wheel()
    loader.load_motion_energy(views=["left", "right"])
    assert len(loader.trials) == SMALL["n_trials"]
    assert set(ALF_COLUMNS) <= set(loader.trials.columns)
    feedback_s = loader.trials["feedback_times"].max()
    assert loader.wheel["times"].iloc[0] < 1 and loader.wheel["times"].iloc[-1] > feedback_s
    assert 1 < loader.wheel["velocity"].abs().max() < 40
    for camera in ("leftCamera", "rightCamera"):
        energy = loader.motion_energy[camera]
        assert energy["times"].iloc[-1] > feedback_s and (energy["whiskerMotionEnergy"] >= 0).all()

    uuids, beryl, labels = [], set(), []
    for name in ("probe00", "probe01"):
        sorting = SpikeSortingLoader(one=one, eid=eid, pname=name, atlas=SimpleNamespace(regions=BrainRegions()))
        spikes, clusters, channels = sorting.load_spike_sorting(spike_sorter="pykilosort")
        clusters = sorting.merge_clusters(spikes, clusters, channels)
        assert set(spikes["clusters"]) <= set(clusters["cluster_id"])
        rate_hz = np.bincount(spikes["clusters"], minlength=len(clusters["label"])) / spikes["times"].max()
        assert rate_hz == pytest.approx(clusters["firing_rate"], rel=0.05, abs=0.05)
        uuids += list(clusters["uuids"])
        labels += list(clusters["label"])
        beryl |= set(BrainRegions().acronym2acronym(clusters["acronym"], mapping="Beryl"))
    assert beryl <= {"PO", "LP", "DG", "CA1", "VISa"} and len(beryl) >= 4
    assert len(set(uuids)) == len(uuids)
    assert sum(label < 0.5 for label in labels) == SMALL["noise_units"]
    counts = expected_counts(
        truth, uuids=uuids, align_times_s=np.array([50.0]), window_start_s=0.0, bin_s=1.0, n_bins=1
    )
    assert counts.shape == (1, 1, len(uuids))
