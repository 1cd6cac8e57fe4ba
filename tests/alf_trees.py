"""ALF sessions written for tests, of made-up or of given data, in the layout that the IBL's loaders read.

Shapes: K trials, U clusters, C channels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from iblatlas.regions import BrainRegions

SESSION_PATH = "testlab/Subjects/TL_001/2024-03-05/001"
DURATION_S = 60.0
# Allen acronym -> (Beryl, Cosmos)
REGIONS = {"VISp5": ("VISp", "Isocortex"), "CA1": ("CA1", "HPF"), "LP": ("LP", "TH"), "DG-mo": ("DG", "HPF")}


@dataclass(frozen=True)
class ProbeArrays:
    """What a probe's files hold: spike times (s) and clusters (n_spikes,), region, depth_um and label (U,)."""

    times: np.ndarray
    clusters: np.ndarray
    region: np.ndarray
    depth_um: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class SessionArrays:
    """What a session's files hold.

    Wheel: times (s), position (rad); cameras: view -> (times (s), motion energy); pupil: diameter (px) in each frame of the
    left camera; paws: by point x, y (px) and likelihood (3, n) in these frames; licks: times (s).
    """

    path: str
    probes: dict[str, ProbeArrays]
    trials: pd.DataFrame
    wheel: tuple[np.ndarray, np.ndarray]
    cameras: dict[str, tuple[np.ndarray, np.ndarray]]
    pupil: np.ndarray
    paws: dict[str, np.ndarray]
    licks: np.ndarray


def write_session(
    root: Path, *, path: str = SESSION_PATH, probes: tuple[str, ...] = ("probe00", "probe01")
) -> SessionArrays:
    """Write a made-up session of one minute with all that the download stage loads."""
    rng = np.random.default_rng(0)
    alf = Path(root, path, "alf")
    alf.mkdir(parents=True)
    session = SessionArrays(
        path=path,
        probes={name: _random_probe(rng) for name in probes},
        trials=_random_trials(rng),
        wheel=_random_wheel(rng),
        cameras={"left": _random_camera(rng, rate_hz=60), "right": _random_camera(rng, rate_hz=150)},
        pupil=20 + np.sin(np.arange(0, DURATION_S, 1 / 60)),
        paws={point: _random_paw(rng, rate_hz=60) for point in ("paw_l", "paw_r")},
        licks=np.sort(rng.uniform(0, DURATION_S, 200)),
    )
    for name, probe in session.probes.items():
        write_probe(alf / name / "pykilosort", probe, name=name)
    write_trials(alf, session.trials)
    write_wheel(alf, *session.wheel)
    for view, (times, energy) in session.cameras.items():
        np.save(alf / f"_ibl_{view}Camera.times.npy", times)
        np.save(alf / f"{view}Camera.ROIMotionEnergy.npy", energy)
    write_tracking(alf, session, rng)
    return session


def write_tracking(alf: Path, session: SessionArrays, rng: np.random.Generator) -> None:
    """What the IBL finds in the left video, and the licks."""
    noisy = session.pupil + rng.normal(0, 0.1, len(session.pupil))
    features = pd.DataFrame({"pupilDiameter_raw": noisy, "pupilDiameter_smooth": session.pupil})
    features.to_parquet(alf / "_ibl_leftCamera.features.pqt")
    columns = {
        f"{point}_{name}": values
        for point, rows in session.paws.items()
        for name, values in zip(("x", "y", "likelihood"), rows, strict=True)
    }
    pd.DataFrame(columns).to_parquet(alf / "_ibl_leftCamera.dlc.pqt")
    np.save(alf / "licks.times.npy", session.licks)


def write_30_trial_session(root: Path, npz: Path) -> str:
    """Rebuild an ALF session, without cameras, from the thirty real trials in `npz`; returns its path within `root`."""
    with np.load(npz, allow_pickle=False) as data:
        recorded = {name: data[name] for name in data.files}
    trials = {
        name.removeprefix("trials_"): values
        for name, values in recorded.items()
        if name.startswith("trials_") and name not in ("trials_trial_start", "trials_trial_end")
    }
    start, end = recorded["trials_trial_start"], recorded["trials_trial_end"]
    alf = Path(root, SESSION_PATH, "alf")
    alf.mkdir(parents=True)
    write_trials(alf, pd.DataFrame(trials | {"intervals_0": start, "intervals_1": end}))
    velocity = recorded["wheel_velocity"]
    edges = start[:, None] + 0.02 * np.arange(velocity.shape[1])
    write_wheel(alf, edges.ravel(), np.cumsum(velocity.ravel() * 0.02))
    probe = ProbeArrays(
        times=recorded["spike_times"],
        clusters=recorded["spike_clusters"].astype(np.int32),
        region=recorded["cluster_region"],
        depth_um=np.linspace(20, 3840, len(recorded["cluster_region"])),
        label=recorded["cluster_label"],
    )
    write_probe(alf / "probe00" / "pykilosort", probe, name="probe00")
    return SESSION_PATH


def write_probe(folder: Path, probe: ProbeArrays, *, name: str) -> None:
    """Write a spike sorting whose cluster i sits on channel i."""
    folder.mkdir(parents=True)
    n_clusters = len(probe.region)
    index = np.arange(n_clusters)
    arrays = {
        "spikes.times": probe.times,
        "spikes.clusters": probe.clusters,
        "spikes.amps": np.full(len(probe.times), 1e-4),
        "spikes.depths": probe.depth_um[probe.clusters],
        "clusters.channels": index,
        "clusters.depths": probe.depth_um,
        "channels.localCoordinates": np.c_[np.full(n_clusters, 16.0), probe.depth_um],
        "channels.rawInd": index,
        "channels.mlapdv": np.full((n_clusters, 3), -1000.0),
        "channels.brainLocationIds_ccf_2017": _region_ids(probe.region),
    }
    for dataset, values in arrays.items():
        np.save(folder / f"{dataset}.npy", values)
    rates = np.bincount(probe.clusters, minlength=n_clusters) / np.ptp(probe.times)
    metrics = pd.DataFrame({"cluster_id": index, "label": probe.label, "firing_rate": rates})
    metrics.to_parquet(folder / "clusters.metrics.pqt")
    pd.DataFrame({"uuids": [f"{name}-unit-{i}" for i in index]}).to_csv(folder / "clusters.uuids.csv", index=False)


def write_trials(alf: Path, trials: pd.DataFrame) -> None:
    trials.to_parquet(alf / "_ibl_trials.table.pqt")


def write_wheel(alf: Path, times: np.ndarray, position: np.ndarray) -> None:
    np.save(alf / "_ibl_wheel.timestamps.npy", times)
    np.save(alf / "_ibl_wheel.position.npy", position)


def _region_ids(acronyms: np.ndarray) -> np.ndarray:
    regions = BrainRegions()
    # The table lists every region of the right hemisphere first, under its positive id.
    by_acronym = dict(zip(regions.acronym[::-1], regions.id[::-1], strict=True))
    return np.array([by_acronym[acronym] for acronym in acronyms])


def _random_probe(rng: np.random.Generator, *, n_clusters: int = 10, n_spikes: int = 3000) -> ProbeArrays:
    return ProbeArrays(
        times=np.sort(rng.uniform(0, DURATION_S, n_spikes)),
        clusters=rng.integers(0, n_clusters, n_spikes).astype(np.int32),
        region=rng.choice(list(REGIONS), n_clusters),
        depth_um=np.sort(rng.uniform(20, 3840, n_clusters)),
        label=rng.choice([0.0, 1 / 3, 2 / 3, 1.0], n_clusters),
    )


def _random_trials(rng: np.random.Generator, *, n_trials: int = 20) -> pd.DataFrame:
    onset = np.linspace(2, DURATION_S - 4, n_trials)
    is_left = rng.random(n_trials) < 0.5
    contrast = rng.choice([0, 0.0625, 0.125, 0.25, 1.0], n_trials)
    return pd.DataFrame(
        {
            "intervals_0": onset - 0.5,
            "intervals_1": onset + 1.8,
            "stimOn_times": onset,
            "goCue_times": onset + 0.01,
            "firstMovement_times": np.where(np.arange(n_trials) == 3, np.nan, onset + 0.2),
            "response_times": onset + 0.4,
            "feedback_times": onset + 0.41,
            "choice": np.where(is_left, 1.0, -1.0),
            "feedbackType": rng.choice([1.0, -1.0], n_trials),
            "contrastLeft": np.where(is_left, contrast, np.nan),
            "contrastRight": np.where(is_left, np.nan, contrast),
            "probabilityLeft": np.repeat([0.5, 0.2, 0.8, 0.2], n_trials // 4),
            "rewardVolume": 1.5,
        }
    )


def _random_wheel(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(0, DURATION_S, 0.01) + rng.uniform(0, 0.005, 6000)
    return times, np.sin(2 * np.pi * 0.5 * times)


def _random_camera(rng: np.random.Generator, *, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    times = np.arange(0, DURATION_S, 1 / rate_hz)
    energy = rng.random(len(times)).astype(np.float32)
    energy[5] = np.nan
    return times, energy


def _random_paw(rng: np.random.Generator, *, rate_hz: float) -> np.ndarray:
    """Random walk, lost in frame 30 alone and in frames 600 to 659."""
    n = round(DURATION_S * rate_hz)
    likelihood = np.ones(n)
    likelihood[[30, *range(600, 660)]] = 0.2
    return np.vstack([300 + np.cumsum(rng.normal(0, 2, (2, n)), axis=1), likelihood])
