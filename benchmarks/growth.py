"""How cost grows: trials per second of training, and peak memory, against units, sessions and bins.

    python -m benchmarks.growth

Everything else is as by default: mode mm, a batch of 16 trials, and where it is not what grows one session of 200 units and
100 bins. Each case is a process of its own, because a process keeps its peak.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.measurement import Measurement, measurements, peak_gb, report
from benchmarks.noise import noise_session
from benchmarks.training_step import BATCH, Steps, time_steps, training_run
from neds.files.aligned import write_aligned
from neds.model.settings import ModelSettings

STANDARD = {"units": 200, "sessions": 1, "bins": 100}
GROWING = {"units": [50, 200, 800, 1600], "sessions": [1, 16, 400], "bins": [50, 100, 200, 400]}
SECTION = "How cost grows with "
STEPS = 5


def measure(along: str, case: dict[str, int]) -> None:
    """Report one case."""
    with tempfile.TemporaryDirectory() as folder:
        n_train = -(-BATCH * (STEPS + 2) // case["sessions"])
        aligned = [Path(folder, f"{index}.h5") for index in range(case["sessions"])]
        for index, path in enumerate(aligned):
            session = noise_session(index, case["units"], n_bins=case["bins"], n_train=max(n_train, 40), n_val=2)
            write_aligned(path, session)
        steps = Steps(STEPS)
        time_steps(training_run("mm", ModelSettings()), aligned, steps)
    further = {"trials/s": BATCH / median(steps.wall_s), "peak memory (GB)": peak_gb()}
    report(Measurement(section=f"{SECTION}{along}", what=str(case[along]), further=further))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs=2, metavar=("ALONG", "NUMBER"), help="used by the benchmark itself")
    given = parser.parse_args().case
    if given:
        measure(given[0], STANDARD | {given[0]: int(given[1])})
        return
    for along, numbers in GROWING.items():
        for number in numbers:
            command = [sys.executable, "-m", "benchmarks.growth", "--case", along, str(number)]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for found in measurements(printed.stdout):
                report(found)


if __name__ == "__main__":
    main()
