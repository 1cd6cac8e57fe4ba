"""What LFP costs: time and memory of band power around trials, and of its principal components.

A first process writes a recording of 384 channels of made-up field potentials and of the sync channel, in the IBL's
compression; a second runs what download and partition do with it:

    python -m benchmarks.lfp write folder
    python -m benchmarks.lfp measure folder

Shapes: n samples, C channels.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import spikeglx

from neds.download.band_power import band_power, window_centres
from neds.download.settings import LfpSettings
from neds.partition.components import fit_components
from neds.partition.settings import PartitionSettings
from tests.lfp_recordings import RATE_HZ, write_lfp

N_CHANNELS = 384
EVERY_S = 5.0


def field_potentials(n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Microvolts (n, C): brown noise common to neighbouring channels, and white noise of each."""
    sources = np.cumsum(rng.normal(0, 4, (n_samples, 24)).astype(np.float32), axis=0)
    # A leak of a second keeps the noise within the converter's range.
    sources -= np.stack([np.convolve(s, np.full(2501, 1 / 2501), "same") for s in sources.T], axis=1).astype(np.float32)
    distance = np.arange(N_CHANNELS)[None] / 16 - np.arange(24)[:, None]
    signal = sources @ np.exp(-(distance**2)).astype(np.float32)
    signal += rng.normal(0, 5, (1, N_CHANNELS)).astype(np.float32)
    for channel in range(N_CHANNELS):
        signal[:, channel] += rng.normal(0, 8, n_samples).astype(np.float32)
    return signal


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def power(recording: Path, n_trials: int, settings: LfpSettings, step_s: float) -> np.ndarray:
    onset = 3 + EVERY_S * np.arange(n_trials)
    centres_s = window_centres(onset[:, None] + [-0.5, 1.5], step_s)
    start, start_cpu = time.perf_counter(), time.process_time()
    with spikeglx.Reader(recording) as reader:
        _, values = band_power(
            reader,
            centres_s,
            sample_at=lambda t: t * RATE_HZ,
            window_s=settings.window_s,
            bands_hz=settings.bands_hz,
            channels_per_group=settings.channels_per_group,
        )
    seconds, cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    print(
        f"band power: {n_trials} trials of 2 s, {len(values)} windows x {values.shape[1]} values: {seconds:.0f} s, "
        f"{cpu_s:.1f} s of CPU, {cpu_s / n_trials * 30:.1f} s of CPU per minute of trials, peak {peak_mb():.0f} MB"
    )
    return values


def components(values: np.ndarray, n_trials: int, n_bins: int) -> None:
    rng = np.random.default_rng(0)
    trials = values[rng.integers(0, len(values), (n_trials, n_bins))]
    start_cpu = time.process_time()
    fitted = fit_components(trials, np.ones(n_trials, bool), PartitionSettings())
    fitted.project(trials)
    cpu_s = time.process_time() - start_cpu
    print(
        f"components: {n_trials} trials x {n_bins} bins x {trials.shape[-1]} values: {len(fitted.weights)} components with "
        f"{fitted.variance_share.sum():.3f} of the variance, {cpu_s:.1f} s of CPU, peak {peak_mb():.0f} MB"
    )


def main(arguments: argparse.Namespace) -> None:
    if arguments.action == "write":
        n_samples = round((6 + EVERY_S * arguments.trials) * RATE_HZ)
        recording = write_lfp(arguments.folder, field_potentials(n_samples, np.random.default_rng(0)))
        print(f"{recording}: {recording.stat().st_size / 1e6:.0f} MB for {n_samples / RATE_HZ:.0f} s")
        return
    settings = LfpSettings(channels_per_group=arguments.channels_per_group)
    values = power(next(arguments.folder.glob("*.lf.cbin")), arguments.trials, settings, arguments.step_s)
    components(values, arguments.partitioned_trials, round(2 / arguments.step_s))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["write", "measure"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--partitioned-trials", type=int, default=600, help="trials to fit components to")
    parser.add_argument("--step-s", type=float, default=0.02)
    parser.add_argument("--channels-per-group", type=int, default=LfpSettings().channels_per_group)
    main(parser.parse_args())
