"""Embeddings of units and the regions told from them: what the rows are, what is held out, what is drawn."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from neds.data.store import TrialStore
from neds.errors import UserError
from neds.figures.regions import regions_figure
from neds.figures.save import draw
from neds.files.aligned import write_aligned
from neds.model.checkpoint import Checkpoint, write_checkpoint
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.regions.classes import region_classes
from neds.regions.classify import held_out_predictions, region_scores
from neds.regions.embeddings import EmbeddedModel, Embeddings, read_embeddings, write_embeddings
from neds.regions.extract import extract_embeddings, unit_embeddings
from neds.regions.settings import EmbeddedModelName, RegionSettings, RegionsRun
from neds.regions.stage import classify_regions
from neds.regions.unit_map import map_units
from tests.aligned_sessions import make_session

PCA = RegionSettings(projection="pca")


def make_network(*sessions, mode: str = "mm", stitcher: str = "linear") -> tuple[NEDS, TrialStore]:
    """A network whose every weight and bias is random, as after training."""
    store = TrialStore(list(sessions), names=list(sessions[0].modalities), device=torch.device("cpu"))
    settings = ModelSettings(dim=16, layers=1, heads=2, mlp=16, stitcher=stitcher)
    design = Design(settings, store.modalities, preset(mode, store.modalities, MaskingSettings()), store.n_bins)
    torch.manual_seed(0)
    model = NEDS(design, store.shapes).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model, store


def planted(n_sessions: int = 4, per_region: int = 12, *, by_session: bool = False, seed: int = 0) -> Embeddings:
    """Units of three regions in noise of 20 dimensions, each region shifted its own way.

    Args:
        by_session: every session shifts the regions its own way, so that nothing carries over between sessions.
    """
    rng = np.random.default_rng(seed)
    regions = np.tile(np.repeat(["PO", "LP", "CA1"], per_region), n_sessions)
    eids = np.repeat([f"mouse{n}" for n in range(n_sessions)], 3 * per_region)
    directions = {key: rng.normal(size=20) * 2 for key in dict.fromkeys(zip(eids, regions, strict=True))}
    keys = [(eid if by_session else "mouse0", region) for eid, region in zip(eids, regions, strict=True)]
    rows = np.stack([directions[key] for key in keys]) + rng.normal(size=(len(keys), 20))
    known = {"eid": eids, "subject": eids, "modality": "spikes", "unit": np.tile(np.arange(3 * per_region), n_sessions)}
    units = pd.DataFrame(known | {"uuid": "", "probe": "", "acronym": regions, "beryl": regions, "cosmos": ""})
    return Embeddings(units, {"input": rows[:, :10], "readout": rows[:, 10:]})


def accuracy(embeddings: Embeddings, labels: np.ndarray, **options) -> float:
    predicted = held_out_predictions(embeddings.features, labels, folds=5, penalty=0.01, **options)
    return region_scores(labels, predicted)["accuracy"]


def test_planted_regions_are_found_and_shuffled_ones_are_not():
    embeddings = planted()
    labels = embeddings.units["acronym"].to_numpy(str)
    assert accuracy(embeddings, labels) > 0.95
    shuffled = [accuracy(embeddings, np.random.default_rng(seed).permutation(labels)) for seed in range(5)]
    assert abs(np.mean(shuffled) - 1 / 3) < 0.07


def test_held_out_sessions_are_held_out():
    """Regions that look alike within a session only are found when units are held out, and not when sessions are."""
    common = planted()
    labels, eids = common.units["acronym"].to_numpy(str), common.units["eid"].to_numpy(str)
    assert accuracy(common, labels, groups=eids) > 0.95
    by_session = [planted(by_session=True, seed=seed) for seed in range(5)]
    assert min(accuracy(embeddings, labels) for embeddings in by_session) > 0.8
    # Twelve session-region clusters say little each: single draws lie between .15 and .5 about the third of chance.
    assert np.mean([accuracy(embeddings, labels, groups=eids) for embeddings in by_session]) < 0.45


def test_scores_of_a_guess():
    labels = np.array(["PO"] * 6 + ["LP"] * 2)
    scores = region_scores(labels, np.full(8, "PO"))
    assert scores["accuracy"] == scores["chance_majority"] == 0.75
    assert scores["balanced_accuracy"] == scores["chance_uniform"] == 0.5


@pytest.mark.parametrize("stitcher", ["linear", "mlp"])
def test_input_row_is_the_derivative_of_a_token_by_the_units_count(stitcher):
    first, second = make_session(), make_session("mouse2", n_units=4)
    model, _ = make_network(first, second, stitcher=stitcher)
    rows = unit_embeddings(model, [first, second]).rows["input"]
    tokens = model.stitchers.tokens["spikes"]
    for session, offset in ((0, 0), (1, 7)):
        matrices = [ragged.matrices()[session] for ragged in tokens.maps]

        def token(x, matrices=matrices):
            for depth, (weight, bias) in enumerate(matrices):
                x = torch.nn.functional.linear(torch.nn.functional.softsign(x) if depth else x, weight, bias)
            return x

        n_units = (7, 4)[session]
        jacobian = torch.autograd.functional.jacobian(token, torch.zeros(n_units)).T
        np.testing.assert_allclose(rows[offset : offset + n_units], jacobian.detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stitcher", ["linear", "mlp"])
def test_rows_permute_with_the_units(stitcher):
    """A network for the same units in another order predicts the same, and its rows are the same in that order."""
    session = make_session()
    order = np.random.default_rng(1).permutation(session.n_units)
    values = session.values | {"spikes": session.values["spikes"][..., order]}
    statistics = session.statistics | {"spikes": {k: v[order] for k, v in session.statistics["spikes"].items()}}
    permuted = replace(
        session, values=values, statistics=statistics, units=session.units.iloc[order].reset_index(drop=True)
    )
    model, store = make_network(session, stitcher=stitcher)
    other, other_store = make_network(permuted, stitcher=stitcher)
    with torch.no_grad():
        other.load_state_dict(model.state_dict())
        weight, _ = other.stitchers.tokens["spikes"].maps[0].matrices()[0]
        weight.copy_(weight[:, order].clone())
        weight, bias = other.stitchers.readouts["spikes"].map.matrices()[0]
        weight.copy_(weight[order].clone())
        bias.copy_(bias[order].clone())
    trials = np.arange(6)
    hidden = torch.zeros(6, 5, store.n_bins, dtype=torch.bool)
    rates = model(store.batch(np.zeros(6, int), trials), hidden).log_rates["spikes"]
    other_rates = other(other_store.batch(np.zeros(6, int), trials), hidden).log_rates["spikes"]
    assert torch.allclose(rates[..., order], other_rates, atol=1e-5)
    before, after = unit_embeddings(model, [session]), unit_embeddings(other, [permuted])
    np.testing.assert_allclose(before.features[order], after.features, atol=1e-6)
    assert before.units["uuid"].iloc[order].tolist() == after.units["uuid"].tolist()


@pytest.mark.parametrize(
    ("mode", "kinds"), [("mm", ["input", "readout"]), ("encoding", ["readout"]), ("decoding", ["input"])]
)
def test_embeddings_are_kept_for_all_sessions_of_a_checkpoint(mode, kinds, tmp_path):
    first, second = make_session(), make_session("mouse2", n_units=4)
    model, _ = make_network(first, second, mode=mode)
    for session in (first, second):
        write_aligned(tmp_path / f"{session.eid}.h5", session)
    checkpoint = tmp_path / "m.safetensors"
    write_checkpoint(checkpoint, Checkpoint(model.design, model.session_shapes), model.state_dict())
    aligned = [tmp_path / "mouse2.h5", tmp_path / "mouse1.h5"]
    extract_embeddings(aligned=aligned, checkpoint=checkpoint, output=tmp_path / "e.h5")
    embeddings = read_embeddings(tmp_path / "e.h5")
    assert list(embeddings.rows) == kinds
    assert embeddings.features.shape == (11, 16 * len(kinds))
    assert embeddings.units["eid"].tolist() == ["mouse1"] * 7 + ["mouse2"] * 4
    with pytest.raises(UserError, match="trained on mouse2, of which no aligned file"):
        extract_embeddings(aligned=aligned[1:], checkpoint=checkpoint, output=tmp_path / "e.h5")
    write_checkpoint(checkpoint, Checkpoint(skipped="no usable session"), {})
    extract_embeddings(aligned=aligned, checkpoint=checkpoint, output=tmp_path / "e.h5")
    assert read_embeddings(tmp_path / "e.h5").units.empty


def test_classes_are_named_merged_and_never_guessed_from_how_a_name_begins():
    units = pd.DataFrame(
        {
            "acronym": ["PO", "POST", "VISa5", "VISal1", "CA1", "DG-mo", "root"],
            "beryl": ["PO", "POST", "VISa", "VISal", "CA1", "DG", "root"],
            "cosmos": ["TH", "HPF", "Isocortex", "Isocortex", "HPF", "HPF", "root"],
        }
    )
    assert region_classes(units, RegionSettings()).tolist() == ["PO", "", "VISa", "", "CA1", "DG", ""]
    merged = RegionSettings(
        classes=["hippocampus", "cortex"], merge={"hippocampus": ["CA1", "DG"], "cortex": ["Isocortex"]}
    )
    assert region_classes(units, merged).tolist() == ["", "", "cortex", "cortex", "hippocampus", "hippocampus", ""]
    every = RegionSettings(classes=None, min_units=2)
    assert set(region_classes(pd.concat([units, units]), every)) == {"PO", "POST", "VISa", "VISal", "CA1", "DG", ""}
    assert not region_classes(units, every).any()
    assert region_classes(units[["acronym"]], RegionSettings()).tolist() == ["PO", "", "", "", "CA1", "", ""]


def embedded(folder, embeddings: Embeddings, *, training: str, space: str, model: str = "neds-mm") -> EmbeddedModel:
    path = folder / f"{model}-{training}-{len(list(folder.glob('*.h5')))}.h5"
    write_embeddings(path, embeddings, {})
    return EmbeddedModel(path, model, training, 0, space)


def of_models(models: list[EmbeddedModel], regions: RegionSettings) -> dict:
    """Files and settings of an analysis of some models."""
    names = [EmbeddedModelName(**model.identity, space=model.space) for model in models]
    return {"embeddings": [model.path for model in models], "settings": RegionsRun(regions=regions, models=names)}


def of_model(model: EmbeddedModel, regions: RegionSettings) -> dict:
    return of_models([model], regions) | {"embeddings": model.path}


def one_session(embeddings: Embeddings, eid: str) -> Embeddings:
    own = (embeddings.units["eid"] == eid).to_numpy()
    return Embeddings(
        embeddings.units[own].reset_index(drop=True), {kind: rows[own] for kind, rows in embeddings.rows.items()}
    )


def test_sessions_are_classified_together_or_each_alone(tmp_path):
    embeddings = planted()
    models = [
        embedded(tmp_path, one_session(embeddings, eid), training="scratch", space="session")
        for eid in ("mouse0", "mouse1")
    ]
    joint = embedded(tmp_path, embeddings, training="pretrained-all", space="joint")
    files = {"scores": tmp_path / "scores.csv", "units": tmp_path / "units.parquet"}
    classify_regions(**of_models([*models, joint], PCA), **files)
    scores, units = pd.read_csv(files["scores"]), pd.read_parquet(files["units"])
    assert scores.groupby(["training", "space"])["eid"].apply(list).to_dict() == {
        ("scratch", "session"): ["mouse0", "mouse1"],
        ("pretrained-all", "joint"): ["mouse0", "mouse1", "mouse2", "mouse3", "all"],
    }
    for row in scores[scores["training"] == "pretrained-all"].itertuples():
        own = units[(units["training"] == "pretrained-all") & ((units["eid"] == row.eid) | (row.eid == "all"))]
        assert row.accuracy == pytest.approx((own["region"] == own["predicted"]).mean())

    classify_regions(**of_models([*models, joint], RegionSettings(hold_out="sessions")), **files)
    assert set(pd.read_csv(files["scores"])["space"]) == {"joint"}, "a space of one session says nothing about another"

    map_units(**of_model(joint, PCA), output=tmp_path / "map.parquet")
    classify_regions(**of_models([*models, joint], PCA), **files)
    shown = [pd.read_parquet(tmp_path / "map.parquet"), pd.read_csv(files["scores"]), pd.read_parquet(files["units"])]
    draw(lambda: regions_figure(*shown, classes=PCA.classes, projection="pca"), tmp_path / "regions")
    drawn = pd.read_csv(tmp_path / "regions.csv")
    assert drawn["panel"].value_counts()[["map", "scores", "confusion"]].tolist() == [144, 6, 9]
    confusion = drawn[drawn["panel"] == "confusion"]
    np.testing.assert_allclose(confusion.groupby("region")["share"].sum(), 1)
    assert confusion["region"].drop_duplicates().tolist() == ["PO", "LP", "CA1"], "in the order of the configuration"
    bar = drawn[(drawn["panel"] == "scores") & (drawn["training"] == "scratch")]
    expected = scores.loc[scores["training"] == "scratch", "balanced_accuracy"]
    np.testing.assert_allclose(bar["balanced_accuracy"], expected.mean())
    np.testing.assert_allclose(bar["value_of_session_balanced_accuracy"], expected)


def test_units_of_unknown_region_leave_a_sentence(tmp_path):
    embeddings = planted(n_sessions=1)
    embeddings.units[["acronym", "beryl"]] = ""
    model = embedded(tmp_path, embeddings, training="scratch", space="session")
    files = {"scores": tmp_path / "scores.csv", "units": tmp_path / "units.parquet"}
    classify_regions(**of_models([model], PCA), **files)
    map_units(**of_model(model, PCA), output=tmp_path / "map.parquet")
    shown = [pd.read_parquet(tmp_path / "map.parquet"), pd.read_csv(tmp_path / "scores.csv")]
    shown.append(pd.read_parquet(tmp_path / "units.parquet"))
    draw(lambda: regions_figure(*shown, classes=PCA.classes, projection="pca"), tmp_path / "regions")
    assert "Fewer than three of 36 units are known to lie in the regions" in (tmp_path / "regions.csv").read_text()


def test_units_outside_the_classes_are_counted(tmp_path):
    """40 of 72 units lie elsewhere, 1 in a region with too few units for a classifier."""
    embeddings = planted(n_sessions=2)
    rng = np.random.default_rng(0)
    elsewhere = rng.permutation(72)[:41]
    embeddings.units.loc[elsewhere, ["acronym", "beryl"]] = "ACA"
    embeddings.units.loc[elsewhere[:1], ["acronym", "beryl"]] = "DG"
    model = embedded(tmp_path, embeddings, training="pretrained-all", space="joint")
    map_units(**of_model(model, PCA), output=tmp_path / "map.parquet")
    classify_regions(**of_models([model], PCA), scores=tmp_path / "scores.csv", units=tmp_path / "units.parquet")
    scores = pd.read_csv(tmp_path / "scores.csv").set_index("eid")
    assert scores.loc["all", ["n_units", "n_units_all"]].tolist() == [31, 72]
    assert scores.loc["mouse0", "n_units_all"] == 36
    shown = [
        pd.read_parquet(tmp_path / "map.parquet"),
        scores.reset_index(),
        pd.read_parquet(tmp_path / "units.parquet"),
    ]
    fig, plotted = regions_figure(*shown, classes=PCA.classes, projection="pca")
    assert (plotted["panel"] == "map").sum() == 32
    assert "A: 32 of 72 units of 2 sessions" in " ".join(fig.get_suptitle().split())
    labels = [text.get_text() for sub in fig.subfigs for ax in sub.axes for text in ax.get_yticklabels()]
    assert any("31 of 72 units, 2 of 2 sessions" in label for label in labels)


@pytest.mark.slow
def test_map_is_the_same_each_time_and_keeps_regions_together(tmp_path):
    model = embedded(tmp_path, planted(), training="pretrained-all", space="joint")
    n_threads = torch.get_num_threads()
    for name in ("first", "second"):
        map_units(**of_model(model, RegionSettings()), output=tmp_path / f"{name}.parquet")
    assert torch.get_num_threads() == n_threads, "what is computed after it in this process is rounded as before"
    first, second = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("first", "second"))
    pd.testing.assert_frame_equal(first, second)
    centres = first.groupby("region")[["x", "y"]].transform("mean")
    nearest = ((first[["x", "y"]] - centres) ** 2).sum(axis=1)
    others = first.groupby("region")[["x", "y"]].mean()
    distance = ((first[["x", "y"]].to_numpy()[:, None] - others.to_numpy()) ** 2).sum(-1)
    assert (np.isclose(distance.min(1), nearest)).mean() > 0.9


@pytest.mark.slow
def test_umap_is_compiled_by_the_first_process_alone():
    code = (
        "import numpy as np, umap\n"
        "from numba.core.event import install_recorder\n"
        "from neds.regions.unit_map import _umap\n"
        "with install_recorder('numba:compile') as compiled:\n"
        "    _umap(np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32), 5)\n"
        "print(len(compiled.buffer))\n"
    )
    said = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert said[1].stdout == "0\n"
