"""Every output can say what made it, and its readers do not mind."""

import json
import logging
import os
import struct
import zlib

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from neds.commands.job import run_job
from neds.commands.table import command_named
from neds.evaluation.results import METRIC_COLUMNS
from neds.evaluation.tables import write_metrics_table
from neds.figures.save import save_figure
from neds.files.aligned import read_aligned, write_aligned
from neds.files.atomic import write_csv, write_parquet
from neds.files.tables import read_csv, read_parquet
from neds.modalities import PAPER
from neds.model.checkpoint import Checkpoint, load_network, read_checkpoint, write_checkpoint
from neds.model.modes import preset
from neds.model.network import NEDS, Design
from neds.model.settings import MaskingSettings, ModelSettings
from neds.model.stitching import SessionShape
from neds.provenance import (
    InputRecord,
    SourceRecord,
    Stamp,
    can_hold,
    content_digest,
    identity,
    metadata_path,
    read_stamp,
    software_in_use,
    source_record,
    write_metadata,
    write_stamp,
)
from neds.tables.page import table_page
from neds.training.stage import TrainingRun
from neds.tuning.best import BestTrial, with_best, write_best
from tests.aligned_sessions import make_session

TABLE = pd.DataFrame({"model": ["linear", "é"], "value": [0.25, np.nan]})


def stamp(n_inputs: int = 2, **values) -> Stamp:
    return Stamp(
        command="partition",
        values={"awkward": '--> -- <!-- \\ " \n é %%EOF', "bin_s": 0.02, "none": None, **values},
        code="0123456789abcdef",
        inputs={"raw": [InputRecord("a" * 32, "b" * 64)] * n_inputs, "arrays": [InputRecord("", "c" * 64)]},
        sources=[SourceRecord("spikes.npy", 10, 1_700_000_000_000_000_000, "d" * 64)],
        versions=software_in_use(),
        content="e" * 64,
    )


def write_h5(path):
    write_aligned(path, make_session())


def read_h5(path):
    session = read_aligned(path)
    return session.eid, {name: array.tolist() for name, array in session.values.items()}


def write_safetensors(path):
    modalities = {name: PAPER[name] for name in ("spikes", "choice")}
    design = Design(
        ModelSettings(dim=8, heads=2, mlp=8, layers=1), modalities, preset("mm", modalities, MaskingSettings()), 5
    )
    shape = SessionShape("mouse1", {"spikes": 3})
    model = NEDS(design, [shape])
    write_checkpoint(path, Checkpoint(design=design, sessions=[shape], record={"seed": 1}), model.state_dict())


def read_safetensors(path):
    weights = {name: tensor.tolist() for name, tensor in read_checkpoint(path)[1].items()}
    return weights, load_network(path)[1].record


def write_figure(path):
    fig, ax = plt.subplots()
    ax.plot([1, 2])
    save_figure(fig, path.with_suffix(""), TABLE)
    plt.close(fig)


def read_png(path):
    with Image.open(path) as image:
        image.verify()
    return plt.imread(path).tobytes()


def read_pdf(path):
    """What a reader does: from the end to the table of objects, and from there to each of them."""
    content = path.read_bytes()
    tail = content[-1024:]
    assert tail.rstrip().endswith(b"%%EOF")
    start = int(tail.split(b"startxref\n")[1].split()[0])
    table = content[start:].split(b"trailer")[0].splitlines()
    assert table[0] == b"xref"
    offsets = [int(line.split()[0]) for line in table[2:] if line.endswith(b" n ")]
    assert all(content[offset:].split(b" ", 2)[2].startswith(b"obj") for offset in offsets)
    return len(offsets), content[:start]


WRITERS = {
    ".h5": (write_h5, read_h5),
    ".safetensors": (write_safetensors, read_safetensors),
    ".parquet": (lambda path: write_parquet(path, TABLE), lambda path: read_parquet(path).to_json()),
    ".png": (write_figure, read_png),
    ".pdf": (write_figure, read_pdf),
    ".html": (lambda path: path.write_text(table_page(TABLE, title="Scores")), lambda path: path.read_text()[:200]),
    ".md": (lambda path: path.write_text("| a |\n|---|\n"), lambda path: path.read_text()[:10]),
    ".tex": (lambda path: path.write_text("\\begin{tabular}\n\\end{tabular}\n"), lambda path: path.read_text()[:30]),
    ".yaml": (
        lambda path: write_best(path, BestTrial(score=0.5, trial=3, training={"lr": 0.002})),
        lambda path: with_best(TrainingRun(mode="mm", modalities=["spikes", "choice"]), path).training.lr,
    ),
}


@pytest.fixture(params=WRITERS)
def made(request, tmp_path):
    """A file of each kind as the project writes it, and how the project reads it."""
    path = tmp_path / f"file{request.param}"
    write, read = WRITERS[request.param]
    write(path)
    return path, read


def test_stamped_file_says_what_made_it_and_reads_as_before(made):
    path, read = made
    before = read(path)
    assert can_hold(path) and read_stamp(path) is None
    # Longer than an attribute of HDF5, a line of TeX, or the end of a PDF may be; then shorter again.
    for wanted in (stamp(), stamp(5000), stamp(1, text="other")):
        write_stamp(path, wanted)
        assert read_stamp(path) == wanted
        assert read(path) == before


def test_same_stamp_same_bytes(made, tmp_path):
    path, _ = made
    other = tmp_path / f"other{path.suffix}"
    other.write_bytes(path.read_bytes())
    for each in (path, other):
        write_stamp(each, stamp())
    assert content_digest(path) == content_digest(other)


def test_damaged_file_has_no_stamp(made):
    path, _ = made
    write_stamp(path, stamp())
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for content in (
        b"",
        b"\0" * 100,
        whole[:10],
        whole[: len(whole) // 2],
        whole[-20:],
        whole + b"\n" * 3,
        b"\xff" * 50_000,
    ):
        path.write_bytes(content)
        assert read_stamp(path) in (None, stamp())
    path.write_bytes(whole)
    for _ in range(30):
        broken = bytearray(whole)
        for at in rng.integers(0, len(broken), 3):
            broken[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        read_stamp(path)
    path.unlink()
    assert read_stamp(path) is None
    path.mkdir()
    assert read_stamp(path) is None
    path.rmdir()
    os.mkfifo(path)
    assert read_stamp(path) is None


HOSTILE = [
    "null",
    "[]",
    "{}",
    '{"command": 1}',
    "[" * 100_000,
    json.dumps({**json.loads('{"a": 1}'), "__class__": "os.system"}),
    json.dumps({"command": "x", "values": [], "code": "", "inputs": {}, "sources": []}),
    json.dumps({"command": ["x"], "values": {}, "code": "", "inputs": {}, "sources": []}),
    json.dumps(
        {"command": "x", "values": {}, "code": "", "inputs": {"a": [{"identity": 1, "content": ""}]}, "sources": []}
    ),
    json.dumps({"command": "x", "values": {}, "code": "", "inputs": {"a": 7}, "sources": []}),
    json.dumps({"command": "x", "values": {}, "code": "", "inputs": {}, "sources": [], "versions": {"torch": {}}}),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_stamp_is_none(made, text):
    from neds.provenance.places import PLACES

    path, _ = made
    PLACES[path.suffix].write(path, text)
    assert read_stamp(path) is None


def test_hostile_hdf5_file_has_no_stamp(tmp_path):
    path = tmp_path / "file.h5"
    secret = tmp_path / "secret"
    secret.write_text("x" * 100)
    for make in (
        lambda file: file.create_group("neds_made"),
        lambda file: file.create_dataset("neds_made", data=np.zeros(3)),
        lambda file: file.create_dataset("neds_made", shape=(2**50,), dtype=np.uint8, chunks=(1024,)),
        lambda file: file.create_dataset("neds_made", data=np.zeros(10**7, np.uint8), compression="gzip"),
        lambda file: file.create_dataset("neds_made", shape=(100,), dtype=np.uint8, external=[(str(secret), 0, 100)]),
        lambda file: file.__setitem__("neds_made", h5py.ExternalLink(str(secret), "/x")),
        lambda file: file.__setitem__("neds_made", h5py.SoftLink("/neds_made")),
    ):
        with h5py.File(path, "w") as file:
            make(file)
        assert read_stamp(path) is None


def test_hostile_sizes_are_not_believed(tmp_path):
    tensors = tmp_path / "file.safetensors"
    tensors.write_bytes(struct.pack("<Q", 2**60) + b"{}")
    assert read_stamp(tensors) is None
    tensors.write_bytes(struct.pack("<Q", 2) + b"[]")
    assert read_stamp(tensors) is None
    picture = tmp_path / "file.png"
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + b"\0" * 17
    picture.write_bytes(
        header + struct.pack(">I", 2**31) + b"tEXtneds_made\0" + b"{}" + struct.pack(">I", zlib.crc32(b""))
    )
    assert read_stamp(picture) is None
    table = tmp_path / "file.parquet"
    table.write_bytes(b"PAR1" + struct.pack("<I", 2**31) + b"PAR1")
    assert read_stamp(table) is None


def test_csv_has_its_stamp_beside_it(tmp_path):
    path = tmp_path / "metrics.csv"
    write_csv(path, TABLE)
    assert not can_hold(path)
    with pytest.raises(ValueError, match="cannot hold a stamp"):
        write_stamp(path, stamp())
    made = Stamp("metrics-table", {}, "0" * 16, content=content_digest(path))
    write_metadata(path, made)
    assert metadata_path(path) == tmp_path / "metrics.csv-metadata.json"
    assert read_stamp(path) == made
    assert json.loads(metadata_path(path).read_text())["url"] == "metrics.csv"
    pd.testing.assert_frame_equal(read_csv(path), TABLE)
    write_csv(path, TABLE.assign(value=1.0))
    assert read_stamp(path) is None, "the stamp is that of another content"
    metadata_path(path).write_text("{}")
    assert read_stamp(path) is None


def test_best_yaml_still_ends_as_it_should(tmp_path):
    path = tmp_path / "best.yaml"
    write_best(path, BestTrial(skipped="no usable session"))
    write_stamp(path, stamp())
    assert path.read_text().endswith("...\n") and yaml.safe_load(path.read_text()) == {"skipped": "no usable session"}


def test_a_file_from_outside_is_known_by_its_size_and_its_bytes(tmp_path):
    path = tmp_path / "mouse1.h5"
    write_h5(path)
    found = source_record(path, name="raw/mouse1.h5")
    assert (found.name, found.size, found.sha256) == ("raw/mouse1.h5", path.stat().st_size, content_digest(path))


def test_identity_is_what_a_result_depends_on():
    made = {
        "command": "partition",
        "values": {"a": 1, "b": {"c": [1, 2]}},
        "code": "0" * 16,
        "inputs": {"raw": ["x", "y"]},
    }
    same = identity(**made)
    assert len(same) == 32 and int(same, 16)
    assert identity(**made | {"values": {"b": {"c": [1, 2]}, "a": 1}}) == same
    for change in (
        {"command": "other"},
        {"values": {"a": 2, "b": {"c": [1, 2]}}},
        {"values": {"a": 1, "b": {"c": [2, 1]}}},
        {"code": "1" * 16},
        {"inputs": {"raw": ["y", "x"]}},
        {"inputs": {"other": ["x", "y"]}},
        {"output": "last"},
    ):
        assert identity(**made | change) != same
    one = stamp()
    assert one.identity == identity(one.command, one.values, one.code, {"raw": ["a" * 32] * 2, "arrays": ["c" * 64]}), (
        "what the stamp says is what the plan computes, versions and content aside"
    )


def test_threads_of_a_job_are_on_record_and_make_nothing_stale(tmp_path, caplog):
    metrics = tmp_path / "metrics.csv"
    write_csv(metrics, pd.DataFrame(columns=METRIC_COLUMNS))
    table, threads = command_named("metrics-table"), torch.get_num_threads()
    caplog.set_level(logging.INFO)
    made = []
    for number in (1, 2):
        torch.set_num_threads(number)
        run_job(table, write_metrics_table, {"metrics": [metrics], "output": tmp_path / f"{number}.csv"})
        made.append(read_stamp(tmp_path / f"{number}.csv"))
    torch.set_num_threads(threads)
    assert [one.threads for one in made] == [1, 2] and made[0].identity == made[1].identity
    assert "computed with 2 threads" in caplog.text
