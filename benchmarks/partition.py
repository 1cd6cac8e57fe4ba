"""Cost of the partition stage on a large recording: CPU seconds and peak memory, beside a plain histogram loop.

    python -m benchmarks.partition

The recording: 600 trials, 700 units, 30 million spikes, 90 minutes of wheel at 1 kHz and of two cameras. It is cut into
trials split at random, into trials split in blocks, and into windows of 2 s; each by a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measurement import Measurement, report
from neds.files.aligned import read_aligned
from neds.files.raw import RawSession, Trace, read_raw, write_raw
from neds.modalities import PAPER
from neds.partition.settings import PartitionRun, PartitionSettings
from neds.partition.stage import partition

N_TRIALS, N_UNITS, N_SPIKES, DURATION_S = 600, 700, 30_000_000, 5400.0
LOOP_TRIALS = 20
WINDOWS = {"align": "none", "window_start_s": 0.0, "window_end_s": 2.0, "split": "blocks"}
CUTS: dict[str, dict[str, Any]] = {"trials": {}, "trials in blocks": {"split": "blocks"}, "windows": WINDOWS}


def write_recording(path: Path) -> None:
    rng = np.random.default_rng(0)
    stimulus = np.linspace(30, DURATION_S - 30, N_TRIALS)
    wheel = np.arange(0, DURATION_S, 0.001)
    cameras = {"left": np.arange(0, DURATION_S, 1 / 60), "right": np.arange(0, DURATION_S, 1 / 150)}
    units = {column: np.full(N_UNITS, "") for column in ("uuid", "probe", "acronym", "beryl", "cosmos")} | {
        column: np.ones(N_UNITS) for column in ("depth_um", "channel", "label")
    }
    session = RawSession(
        eid="benchmark",
        subject="",
        lab="",
        date="",
        spike_times=np.sort(rng.uniform(0, DURATION_S, N_SPIKES)),
        spike_units=rng.integers(0, N_UNITS, N_SPIKES, dtype=np.int32),
        units=pd.DataFrame(units),
        trials=pd.DataFrame(
            {
                "stimOn_times": stimulus,
                "goCue_times": stimulus,
                "firstMovement_times": stimulus + 0.3,
                "feedback_times": stimulus + 1.0,
                "choice": rng.choice([-1.0, 1.0], N_TRIALS),
                "probabilityLeft": rng.choice([0.2, 0.5, 0.8], N_TRIALS),
                "feedbackType": rng.choice([-1.0, 1.0], N_TRIALS),
            }
        ),
        traces={"wheel_velocity": Trace(wheel, rng.normal(size=len(wheel)))}
        | {"wheel_position": Trace(wheel, rng.normal(size=len(wheel)))}
        | {f"{view}_whisker_motion_energy": Trace(t, rng.normal(size=len(t))) for view, t in cameras.items()},
    )
    write_raw(path, session)


def report_partition(cut: str, raw: Path, output: Path) -> None:
    """Print the CPU seconds of this process, imports and all, and its peak memory in GB."""
    settings = PartitionSettings(**{"bin_s": 0.02} | CUTS[cut])
    modalities = [m for m in PAPER.values() if m.kind != "categorical" or not settings.cuts_windows]
    partition(raw=raw, settings=PartitionRun(modalities=modalities, partition=settings), output=output)
    print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def loop_cpu_s(raw: Path) -> float:
    """CPU seconds of binning by one 2-D histogram per trial, from LOOP_TRIALS trials scaled to all."""
    session = read_raw(raw)
    settings = PartitionSettings(bin_s=0.02)
    bins = settings.window_start_s + settings.bin_s * np.arange(settings.n_bins + 1)
    start_s = time.process_time()
    for stimulus in session.trials["stimOn_times"][:LOOP_TRIALS]:
        times = session.spike_times - stimulus
        inside = (times >= bins[0]) & (times < bins[-1])
        np.histogram2d(times[inside], session.spike_units[inside], bins=(bins, np.arange(N_UNITS + 1)))
    return (time.process_time() - start_s) * N_TRIALS / LOOP_TRIALS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ("CUT", "RAW", "OUTPUT")
    parser.add_argument("--measure", nargs=3, metavar=names, help="used by the benchmark itself")
    measure = parser.parse_args().measure
    if measure:
        report_partition(measure[0], Path(measure[1]), Path(measure[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        raw, output = Path(folder, "raw.h5"), Path(folder, "aligned.h5")
        write_recording(raw)
        cpu_s_of, peak_gb_of, what = {}, {}, {}
        for cut in CUTS:
            command = [sys.executable, "-m", "benchmarks.partition", "--measure", cut, str(raw), str(output)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            cpu_s_of[cut], peak_gb = map(float, printed.split())
            shape = read_aligned(output).values["spikes"].shape
            what[cut], peak_gb_of[cut] = f"{cut}, {' x '.join(map(str, shape))}", peak_gb
        # Last, because a process begins with the peak memory of the one that started it.
        loop_s = loop_cpu_s(raw)
    for cut, cpu_s in cpu_s_of.items():
        report(
            Measurement(
                section="Partition of 30 million spikes",
                what=what[cut],
                value=cpu_s,
                unit="CPU s",
                plain=loop_s if cut == "trials" else None,
                plain_way="binning alone, by a histogram per trial" if cut == "trials" else "",
                further={"peak memory (GB)": peak_gb_of[cut]},
            )
        )


if __name__ == "__main__":
    main()
