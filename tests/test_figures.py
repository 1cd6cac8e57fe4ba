"""Figures on made-up sessions: which files they leave, what their CSV holds, that they are reproducible."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from neds.errors import UserError
from neds.evaluation.metrics import bits_by_trial, r2
from neds.evaluation.results import EvaluationFiles, Identity, Predicted, write_evaluation
from neds.evaluation.tasks import tasks_of
from neds.figures.comparison import read_comparison
from neds.figures.psths import best_units, psths_figure, ranking_note
from neds.figures.raster import raster_figure, trial_order
from neds.figures.save import draw
from neds.figures.traces import traces_figure
from neds.files.aligned import AlignedSession, write_aligned
from neds.modalities import Modality, resolve
from neds.partition.statistics import training_statistics

K, T, N = 60, 12, 5
BIN_S, START_S = 0.05, -0.2
MODELS = ("neds-mm-scratch-seed0", "neds-mm-finetuned-seed0")
FIGURES = {
    "psths": (psths_figure, "encoding"),
    "raster": (raster_figure, "encoding"),
    "traces": (traces_figure, "decoding"),
}


def made_up_session(*, with_task: bool = True, reason: str = "") -> AlignedSession:
    """A session of K trials whose rates and wheel depend on choice; without a task it has continuous behaviour only."""
    custom = {"paws": Modality(name="paws", kind="continuous", width=2, unit="px/s")}
    names = ["spikes", "wheel_speed", "paws", *(["choice", "block"] if with_task else [])]
    header = {"eid": "made-up", "subject": "s", "lab": "l", "bin_s": BIN_S, "window_start_s": START_S}
    modalities = resolve(names, custom)
    if reason:
        return AlignedSession(**header, modalities=modalities, reason=reason)
    rng = np.random.default_rng(0)
    choice = rng.integers(0, 2, K).astype(np.int8)
    rates = rng.uniform(0.2, 2.0, (2, T, N))
    values = {
        "spikes": rng.poisson(rates[choice]).astype(np.uint8),
        "wheel_speed": rng.normal(choice[:, None, None], 1, (K, T, 1)).astype(np.float32),
        "paws": rng.normal(0, 1, (K, T, 2)).astype(np.float32),
        "choice": choice,
        "block": rng.integers(0, 3, K).astype(np.int8),
    }
    align_time_s = np.arange(K) * 5.0
    trials = {"original_index": np.arange(K) * 2, "align_time_s": align_time_s, "condition": choice.astype(int)}
    if with_task:
        trials["firstMovement_times"] = align_time_s + rng.uniform(0.1, 0.4, K)
    split = np.repeat([0, 1, 2], [30, 6, 24]).astype(np.uint8)
    values = {name: values[name] for name in names}
    return AlignedSession(
        **header,
        modalities=modalities,
        values=values,
        statistics=training_statistics(values, modalities, split == 0),
        units=pd.DataFrame({"uuid": [str(n) for n in range(N)], "beryl": ["CA1"] * N}),
        trials=pd.DataFrame(trials),
        split=split,
    )


def made_up_prediction(session: AlignedSession, target: str, seed: int) -> np.ndarray:
    truth = session.values[target][session.trials_of("test")]
    modality, rng = session.modalities[target], np.random.default_rng(seed)
    if modality.kind == "categorical":
        return rng.dirichlet(np.ones(len(modality.classes)), len(truth))
    noise = rng.uniform(0.2, 0.5, truth.shape)
    return 0.5 * truth.astype(np.float32) + noise


def evaluate(session: AlignedSession, folder: Path) -> tuple[Path, dict[str, Path]]:
    """Write the aligned file and each model's evaluation; the paths of the aligned file and of the predictions."""
    write_aligned(folder / "aligned.h5", session)
    predictions = {}
    for seed, label in enumerate(MODELS):
        names = tuple(session.modalities) if session.usable else ()
        tasks = tasks_of(session.modalities, inputs=names, outputs=names)
        predicted = [Predicted(t, {n: made_up_prediction(session, n, seed) for n in t.targets}) for t in tasks]
        files = [folder / label / name for name in ("metrics.csv", "units.parquet", "predictions.h5")]
        write_evaluation(session, Identity("neds-mm", label.split("-")[2], 0), predicted, EvaluationFiles(*files))
        predictions[label] = files[-1]
    return folder / "aligned.h5", predictions


@pytest.fixture(scope="module")
def task_session(tmp_path_factory):
    session = made_up_session()
    return session, *evaluate(session, tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def drawn(task_session, tmp_path_factory):
    """Folder with the three figures of the session with a task."""
    folder = tmp_path_factory.mktemp("drawn")
    for name, (figure, task) in FIGURES.items():
        draw(lambda: figure(compare(task_session, task)), folder / name)  # noqa: B023
    return folder


def compare(evaluated, task):
    _, aligned, predictions = evaluated
    return read_comparison(aligned=aligned, predictions=predictions, task=task)


def test_psth_csv_holds_averages_over_the_trials_of_each_choice(task_session, drawn):
    session, *_ = task_session
    plotted = pd.read_csv(drawn / "psths.csv")
    test = session.trials_of("test")
    predicted = made_up_prediction(session, "spikes", 0)
    gain = bits_by_trial(predicted.astype(np.float32), session.values["spikes"][test])
    least = gain.sum(0) - 2 * gain.std(0, ddof=1) * np.sqrt(len(test))
    assert plotted["unit"].unique().tolist() == np.argsort(-least)[:10].tolist()
    unit = plotted["unit"].iloc[0]
    for index, name in enumerate(["choice right", "choice left"]):
        chosen = session.values["choice"][test] == index
        hz = session.values["spikes"][test][chosen][:, :, unit] / BIN_S
        rows = plotted[(plotted.unit == unit) & (plotted.group == name)]
        truth, model = rows[rows.series == "truth"], rows[rows.series == MODELS[0]]
        np.testing.assert_allclose(truth["time_s"], START_S + BIN_S * (np.arange(T) + 0.5))
        np.testing.assert_allclose(truth["rate_hz"], hz.mean(0))
        np.testing.assert_allclose(truth["sem_hz"], hz.std(0, ddof=1) / np.sqrt(chosen.sum()))
        np.testing.assert_allclose(model["rate_hz"], predicted[chosen][:, :, unit].mean(0) / BIN_S, rtol=1e-5)


def test_units_are_ranked_by_evidence_and_not_by_a_few_spikes_that_fell_right():
    """Silent but for 8 spikes, a unit has more bits per spike than one whose rate is known all through."""
    rng = np.random.default_rng(0)
    true = rng.gamma(1.0, 1.0, (40, 20, 1))
    counts = np.concatenate([rng.poisson(true), np.zeros((40, 20, 2), int)], axis=-1)
    counts[:8, 0, 1] = 1
    rates = np.concatenate([true, np.full((40, 20, 1), 0.001), np.full((40, 20, 1), 0.1)], axis=-1)
    rates[:3, 0, 1] = 1.0
    ranked = best_units(rates, counts, 10)
    assert [unit.unit for unit in ranked] == [0, 1], "a silent unit is left out"
    assert ranked[1].bits_per_spike > ranked[0].bits_per_spike
    assert ranked[1].n_spikes == 8 and ranked[0].least_gain_bits > 0 > ranked[1].least_gain_bits
    note = ranking_note(ranked, MODELS[0])
    assert "NEDS single-session" in note and "above 0 for 1 of these 2" in note


def test_figures_say_what_they_leave_out_and_what_happens_at_zero(task_session):
    """One trial of unknown choice, and one whose condition occurs once."""
    session, aligned, predictions = task_session
    test = session.trials_of("test")
    choice, condition = session.values["choice"].copy(), session.trials["condition"].to_numpy().copy()
    choice[test[0]], condition[test[1]] = -1, 99
    comparison = compare((session, aligned, predictions), "encoding")
    changed = replace(
        session,
        values=session.values | {"choice": choice},
        trials=session.trials.assign(condition=condition),
        settings={"align": "stimOn_times"},
    )
    texts = {}
    for figure in (psths_figure, raster_figure):
        fig, _ = figure(replace(comparison, session=changed))
        texts[figure] = " ".join(" ".join(text.get_text().split()) for text in fig.findobj(Text))
        assert "time from stimulus onset (s)" in texts[figure]
        assert "Units that NEDS single-session predicts most surely" in texts[figure]
    assert "(1 of unknown choice left out)" in texts[psths_figure]
    assert "23 of 24 test trials" in texts[raster_figure]
    assert "(1 whose condition occurs once left out)" in texts[raster_figure]
    own = replace(comparison, session=replace(changed, settings={"align": "stimOn_times", "arrays": {}}))
    assert own.event == "0 s of the arrays"


def test_names_of_values_are_given_in_full(task_session):
    """Six digits would make one group of two large numbers; whole numbers beside unknown ones are floats."""
    comparison = compare(task_session, "encoding")
    ids = np.where(np.arange(K) % 2, 12345671.0, 12345672.0)
    ids[-1] = np.nan
    session = replace(comparison.session, trials=comparison.session.trials.assign(odour=ids))
    groups = replace(comparison, session=session).groups("odour")
    assert set(groups) == {"odour 12345671", "odour 12345672", ""}


def test_traces_csv_holds_each_column_of_a_behaviour_and_its_score(task_session, drawn):
    session, *_ = task_session
    plotted = pd.read_csv(drawn / "traces.csv")
    test = session.trials_of("test")
    assert plotted.groupby("behaviour", sort=False)["column"].nunique().to_dict() == {"wheel_speed": 1, "paws": 2}
    rows = plotted[(plotted.behaviour == "paws") & (plotted.column == 1)]
    assert rows["trial"].unique().tolist() == (2 * test[[0, 3, 5, 8, 10, 13, 15, 18, 20, 23]]).tolist()
    first = rows[(rows.trial == 2 * test[0]) & (rows.series == "truth")]
    np.testing.assert_allclose(first["value"], session.values["paws"][test[0], :, 1], rtol=1e-6)
    expected = r2(session.values["paws"][test, :, 1], made_up_prediction(session, "paws", 1)[..., 1])
    assert rows.loc[rows.series == MODELS[1], "r2"].unique() == pytest.approx([expected], rel=1e-5)


def test_traces_of_windows_are_not_called_trials(task_session):
    comparison = compare(task_session, "decoding")
    of_windows = replace(comparison, session=replace(comparison.session, settings={"align": "none"}))
    for part, drawn in (("trial", comparison), ("window", of_windows)):
        fig, _ = traces_figure(drawn)
        texts = [text.get_text() for text in fig.findobj(Text)]
        assert any(text.startswith(f"test {part} (") for text in texts)
        assert {word for text in texts for word in ("trial", "window") if word in text} == {part}


def test_raster_csv_holds_what_trials_differ_by_from_their_condition(task_session, drawn):
    session, *_ = task_session
    plotted = pd.read_csv(drawn / "raster.csv")
    unit, test = plotted["unit"].iloc[0], session.trials_of("test")
    rows = plotted[(plotted.unit == unit) & (plotted.series == MODELS[1])]
    deviation = rows.pivot(index="trial", columns="time_s", values="deviation_hz").loc[test].to_numpy()
    rates, condition = made_up_prediction(session, "spikes", 1)[..., unit] / BIN_S, session.trials["condition"][test]
    for value in (0, 1):
        own = rates[condition == value]
        np.testing.assert_allclose(deviation[condition == value], own - own.mean(0), atol=1e-4)


def test_raster_orders_trials_by_choice_and_then_first_movement(task_session, drawn):
    session, *_ = task_session
    plotted = pd.read_csv(drawn / "raster.csv")
    rows = plotted[(plotted.unit == plotted.unit.iloc[0]) & (plotted.series == "truth")]
    trials = rows.drop_duplicates("row")["trial"].to_numpy()
    moved_s = (session.trials["firstMovement_times"] - session.trials["align_time_s"]).to_numpy()[trials]
    left = session.values["choice"][trials] == 1
    assert sorted(trials) == session.trials_of("test").tolist()
    assert (np.diff(left.astype(int)) <= 0).all()
    assert (np.diff(moved_s[left]) >= 0).all() and (np.diff(moved_s[~left]) >= 0).all()


def test_trials_without_a_task_are_ordered_by_similarity():
    rates = np.zeros((6, 5, 1))
    rates[[4, 0, 2]] = np.linspace(0, 1, 5)[:, None]
    assert set(trial_order(rates)[3:]) == {0, 2, 4}


@pytest.mark.parametrize("name", FIGURES)
def test_a_session_without_a_task_has_all_figures_too(name, tmp_path):
    session = made_up_session(with_task=False)
    figure, task = FIGURES[name]
    draw(lambda: figure(compare((session, *evaluate(session, tmp_path)), task)), tmp_path / "out" / name)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".pdf", ".png", ".csv"}
    assert len(pd.read_csv(tmp_path / "out" / f"{name}.csv")) > 10


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_input_gives_the_same_bytes(name, task_session, drawn, tmp_path):
    figure, task = FIGURES[name]
    draw(lambda: figure(compare(task_session, task)), tmp_path / name)
    for file in (f"{name}.pdf", f"{name}.png", f"{name}.csv"):
        assert (tmp_path / file).read_bytes() == (drawn / file).read_bytes()
        assert (tmp_path / file).stat().st_size > 1000


def test_commands_draw_a_sentence_when_there_is_nothing_else(tmp_path):
    aligned, predictions = evaluate(made_up_session(reason="only 12 good units"), tmp_path)
    given = [*map(str, predictions.values()), "--models", *MODELS, "--output", str(tmp_path / "psths")]
    modalities = json.dumps({"modalities": [m.model_dump() for m in resolve(["spikes", "choice"], {}).values()]})
    command("figure_psths", "--aligned", str(aligned), "--predictions", *given, "--settings", modalities)
    table = predictions[MODELS[0]].with_name("metrics.csv")
    command("figure_metrics", "--metrics", str(table), "--settings", modalities, "--output", str(tmp_path / "metrics"))
    for name, sentence in (("psths", "only 12 good units"), ("metrics", "No test session could be evaluated")):
        assert sentence in (tmp_path / f"{name}.csv").read_text()
        assert (tmp_path / f"{name}.pdf").stat().st_size > 1000 and (tmp_path / f"{name}.png").stat().st_size > 1000


def command(name: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "workflow_scripts", name, *arguments], check=True)


def test_predictions_of_another_split_are_refused(task_session, tmp_path):
    session, _, predictions = task_session
    write_aligned(tmp_path / "aligned.h5", replace(session, split=session.split[::-1]))
    with pytest.raises(UserError, match="other trials than the test trials"):
        read_comparison(aligned=tmp_path / "aligned.h5", predictions=predictions, task="encoding")
