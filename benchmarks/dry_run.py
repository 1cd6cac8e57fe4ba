"""Cost of a dry run, which every start of the workflow pays first: wall and CPU seconds, beside an empty workflow's.

    python -m benchmarks.dry_run

All models (mm, encoding, decoding; from scratch and fine-tuned) and baselines of 84 sessions in the paper's roles, or of
another number in the same proportion. "fresh": nothing was done yet; "done": everything was, and each file is checked. The
baseline is `snakemake -n` on a Snakefile with one rule that does nothing, on the same machine at the same time. No session
is loaded.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from functools import cache
from pathlib import Path

import h5py
import pandas as pd
import yaml
from matplotlib.figure import Figure
from safetensors.numpy import save_file

from benchmarks.measurement import Measurement, report
from neds.config import load_config
from neds.plan.opened import OpenedPlan
from neds.provenance import InputRecord, Stamp, can_hold, content_digest, read_stamp, write_metadata, write_stamp

ROOT = Path(__file__).parents[1]
TRAIN_SHARE = 74 / 84
CONFIG = {
    "source": "one",
    "sessions": "sessions.tsv",
    "modes": ["mm", "encoding", "decoding"],
    "regimes": ["scratch", "finetuned"],
    "baselines": ["psth", "linear", "rrr", "rrr-multi"],
}
EMPTY = "rule all:\n    output: 'done'\n    shell: 'touch done'\n"


def write_project(folder: Path, n_sessions: int) -> list[str]:
    """A sheet of `n_sessions` and a configuration with all models; arguments of snakemake."""
    n_train = round(TRAIN_SHARE * n_sessions)
    lines = [f"{uuid.UUID(int=i, version=4)}\t{'train' if i < n_train else 'test'}" for i in range(n_sessions)]
    (folder / "sessions.tsv").write_text("\n".join(["eid\trole", *lines]))
    (folder / "my.yaml").write_text(yaml.safe_dump(CONFIG))
    return ["--snakefile", str(ROOT / "Snakefile"), "--configfile", "my.yaml"]


def snakemake(folder: Path, *arguments: str) -> tuple[str, float, float]:
    """What snakemake printed, and the wall and CPU seconds that it took."""
    before, start_s = os.times(), time.monotonic()
    command = [Path(sys.executable).with_name("snakemake"), "--directory", folder, *arguments]
    environment = os.environ | {"HOME": str(folder)}
    done = subprocess.run(list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    after, wall_s = os.times(), time.monotonic() - start_s
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return done.stdout + done.stderr, wall_s, cpu_s


def pretend_done(folder: Path) -> None:
    """Leave the files of a workflow that ran to its end: empty ones, with the stamps that its jobs would write."""
    opened = OpenedPlan(load_config([ROOT / "config.yaml", folder / "my.yaml"], base=folder), is_main=True)
    for step in opened.plan.steps:
        inputs = {name: [_record(folder / path) for path in paths] for name, paths in step.inputs.items()}
        stamp = Stamp(step.command, dict(step.values), opened.code(step), inputs)
        paths = {name: folder / path for name, path in step.outputs.items()}
        for name, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_empty(path.suffix))
            own = replace(stamp, output=name if len(paths) > 1 else "", content=content_digest(path))
            if can_hold(path):
                write_stamp(path, own)
            elif not any(map(can_hold, paths.values())):
                write_metadata(path, own)


@cache
def _record(path: Path) -> InputRecord:
    """A file as an input: by its stamp, or by its bytes where it has none."""
    stamp = read_stamp(path)
    return InputRecord(stamp.identity, stamp.content) if stamp else InputRecord("", content_digest(path))


def _empty(suffix: str) -> bytes:
    """The content of a file of that kind."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, f"empty{suffix}")
        if suffix == ".h5":
            h5py.File(path, "w").close()
        elif suffix == ".safetensors":
            save_file({}, path)
        elif suffix == ".parquet":
            pd.DataFrame({"eid": []}).to_parquet(path)
        elif suffix in (".png", ".pdf"):
            Figure().savefig(path)
        else:
            path.write_text("...\n")
        return path.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[84, 450], help="numbers of sessions to time")
    with tempfile.TemporaryDirectory() as temporary:
        empty = Path(temporary, "empty")
        empty.mkdir()
        (empty / "Snakefile").write_text(EMPTY)
        _, base_wall_s, _ = snakemake(empty, "-n")
        for n_sessions in parser.parse_args().sessions:
            folder = Path(temporary, str(n_sessions))
            folder.mkdir()
            arguments = write_project(folder, n_sessions)
            for state in ("fresh", "done"):
                if state == "done":
                    pretend_done(folder)
                printed, wall_s, cpu_s = snakemake(folder, *arguments, "-n")
                if (state == "done") != ("Nothing to be done" in printed):
                    sys.exit(f"{n_sessions} sessions, {state}: not what was to be timed\n{printed[-2000:]}")
                report(
                    Measurement(
                        section="A dry run",
                        what=f"{n_sessions} sessions, {state}",
                        value=wall_s,
                        unit="s",
                        limit=base_wall_s,
                        limited_by="an empty workflow's dry run",
                        further={"CPU s": cpu_s},
                    )
                )


if __name__ == "__main__":
    main()
