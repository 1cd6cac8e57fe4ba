"""The benchmark's third suite: which units count, and the regions that a probe tells them to be in."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from ibl_bwb_eval.entity_ids import decode_entity_ids
from ibl_bwb_eval.multi_unit import multi_unit_prediction
from torch import from_numpy

from neds.benchmark.archive import read_archive
from neds.benchmark.protocol import REGION_TASK, REGIONS
from neds.benchmark.recording import opened
from neds.benchmark.region_units import write_region_units
from neds.benchmark.regions import pooled, submit_regions
from neds.benchmark.settings import RegionsSubmission
from neds.errors import UserError
from neds.files.tables import read_csv
from neds.model.checkpoint import Checkpoint, write_checkpoint
from neds.regions.embeddings import Embeddings, write_embeddings
from tests import brain_wide_bench as bench
from tests.brain_wide_bench import changed

SEEDS = (43, 44, 45)


def test_probabilities_are_pooled_as_the_benchmark_pools_them():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(10), size=40)
    depths_um, probes = rng.uniform(0, 600, 40), rng.choice(["a", "b"], 40)
    np.testing.assert_allclose(
        pooled(probabilities, depths_um, probes), multi_unit_prediction(probabilities, depths_um, probes)
    )


def region_units_of(recording: Path) -> Path:
    output = recording.with_suffix(".parquet")
    write_region_units(recording=recording, eid=recording.stem, output=output)
    return output


@pytest.fixture
def embedded(tmp_path) -> dict[str, object]:
    """Files of two recordings that are scored and two others, with embeddings that say the region, as options of a job."""
    folder = tmp_path
    rng = np.random.default_rng(0)
    centre = dict(zip([*REGIONS, "root"], rng.normal(size=(len(REGIONS) + 1, 6)), strict=True))

    def rows(path: Path, *, without: int | None = None) -> pd.DataFrame:
        with opened(path) as recording:
            found = pd.DataFrame(
                {"uuid": recording.texts_of_units("id"), "region": recording.texts_of_units("region_cosmos")}
            )
        return found.drop(index=[] if without is None else [without]).assign(eid=path.stem, modality="spikes")

    def written(name: str, units: pd.DataFrame) -> Path:
        features = np.array([centre[region] for region in units["region"]]) + 0.1 * rng.normal(size=(len(units), 6))
        write_embeddings(folder / name, Embeddings(units.reset_index(drop=True), {"input": features}), {})
        return folder / name

    scored = [bench.write_recording(folder / f"{eid}.h5", seed=seed) for seed, eid in enumerate(("aaaa", "bbbb"))]
    others = [
        bench.write_recording(folder / f"{eid}.h5", seed=seed, pretrain=True)
        for seed, eid in ((8, "cccc"), (9, "dddd"))
    ]
    write_checkpoint(folder / "model", Checkpoint(record={"trained_before": {"cccc_windows": ["0"]}}), {})
    return (
        {
            "recordings": [region_units_of(path) for path in scored],
            "pretraining": [region_units_of(path) for path in others],
            "embeddings": [
                written(f"{path.stem}-{seed}.h5", rows(path, without=4 if path.stem == "bbbb" else None))
                for seed in SEEDS
                for path in scored
            ],
            "pretrained": [written(f"pretrained-{seed}.h5", pd.concat(map(rows, others))) for seed in SEEDS],
            "checkpoints": [folder / "model"] * 6,
        }
        | {name: folder / f"{name}.zip" for name in ("single", "multi", "ground_truth")}
        | {name: folder / f"{name}.csv" for name in ("coverage", "scores")}
    )


def regions_of(**changes: object) -> RegionsSubmission:
    known = {"label": "neds", "eids": ["aaaa", "bbbb"], "view": "windows", "seeds": list(SEEDS), "missing": "mean"}
    return RegionsSubmission.model_validate(known | changes)


def test_regions_are_told_by_a_probe_of_the_units_that_were_pretrained_on(embedded):
    submit_regions(**embedded, settings=regions_of())
    (known,) = read_archive(embedded["ground_truth"])
    units = decode_entity_ids(from_numpy(known.tensors["entity_ids"]))
    with opened(embedded["recordings"][0].with_suffix(".h5")) as recording:
        region, uuid = recording.texts_of_units("region_cosmos"), recording.texts_of_units("id")
    # Not those of no class, nor the last, on a probe whose place is not known well.
    counts = np.isin(region, REGIONS) & (np.arange(bench.N_UNITS) < bench.N_UNITS - 1)
    assert units[: counts.sum()].tolist() == uuid[counts].tolist() and len(units) == 2 * counts.sum()
    assert [REGIONS[target] for target in known.tensors["targets"][: counts.sum()]] == region[counts].tolist()
    for scope in ("single", "multi"):
        entries = list(read_archive(embedded[scope]))
        assert [entry.path for entry in entries] == [
            f"neds_{scope}/{REGION_TASK}/seed_{seed}.safetensors" for seed in SEEDS
        ]
        assert entries[0].header["label_names"] == "CB,CNU,CTXsp,HB,HPF,HY,Isocortex,MB,OLF,TH"
        np.testing.assert_allclose(entries[0].tensors["pred_proba"].sum(axis=1), 1, rtol=1e-5)
    told = next(read_archive(embedded["single"])).tensors["pred_proba"].argmax(axis=1)
    assert (told == known.tensors["targets"]).sum() >= len(units) - 1
    coverage = read_csv(embedded["coverage"])
    # Unit 4 of a recording had no embedding.
    assert (coverage["n_scored"] == len(units)).all() and (coverage["n_filled"] == 1).all() and len(coverage) == 6


def test_a_unit_without_an_embedding_is_refused_by_default(embedded):
    with pytest.raises(UserError, match=r"of which 1 unit .* have no embedding"):
        submit_regions(**embedded, settings=regions_of(missing="error"))


def test_regions_of_another_build_are_refused(tmp_path):
    recording = bench.write_recording(tmp_path / "aaaa.h5", seed=0, unit_filtering="all_units")
    with pytest.raises(UserError, match="is of the build all_units"):
        region_units_of(recording)


def test_regions_of_two_versions_of_the_benchmark_are_refused(embedded):
    recording = embedded["recordings"][1].with_suffix(".h5")
    with h5py.File(recording, "r+") as handle:
        handle["brainset"].attrs["derived_version"] = "0.2.0"
    region_units_of(recording)
    with pytest.raises(
        UserError, match=r"sessions aaaa and bbbb are of several versions of the benchmark; take files of one"
    ):
        submit_regions(**embedded, settings=regions_of())


def test_units_that_do_not_count_are_counted_with_what_they_lack(embedded):
    recording = embedded["recordings"][1].with_suffix(".h5")
    changed(recording, "units/label", np.full(bench.N_UNITS, np.nan))
    region_units_of(recording)
    submit_regions(**embedded, settings=regions_of())
    (remark,) = set(read_csv(embedded["coverage"])["remarks"])
    assert "lack isolation (label 1)" in remark and "; none of bbbb)" in remark
    assert remark.startswith("regions: 12 of 32 units that are scored count")


@pytest.mark.parametrize(
    "place, values, fault",
    [
        ("units/label", [b"1.0"] * bench.N_UNITS, "units/label must be numbers"),
        ("units/qc_neural", [True] * bench.N_UNITS, "units/qc_neural must be text"),
        ("units/firing_rate", [2.0] * 3, "units/firing_rate must be numbers, one for each of the 16 units"),
        ("@id", "0802ced5-33a3-405e-8336-b65ebc5cb07c", "is of session 0802ced5-.*, which the sheet calls aaaa"),
    ],
)
def test_units_that_cannot_be_read_name_their_column(place, values, fault, tmp_path):
    recording = bench.write_recording(tmp_path / "aaaa.h5", seed=0)
    changed(recording, place, values)
    with pytest.raises(UserError, match=fault):
        region_units_of(recording)


def test_a_copy_of_a_recording_that_is_scored_is_not_pretrained_on(embedded):
    copy = embedded["pretraining"][0].with_suffix(".h5")
    shutil.copy(embedded["recordings"][0].with_suffix(".h5"), copy)
    region_units_of(copy)
    with pytest.raises(UserError, match=r"sessions aaaa and cccc have unit .* in common, so that one is a copy"):
        submit_regions(**embedded, settings=regions_of())


def test_a_unit_whose_depth_is_not_known_is_pooled_with_none():
    probabilities = np.eye(10)[:7]
    depths_um = np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, np.nan])
    found = pooled(probabilities, depths_um, np.full(7, "a"))
    np.testing.assert_array_equal(found[-1], probabilities[-1])
    assert not found[:-1, 6].any() and np.isfinite(found).all()
