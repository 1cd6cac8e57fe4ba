"""One session as the ALF files that IBL's loaders read."""

import json
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
from iblatlas.regions import BrainRegions

from neds.synthetic.behaviour import Behaviour, Samples
from neds.synthetic.neurons import PROBE_LENGTH_UM, Population, acronym_at
from neds.synthetic.task import Task

_N_CHANNELS = 384
_SITE_X_UM = (43, 11, 59, 27)
_ROW_UM = 20


def write_alf_tree(
    session: Path,
    rng: np.random.Generator,
    *,
    task: Task,
    behaviour: Behaviour,
    population: Population,
    uuids: list[str],
    with_cameras: bool,
) -> None:
    """Write the ALF files of one session below `session`/alf.

    Args:
        session: folder <lab>/Subjects/<subject>/<date>/<number> of the tree.
        rng: source of the spikes' amplitudes and of the scatter of their depths.
        uuids: (N,) names of the population's units.
        with_cameras: whether the cameras' times and motion energy exist.
    """
    alf = session / "alf"
    alf.mkdir(parents=True)
    task.trials.to_parquet(alf / "_ibl_trials.table.pqt", index=False)
    _write_samples(behaviour.wheel, times=alf / "_ibl_wheel.timestamps.npy", values=alf / "_ibl_wheel.position.npy")
    if with_cameras:
        for view, samples in behaviour.cameras.items():
            _write_samples(
                samples,
                times=alf / f"_ibl_{view}Camera.times.npy",
                values=alf / f"{view}Camera.ROIMotionEnergy.npy",
            )

    probes = sorted(population.units["probe"].unique())
    names = [f"probe{probe:02d}" for probe in probes]
    description = [{"label": name, "model": "3B2"} for name in names]
    (alf / "probes.description.json").write_text(json.dumps(description), encoding="utf-8")
    for probe, name in zip(probes, names, strict=True):
        folder = alf / name / "pykilosort"
        folder.mkdir(parents=True)
        rows = np.flatnonzero(population.units["probe"] == probe)
        _write_spikes(folder, rng, population=population, rows=rows)
        _write_clusters(folder, task=task, population=population, rows=rows, uuids=[uuids[row] for row in rows])
        _write_channels(folder, probe=probe)


def draw_uuids(rng: np.random.Generator, n: int) -> list[str]:
    """`n` UUIDs of version 4 from a seeded generator."""
    return [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(n)]


def _write_samples(samples: Samples, *, times: Path, values: Path) -> None:
    np.save(times, samples.times, allow_pickle=False)
    np.save(values, samples.values, allow_pickle=False)


def _write_spikes(folder: Path, rng: np.random.Generator, *, population: Population, rows: np.ndarray) -> None:
    cluster_of = np.full(len(population.units), -1)
    cluster_of[rows] = np.arange(len(rows))
    clusters = cluster_of[population.spike_units]
    here = clusters >= 0
    clusters = clusters[here].astype(np.int32)
    amplitude_v = rng.lognormal(np.log(1e-4), 0.4, len(rows))[clusters] * rng.normal(1, 0.08, len(clusters))
    depth_um = population.units["depth_um"].to_numpy()[rows][clusters] + rng.normal(0, 8, len(clusters))
    arrays = {"times": population.spike_times[here], "clusters": clusters, "amps": amplitude_v, "depths": depth_um}
    for attribute, values in arrays.items():
        np.save(folder / f"spikes.{attribute}.npy", values, allow_pickle=False)


def _write_clusters(folder: Path, *, task: Task, population: Population, rows: np.ndarray, uuids: list[str]) -> None:
    units = population.units.iloc[rows]
    n_spikes = np.bincount(population.spike_units, minlength=len(population.units))[rows]
    metrics = pd.DataFrame(
        {
            "cluster_id": np.arange(len(rows)),
            "label": units["label"].to_numpy(),
            "firing_rate": n_spikes / task.duration_s,
            "spike_count": n_spikes,
        }
    )
    depth_um = units["depth_um"].to_numpy()
    metrics.to_parquet(folder / "clusters.metrics.pqt", index=False)
    pd.DataFrame({"uuids": uuids}).to_csv(folder / "clusters.uuids.csv", index=False)
    np.save(folder / "clusters.channels.npy", _channel_at(depth_um), allow_pickle=False)
    np.save(folder / "clusters.depths.npy", depth_um, allow_pickle=False)


def _write_channels(folder: Path, *, probe: int) -> None:
    """Geometry of a Neuropixels 1.0 probe, placed at the repeated site; further probes stand 300 um apart."""
    channel = np.arange(_N_CHANNELS)
    height_um = _channel_heights_um()
    lateral_um = np.array(_SITE_X_UM)[channel % len(_SITE_X_UM)]
    ids = BrainRegions().acronym2id(acronym_at(height_um))
    mlapdv_um = np.column_stack(
        [
            np.full(_N_CHANNELS, -2243 + 300 * probe),
            np.full(_N_CHANNELS, -2000),
            np.round(height_um - PROBE_LENGTH_UM - 500).astype(int),
        ]
    )
    local_um = np.column_stack([lateral_um, height_um])
    np.save(folder / "channels.localCoordinates.npy", local_um, allow_pickle=False)
    np.save(folder / "channels.rawInd.npy", channel, allow_pickle=False)
    np.save(folder / "channels.mlapdv.npy", mlapdv_um, allow_pickle=False)
    np.save(folder / "channels.brainLocationIds_ccf_2017.npy", ids, allow_pickle=False)


def _channel_heights_um() -> np.ndarray:
    return _ROW_UM * (np.arange(_N_CHANNELS) // 2).astype(float)


def _channel_at(depth_um: np.ndarray) -> np.ndarray:
    """Channel (N,) nearest to each depth that lies in the same region."""
    heights_um = _channel_heights_um()
    distance = np.abs(heights_um[None] - depth_um[:, None])
    elsewhere = acronym_at(heights_um)[None] != acronym_at(depth_um)[:, None]
    return np.argmin(distance + np.where(elsewhere, np.inf, 0.0), axis=1)
