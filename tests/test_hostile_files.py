"""Files and sheets that take more than they should: data of other files, memory, the same recording twice."""

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest

from neds.errors import UserError
from neds.files.aligned import read_aligned, write_aligned
from neds.files.raw import read_raw, write_raw
from neds.roster import read_sheet
from tests import other_formats as formats
from tests.aligned_sessions import make_session
from tests.test_arrays import example, run, save
from tests.test_conversion import converted
from tests.test_imperfect_files import one_line
from tests.test_partition import recording


def arrays_file(path: Path) -> None:
    save(path, {key: np.asarray(value) for key, value in example().items()})


READERS = {
    "arrays": (arrays_file, lambda path: run(path.parent, path), "wheel_speed", "mine.h5"),
    "raw": (lambda path: write_raw(path, recording()), read_raw, "spikes/times", "raw.h5"),
    "aligned": (lambda path: write_aligned(path, make_session()), read_aligned, "values/wheel_speed", "aligned.h5"),
    "brainsets": (
        formats.write_brainsets,
        lambda path: converted(path, "brainsets", formats.BRAINSETS),
        "treadmill/speed",
        "s.h5",
    ),
    "nwb": (
        formats.write_nwb,
        lambda path: converted(path, "nwb", formats.NWB),
        "processing/behavior/treadmill/speed/data",
        "s.nwb",
    ),
}


def external_link(handle: h5py.File, place: str, other: Path) -> None:
    handle[place] = h5py.ExternalLink(str(other), "/secret")


def external_storage(handle: h5py.File, place: str, other: Path) -> None:
    handle.create_dataset(place, shape=(4,), dtype="f8", external=[(str(other), 0, 32)])


def virtual(handle: h5py.File, place: str, other: Path) -> None:
    layout = h5py.VirtualLayout(shape=(4,), dtype="f8")
    layout[:] = h5py.VirtualSource(str(other), "secret", shape=(4,))
    handle.create_virtual_dataset(place, layout)


def bomb(handle: h5py.File, place: str, other: Path) -> None:
    handle.create_dataset(place, shape=(4 * 10**10,), dtype="f8", chunks=(1000,), compression="gzip")


def bomb_of_one_chunk(handle: h5py.File, place: str, other: Path) -> None:
    options = {"maxshape": (None,), "chunks": (5 * 10**8,), "compression": "gzip"}
    handle.create_dataset(place, shape=(4,), dtype="f8", **options)


FOREIGN = {
    external_link: "is a link to another file",
    external_storage: "has its data in another file",
    virtual: "is a virtual dataset",
    bomb_of_one_chunk: r"4\.0 GB, in",
    bomb: r"320\.0 GB, in a file of \d+ bytes",
}


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
@pytest.mark.parametrize("kind", READERS)
def test_data_of_other_files_and_bombs_are_refused_wherever_hdf5_is_read(kind, make, tmp_path):
    write, read, place, name = READERS[kind]
    path, other = tmp_path / name, tmp_path / "other.h5"
    write(path)
    read(path)
    with h5py.File(other, "w") as handle:
        handle["secret"] = np.arange(4.0)
    with h5py.File(path, "r+") as handle:
        del handle[place]
        make(handle, place, other)
    with pytest.raises(UserError, match=FOREIGN[make]) as caught:
        read(path)
    assert str(path) in one_line(caught) and place in one_line(caught)


def test_an_archive_that_asks_for_more_than_it_holds_is_refused(tmp_path):
    arrays_file(tmp_path / "mine.npz")
    content = (tmp_path / "mine.npz").read_bytes()
    header = b"(60, 20)"
    assert header in content
    (tmp_path / "mine.npz").write_bytes(content.replace(header, b"(6, 9e9)"))
    with pytest.raises(UserError, match=r"mine\.npz") as caught:
        run(tmp_path, tmp_path / "mine.npz")
    one_line(caught)


SHEETS = {
    "lists no session below its header": "eid\trole\tpath\n",
    "eid '-a' may hold letters, digits, - and _ only, and may not begin with -": "eid\trole\tpath\n-a\ttest\ts.nwb\n",
    "path must be one column": "eid\trole\tpath\tpath\na\ttest\ts.nwb\tt.nwb\n",
    "linked must be one column, written so": "eid\trole\tpath\tLinked\na\ttest\ts.nwb\tt.nwb\n",
    "sessions a and b are one recording (./s.nwb); list it once": "eid\trole\tpath\na\ttrain\ts.nwb\nb\ttest\t./s.nwb\n",
    "sessions a and b are one recording (link.nwb)": "eid\trole\tpath\na\ttrain\ts.nwb\nb\ttest\tlink.nwb\n",
}


def test_a_copy_of_a_file_is_the_same_recording_and_a_file_of_the_same_size_is_not(tmp_path):
    content = np.random.default_rng(0).bytes(300_000)
    for name, data in {"s": content, "copy": content, "other": content[:150_000] + b"x" + content[150_001:]}.items():
        (tmp_path / f"{name}.npz").write_bytes(data)
    rows = [f"{name}\t{role}\t{name}.npz\n" for name, role in (("s", "train"), ("copy", "test"), ("other", "test"))]
    (tmp_path / "sheet.tsv").write_text("eid\trole\tpath\n" + "".join(rows))
    _, faults = read_sheet(tmp_path / "sheet.tsv", source="aligned")
    assert faults == [f"{tmp_path / 'sheet.tsv'}: sessions s and copy are one recording (copy.npz); list it once"]


@pytest.mark.parametrize("fault", SHEETS)
def test_a_faulty_sheet_is_one_line_a_fault(tmp_path, fault):
    (tmp_path / "s.nwb").write_text("x")
    (tmp_path / "link.nwb").symlink_to(tmp_path / "s.nwb")
    (tmp_path / "sheet.tsv").write_text(SHEETS[fault])
    _, faults = read_sheet(tmp_path / "sheet.tsv", source="nwb")
    assert len(faults) == 1 and fault in faults[0]


def test_paths_with_spaces_and_quotes_are_taken_as_they_stand(tmp_path):
    names = ["my data/s 1.nwb", "o'neil.nwb", 'a "b".nwb']
    rows = [["eid", "role", "path"], *([f"s{i}", "test", name] for i, name in enumerate(names))]
    with open(tmp_path / "sheet.tsv", "w", newline="") as handle:
        csv.writer(handle, delimiter="\t").writerows(rows)
    sessions, faults = read_sheet(tmp_path / "sheet.tsv", source="nwb")
    assert [session.path for session in sessions] == names and not faults


def nwb_with_linked_series(folder: Path, *, link: str = "") -> tuple[Path, Path]:
    """A session whose series lies in another file, through a link as pynwb writes them; and that file."""
    path, other = folder / "s.nwb", folder / "behaviour" / "speed.nwb"
    other.parent.mkdir()
    formats.write_nwb(path)
    formats.write_nwb(other)
    place = "processing/behavior/treadmill/speed"
    with h5py.File(path, "r+") as handle:
        del handle[place]
        handle[place] = h5py.ExternalLink(link or "behaviour/speed.nwb", f"/{place}")
    return path, other


def test_a_link_is_followed_to_a_file_that_the_sheet_names_and_to_no_other(tmp_path):
    path, other = nwb_with_linked_series(tmp_path)
    direct = converted(other, "nwb", formats.NWB)
    raw = converted(path, "nwb", formats.NWB, linked=[other])
    np.testing.assert_array_equal(raw.traces["wheel_speed"].values, direct.traces["wheel_speed"].values)
    assert [entry["name"] for entry in raw.provenance["datasets"]] == ["s.nwb", "speed.nwb"]
    for linked in ([], [path], [formats.write_nwb(tmp_path / "third.nwb")]):
        with pytest.raises(UserError, match="name it in the column `linked` of the sessions sheet") as caught:
            converted(path, "nwb", formats.NWB, linked=linked)
        one_line(caught)


def test_what_a_linked_file_holds_is_judged_as_the_file_itself(tmp_path):
    path, other = nwb_with_linked_series(tmp_path)
    with h5py.File(other, "r+") as handle:
        handle["scratch/more"] = h5py.ExternalLink("third.h5", "/secret")
    with pytest.raises(UserError, match="/scratch/more is a link to another file") as caught:
        converted(path, "nwb", formats.NWB, linked=[other])
    assert str(other) in one_line(caught)


def test_a_link_whose_file_is_not_beside_is_not_looked_for_elsewhere(tmp_path, monkeypatch):
    """HDF5 itself would also look in the current folder, and where the environment says."""
    path, other = nwb_with_linked_series(tmp_path, link="speed.nwb")
    monkeypatch.chdir(other.parent)
    with pytest.raises(UserError, match="is a link to another file"):
        converted(path, "nwb", formats.NWB, linked=[other])
    (tmp_path / "again").mkdir()
    path, other = nwb_with_linked_series(tmp_path / "again")
    monkeypatch.setenv("HDF5_EXT_PREFIX", str(tmp_path))
    with pytest.raises(UserError, match="is a link to another file"):
        converted(path, "nwb", formats.NWB, linked=[other])


def test_linked_files_are_read_from_the_sheet(tmp_path):
    (tmp_path / "sheet.tsv").write_text("eid\trole\tpath\tlinked\na\ttest\ts.nwb\tb.nwb; more/c.nwb\n")
    sessions, faults = read_sheet(tmp_path / "sheet.tsv", source="nwb")
    assert sessions[0].linked == ("b.nwb", "more/c.nwb") and not faults
    _, faults = read_sheet(tmp_path / "sheet.tsv", source="brainsets")
    assert len(faults) == 1 and "linked is for source nwb" in faults[0]
