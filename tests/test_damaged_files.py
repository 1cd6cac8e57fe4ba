"""A damaged file of any kind is named in one line, with the command that has it made again; a full disk damages none."""

import platform
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from neds.errors import UserError
from neds.evaluation.results import EvaluationFiles, Identity, Predicted, read_predictions, write_evaluation
from neds.evaluation.tables import metrics_table
from neds.evaluation.tasks import tasks_of
from neds.files.aligned import read_aligned, write_aligned
from neds.files.atomic import write_csv, write_parquet
from neds.files.raw import RawSession, Trace, read_raw, write_raw
from neds.files.tables import read_csv, read_parquet
from neds.model.checkpoint import Checkpoint, load_network, write_checkpoint
from neds.partition.array_file import read_arrays
from neds.synthetic.truth import expected_counts, write_truth
from neds.training.settings import TrainingRun
from neds.training.stage import run_training
from neds.tuning.best import BestTrial, with_best, write_best
from tests.aligned_sessions import make_session

TINY = {"dim": 16, "layers": 1, "heads": 2, "mlp": 16}
TABLE = pd.DataFrame({"trial": [1, 2], "score": [0.1234567, 0.2345678]})
RUN = TrainingRun.model_validate({"mode": "mm", "modalities": ["spikes", "wheel_speed"], "model": TINY})


@dataclass(frozen=True)
class Kind:
    """A kind of file: how the test makes one and how its stage reads it."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]


def write_recording(path: Path) -> None:
    times = np.sort(np.random.default_rng(0).uniform(0, 100, 5000))
    table = pd.DataFrame({"uuid": ["a", "b"], "label": [1.0, 0.5]})
    trace = Trace(times, np.sin(times))
    fields = {"spike_times": times, "spike_units": np.zeros(5000, int), "units": table, "trials": table}
    write_raw(path, RawSession(eid="e", subject="s", lab="l", date="d", traces={"wheel": trace}, **fields))


def write_scores(path: Path, *, which: str) -> None:
    session = make_session()
    task = tasks_of(session.modalities, inputs=tuple(session.modalities), outputs=("spikes",))[0]
    rates = np.random.default_rng(0).uniform(0.1, 2, session.values["spikes"][session.trials_of("test")].shape)
    files = {name: path.with_name(f"other-{name}") for name in ("metrics", "units", "predictions")} | {which: path}
    write_evaluation(session, Identity("m", "", 0), [Predicted(task, {"spikes": rates})], EvaluationFiles(**files))


def write_network(path: Path) -> None:
    session = path.with_name("session.h5")
    write_aligned(session, make_session(n_trials=20))
    run = RUN.model_copy(update={"training": RUN.training.model_copy(update={"epochs": 1})})
    run_training(run=run, aligned=[session], best=path, last=path.with_name("last"), log_csv=path.with_name("log"))


def read_truth(path: Path) -> None:
    grid = {"window_start_s": 0.0, "bin_s": 0.1, "n_bins": 2}
    expected_counts(path, uuids=["a"], align_times_s=np.zeros(1), **grid)


KINDS = [
    Kind("raw.h5", write_recording, read_raw),
    Kind("aligned.h5", lambda path: write_aligned(path, make_session()), read_aligned),
    Kind(
        "truth.h5",
        lambda path: write_truth(path, uuids=["a"], rates={"rate_hz": np.random.rand(1, 5000)}, start_s=0.0, dt_s=0.1),
        read_truth,
    ),
    Kind("predictions.h5", lambda path: write_scores(path, which="predictions"), read_predictions),
    Kind("metrics.csv", lambda path: write_scores(path, which="metrics"), lambda path: metrics_table([path])),
    Kind("units.parquet", lambda path: write_scores(path, which="units"), read_parquet),
    Kind("trials.csv", lambda path: write_csv(path, TABLE), lambda path: read_csv(path, columns=list(TABLE))),
    Kind("best.safetensors", write_network, load_network),
    Kind("best.yaml", lambda path: write_best(path, BestTrial(training={"lr": 0.1})), lambda path: with_best(RUN, path)),
]  # fmt: skip
ARRAYS = [
    Kind("mouse.npz", lambda path: np.savez(path, spikes=np.ones((9, 8, 7), int)), read_arrays),
]


@pytest.fixture(scope="module")
def originals(tmp_path_factory) -> dict[str, bytes]:
    """Content of a whole file of each kind, which its reader takes."""
    torch.set_num_threads(1)
    folder, contents = tmp_path_factory.mktemp("whole"), {}
    for kind in (*KINDS, *ARRAYS):
        kind.write(folder / kind.name)
        kind.read(folder / kind.name)
        contents[kind.name] = (folder / kind.name).read_bytes()
    return contents


def cut(content: bytes) -> bytes:
    return content[: int(0.6 * len(content))]


def garbage(content: bytes) -> bytes:
    return np.random.default_rng(0).bytes(len(content))


def empty(content: bytes) -> bytes:
    return b""


def other_text(content: bytes) -> bytes:
    return b"<html>404 not found</html>\n"


@pytest.mark.parametrize("damage", [cut, garbage, empty, other_text])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_damaged_file_is_named_with_the_command_that_mends_it(kind, damage, originals, tmp_path):
    path = tmp_path / kind.name
    path.write_bytes(damage(originals[kind.name]))
    with pytest.raises(UserError) as caught:
        kind.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: damaged (") and message.endswith(f"run snakemake again: rm {path}")
    assert "\n" not in message


@pytest.mark.parametrize("damage", [cut, garbage, empty, other_text])
@pytest.mark.parametrize("kind", ARRAYS, ids=lambda kind: kind.name)
def test_damaged_file_of_the_users_is_theirs_to_write_again(kind, damage, originals, tmp_path):
    path = tmp_path / kind.name
    path.write_bytes(damage(originals[kind.name]))
    with pytest.raises(UserError, match=r"^[^\n]*mouse\.npz: damaged[^\n]*write the file again$"):
        kind.read(path)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_missing_file_is_named_and_one_of_the_results_is_to_be_made(kind, tmp_path):
    with pytest.raises(UserError, match=r"no such file; correct the path$"):
        kind.read(tmp_path / kind.name)
    for folder in ("logs", "aligned"):
        (tmp_path / folder).mkdir(exist_ok=True)
    with pytest.raises(UserError, match=r"no such file; run the stage that writes it$"):
        kind.read(tmp_path / kind.name)


@contextmanager
def full_disk() -> Iterator[None]:
    """Let this process write no file beyond 64 bytes, which writers meet as they do a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        *((kind.name, kind.write) for kind in KINDS if kind.name in ("raw.h5", "aligned.h5", "truth.h5", "metrics.csv")),
        ("best.yaml", lambda path: write_best(path, BestTrial(skipped="because " * 20))),
        ("units.parquet", lambda path: write_parquet(path, pd.DataFrame({"unit": range(100)}))),
        ("best.safetensors", lambda path: write_checkpoint(path, Checkpoint(), {"weight": torch.zeros(100)})),
    ],
)  # fmt: skip
def test_full_disk_leaves_the_old_file_and_nothing_else(name, write, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"old")
    with full_disk(), pytest.raises(UserError) as caught:
        write(path)
    assert str(caught.value) == f"{path}: cannot be written, no space left; make room and run snakemake again"
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert path.read_bytes() == b"old"


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    """But not what one that still runs, or one of another machine, is writing."""
    writer = subprocess.Popen(["sleep", "60"])
    running, other, killed = (
        tmp_path / f".table.{host}.{pid}.partial.csv"
        for host, pid in ((platform.node(), writer.pid), ("elsewhere", 1), (platform.node(), 2**22 + 1))
    )
    for leftover in (running, other, killed):
        leftover.write_text("half")
    write_csv(tmp_path / "table.csv", pd.DataFrame({"a": [1]}))
    writer.kill()
    writer.wait()
    assert set(tmp_path.iterdir()) == {running, other, tmp_path / "table.csv"}


@pytest.mark.parametrize("name", ["own.npz", "own.nwb", "own.h5"])
def test_a_recording_of_ones_own_is_never_to_be_deleted(name, tmp_path):
    """Named by mistake where a file of the workflow is meant."""
    if name == "own.npz":
        np.savez(tmp_path / name, spikes=np.zeros((3, 4, 5)))
    else:
        with h5py.File(tmp_path / name, "w") as handle:
            handle["spikes"] = np.zeros((3, 4, 5))
    for read in (read_aligned, read_raw, load_network):
        with pytest.raises(
            UserError, match=rf"{name}: no file that the workflow made .* name the one that is meant"
        ) as refused:
            read(tmp_path / name)
        assert "rm " not in str(refused.value)
