"""The ensemble of seeds: the mean of their predictions is a model of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neds.errors import UserError
from neds.evaluation.ensemble import evaluate_ensemble
from neds.evaluation.results import EvaluationFiles, Identity, Predicted, read_predictions, write_evaluation
from neds.evaluation.score import score
from neds.evaluation.tasks import Task
from neds.files.aligned import AlignedSession, write_aligned
from neds.run import Run
from tests.aligned_sessions import make_session, unusable_session
from tests.test_plan import plan

ENSEMBLE = Run(mode="mm", regime="finetuned", pretraining_set="all", is_ensemble=True)


def member(session: AlignedSession, seed: int, folder: Path) -> Path:
    """Predictions of a model whose errors are those of its seed."""
    rng, test = np.random.default_rng(seed), session.trials_of("test")
    rates = rng.gamma(2, 0.5, (len(test), session.n_bins, session.n_units))
    chances = rng.dirichlet([2, 2], len(test))
    wheel = session.values["wheel_speed"][test] + rng.normal(0, 3, (len(test), session.n_bins, 1))
    predicted = [
        Predicted(Task("encoding", ("choice", "block"), ("spikes",)), {"spikes": rates}),
        Predicted(Task("decoding", ("spikes",), ("choice", "wheel_speed")), {"wheel_speed": wheel, "choice": chances}),
    ]
    files = EvaluationFiles(folder / "m.csv", folder / "u.parquet", folder / f"predictions{seed}.h5")
    write_evaluation(session, Identity("neds-mm", "scratch", seed), predicted, files)
    return files.predictions


def scored(session: AlignedSession, members: list[Path], folder: Path) -> pd.DataFrame:
    write_aligned(folder / "s.h5", session)
    evaluate_ensemble(
        aligned=folder / "s.h5",
        predictions=members,
        model="neds-mm",
        training="scratch-ensemble",
        metrics=folder / "metrics.csv",
        units=folder / "units.parquet",
        output=folder / "mean.h5",
    )
    return pd.read_csv(folder / "metrics.csv")


def test_what_is_scored_is_the_mean_of_the_members(tmp_path):
    session = make_session()
    members = [member(session, seed, tmp_path) for seed in range(3)]
    table = scored(session, members, tmp_path)
    arrays = [read_predictions(path)[1] for path in members]
    trials, found = read_predictions(tmp_path / "mean.h5")
    assert found.keys() == arrays[0].keys()
    for (task, target), values in found.items():
        np.testing.assert_allclose(values, np.mean([own[task, target] for own in arrays], axis=0), rtol=1e-5)
        rows = table[table["target"] == target].set_index("metric")["value"]
        for metric, value in score(session, target, values, trials).items():
            assert rows[metric] == pytest.approx(value, rel=1e-4, nan_ok=True)
    assert set(table["training"]) == {"scratch-ensemble"}
    assert set(table["inputs"]) == {"choice+block", "spikes"}
    of_members = [score(session, "wheel_speed", own["decoding", "wheel_speed"], trials)["r2"] for own in arrays]
    assert table.query("target == 'wheel_speed' and metric == 'r2'")["value"].item() > max(of_members)


def test_predictions_of_other_trials_are_no_members(tmp_path):
    session = make_session()
    first = member(session, 0, tmp_path)
    other = member(replace(session, split=np.roll(session.split, 1)), 1, tmp_path)
    with pytest.raises(UserError, match=r"predictions1\.h5: its trials or targets are not those of .*evaluate"):
        scored(session, [first, other], tmp_path)


def test_a_session_that_cannot_be_used_has_no_ensemble(tmp_path):
    session = unusable_session("mouse9", "no wheel")
    write_evaluation(
        session,
        Identity("neds-mm", "scratch", 0),
        [],
        EvaluationFiles(tmp_path / "m.csv", tmp_path / "u.parquet", tmp_path / "p.h5"),
    )
    assert len(scored(session, [tmp_path / "p.h5"], tmp_path)) == 0


def test_several_seeds_have_an_ensemble_in_figures_and_tables():
    found = plan(seeds=[0, 1], modes=["mm", "encoding"])
    assert ENSEMBLE.label == "neds-mm-finetuned-all-ensemble" == ENSEMBLE.name
    ensembles = [label for label in found.models.compared() if label.endswith("-ensemble")]
    assert len(ensembles) == 4 and ENSEMBLE.label in ensembles
    eid = found.test[0]
    step = found.step("ensemble", {"eid": eid, "mode": "mm", "training": ENSEMBLE.training})
    folder = f"results/evaluation/{eid}/neds-mm-finetuned-all"
    assert step.inputs["predictions"] == (f"{folder}-seed0/predictions.h5", f"{folder}-seed1/predictions.h5")
    assert step.outputs["metrics"] in found.step("metrics_table", {}).inputs["metrics"]


@pytest.mark.parametrize("values", [{"seeds": [3]}, {"seeds": [0, 1], "ensembles": False}])
def test_one_seed_or_the_switch_makes_none(values):
    found = plan(**values)
    assert not found.has("ensemble") and not any("ensemble" in label for label in found.models.tabulated())


def test_ensembles_of_numbers_of_trials_are_in_no_figure_of_all_trials():
    found = plan(seeds=[0, 1], train_trials=[30, "all"])
    assert "neds-mm-scratch-30trials-ensemble" in {run.label for run in found.models.ensembles()}
    assert not any("30trials" in label for label in found.models.tabulated())
