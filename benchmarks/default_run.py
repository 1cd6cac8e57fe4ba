"""The default run of the workflow, from nothing: its time, and which jobs take it.

    python -m benchmarks.default_run

A stage's seconds are those that its jobs ran, as Snakemake's `benchmark:` files have them. Figures and tables have no such
files; they and Snakemake itself are the rest of the CPU time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.measurement import Measurement, report, spent

ROOT = Path(__file__).parents[1]
STAGES = {
    "download": ["download", "partition"],
    "pretraining": ["pretrain"],
    "training from scratch": ["scratch"],
    "fine-tuning": ["finetune"],
    "baselines": ["baselines"],
    "evaluation": ["evaluate"],
    "regions and map of units (UMAP)": ["classify_regions", "map_units"],
}
SECTION = "The default run"


def job_seconds(folder: Path) -> list[float]:
    """Wall seconds of the jobs whose records lie in a folder, or in the file of that name."""
    files = [*folder.rglob("*.tsv"), *folder.parent.glob(f"{folder.name}.tsv")]
    return [float(pd.read_csv(file, sep="\t")["s"].sum()) for file in files]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configfile", type=Path, help="another configuration, e.g. a small one")
    configuration = parser.parse_args().configfile
    n_cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            Path(sys.executable).with_name("snakemake"),
            "--snakefile",
            ROOT / "Snakefile",
            "--directory",
            folder,
        ]
        command += ["--cores", n_cores, *(["--configfile", configuration.absolute()] if configuration else [])]
        with spent() as run:
            done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        report(Measurement(section=SECTION, what=f"all, on {n_cores} cores", value=run.wall_s, unit="s"))
        for stage, names in STAGES.items():
            found = [s for name in names for s in job_seconds(Path(folder, "results", "benchmarks", name))]
            report(
                Measurement(
                    section=SECTION, what=stage, value=sum(found), unit="s of jobs", further={"jobs": len(found)}
                )
            )
        report(Measurement(section=SECTION, what="CPU time of all", value=run.cpu_s, unit="CPU s"))


if __name__ == "__main__":
    main()
