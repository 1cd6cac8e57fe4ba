"""NWB and brainsets files that stay on a server, of which only what is read is fetched."""

import hashlib
import logging
import re
import shlex
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from neds.benchmark.protocol import TASKS
from neds.benchmark.recording import opened
from neds.benchmark.sheet import write_sheet
from neds.commands.check import check_run
from neds.commands.cli import main
from neds.commands.size import download_size
from neds.config.load import load_config
from neds.conversion.session_file import session_file
from neds.conversion.settings import ConvertRun
from neds.conversion.stage import convert
from neds.download import ranges, retries
from neds.download.listing import listed
from neds.download.sizes import readable_size
from neds.errors import UserError
from neds.files.addresses import address_fault, where_buckets_lie
from neds.files.raw import RawSession, read_raw
from neds.plan.benchmark import left_out_tasks
from neds.plan.opened import OpenedPlan
from neds.plan.plan import Plan
from neds.plan.step import Step, options
from neds.roster import read_sheet
from tests import brain_wide_bench as bench
from tests import other_formats as formats
from tests.file_server import FileServer, serving
from tests.test_conversion import OF_TASK

EXAMPLE = Path(__file__).parents[1] / "docs/examples/brain_wide_bench.yaml"
MAPPINGS = {"nwb": formats.NWB, "brainsets": formats.BRAINSETS}
UNREAD_BYTES = 24 * 2**20


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(retries, "WAITS_S", (0, 0))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Path:
    """Files of both formats, with a large array in each that nobody reads."""
    folder = tmp_path_factory.mktemp("server") / "bucket"
    folder.mkdir()
    files = {
        "nwb": formats.write_nwb(folder / "a session.nwb"),
        "brainsets": formats.write_brainsets(folder / "session.h5"),
    }
    noise = np.random.default_rng(0).bytes(UNREAD_BYTES)
    with h5py.File(files["brainsets"], "r+") as handle:
        handle["video"] = np.frombuffer(noise, np.uint8)
    with h5py.File(files["nwb"], "r+") as handle:
        series = handle["processing/behavior/Position/hand"]
        handle.copy(series, handle["acquisition"], "video")
        del handle["acquisition/video/data"]
        video = handle["acquisition/video"].create_dataset("data", data=np.frombuffer(noise, "f8")[:, None])
        for name, value in series["data"].attrs.items():
            video.attrs[name] = value
    return folder


@pytest.fixture
def server(bucket):
    with serving(bucket.parent) as own:
        yield own


NAMES = {"nwb": "a session.nwb", "brainsets": "session.h5"}


def converted(kind: str, output: Path, **place: object) -> RawSession:
    settings = ConvertRun(modalities=list(OF_TASK.values()), mapping=MAPPINGS[kind])
    convert(format=kind, eid="one", settings=settings, output=output, **place)
    return read_raw(output)


def address(server: FileServer, kind: str = "brainsets") -> str:
    return f"{server.url}/bucket/{NAMES[kind].replace(' ', '%20')}"


def assert_same_session(raw: RawSession, expected: RawSession):
    np.testing.assert_array_equal(raw.spike_times, expected.spike_times)
    np.testing.assert_array_equal(raw.spike_units, expected.spike_units)
    for table in ("units", "trials"):
        assert getattr(raw, table).equals(getattr(expected, table))
    assert raw.traces.keys() == expected.traces.keys()
    for name, trace in expected.traces.items():
        np.testing.assert_array_equal(raw.traces[name].times, trace.times)
        np.testing.assert_array_equal(raw.traces[name].values, trace.values)
    assert raw.provenance["problems"] == expected.provenance["problems"] == {}


@pytest.mark.parametrize("kind", MAPPINGS)
@pytest.mark.parametrize("scheme", ["http", "s3"])
def test_a_file_on_a_server_is_the_same_session_and_what_is_not_read_is_not_fetched(
    kind, scheme, server, bucket, tmp_path, monkeypatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    place = address(server, kind) if scheme == "http" else f"s3://bucket/{NAMES[kind]}"
    raw = converted(kind, tmp_path / "remote.h5", address=place)
    assert_same_session(raw, converted(kind, tmp_path / "local.h5", file=bucket / NAMES[kind]))
    size = (bucket / NAMES[kind]).stat().st_size
    assert size > UNREAD_BYTES and server.n_bytes() < size / 4
    (entry,) = raw.provenance["datasets"]
    assert (entry["name"], entry["size"], entry["in_parts"]) == (place, size, True)
    assert len(entry["etag"]) == 32


@pytest.mark.parametrize("kind", MAPPINGS)
def test_passing_faults_are_overcome(kind, server, bucket, tmp_path):
    path = f"/bucket/{NAMES[kind]}"
    server.faults[path] = ["drop", "fine", "truncate", 503]
    raw = converted(kind, tmp_path / "remote.h5", address=address(server, kind))
    assert not server.faults[path]
    assert_same_session(raw, converted(kind, tmp_path / "local.h5", file=bucket / NAMES[kind]))


@pytest.mark.parametrize("kind", MAPPINGS)
@pytest.mark.parametrize("n_fine", [1, 2, 3])
def test_a_server_that_breaks_off_for_good_is_one_line_and_no_session(kind, n_fine, server, tmp_path, monkeypatch):
    """Whatever it was that was read, and not a damaged file, which readers of the formats would take it for."""
    monkeypatch.setattr(ranges, "BLOCK_BYTES", 2**12)
    server.faults[f"/bucket/{NAMES[kind]}"] = [*["fine"] * n_fine, *["truncate"] * 1000]
    with pytest.raises(UserError, match=f"^{address(server, kind)}: cannot be read, at every attempt") as caught:
        converted(kind, tmp_path / "remote.h5", address=address(server, kind))
    assert "\n" not in str(caught.value) and not (tmp_path / "remote.h5").exists()


@pytest.mark.parametrize(
    "fault, said",
    [
        (404, "its server has no such file"),
        (403, "the server refuses it"),
        (418, "the server says 418"),
    ],
)
def test_what_no_waiting_mends_is_said_at_once(fault, said, server, tmp_path):
    server.faults["/bucket/session.h5"] = [fault, "fine"]
    with pytest.raises(UserError, match=said) as caught:
        converted("brainsets", tmp_path / "remote.h5", address=address(server))
    assert str(caught.value).startswith(address(server)) and "\n" not in str(caught.value)
    assert server.faults["/bucket/session.h5"] == ["fine"]


def test_a_server_that_leads_elsewhere_is_followed_over_https_only(server, bucket, tmp_path):
    with serving(bucket.parent) as other:
        elsewhere = address(other)
        server.faults["/bucket/session.h5"] = [elsewhere]
        with pytest.raises(UserError, match=f"leads to {elsewhere}, which is not https, and is not followed"):
            converted("brainsets", tmp_path / "remote.h5", address=address(server))
        assert not other.parts


def test_a_server_without_ranges_is_told(server, tmp_path):
    server.gives_parts = False
    with pytest.raises(UserError, match="gives whole files only; download it and name the copy"):
        converted("brainsets", tmp_path / "remote.h5", address=address(server))


def test_a_file_that_is_replaced_while_it_is_read_is_refused(server, bucket, tmp_path):
    copy = bucket / "changing.h5"
    copy.write_bytes((bucket / "session.h5").read_bytes())

    def replace_it(number: int):
        if number == 1:
            copy.write_bytes(copy.read_bytes()[:-1] + b"!")

    server.before = replace_it
    with pytest.raises(UserError, match=r"changing\.h5: was replaced on its server while it was read; run again"):
        converted("brainsets", tmp_path / "remote.h5", address=f"{server.url}/bucket/changing.h5")
    copy.unlink()


def test_a_file_of_another_version_than_the_sheet_says_is_refused(server, tmp_path):
    with pytest.raises(
        UserError, match=r"session\.h5: is another file than the sessions sheet says \(etag abc, on its"
    ):
        converted("brainsets", tmp_path / "remote.h5", address=address(server), etag="abc")
    assert server.n_bytes() == 1


def test_another_version_in_the_sheet_makes_the_session_stale_and_the_server_is_asked_by_jobs_alone(
    server, bucket, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        yaml.safe_dump(
            {
                "source": "brainsets",
                "sessions": "sheet.tsv",
                "regimes": ["scratch"],
                "modalities": list(OF_TASK),
                "custom_modalities": {"hand": {"kind": "continuous", "width": 2}},
                "brainsets": formats.BRAINSETS,
                "partition": {"align": "cue", "trial_rule": "all"},
            }
        )
    )

    def planned(etag: str) -> tuple[OpenedPlan, Step]:
        Path("sheet.tsv").write_text(f"eid\trole\tpath\tetag\none\ttest\t{address(server)}\t{etag}\n")
        opened = OpenedPlan(load_config([Path("mine.yaml")]), is_main=True)
        opened.stale_files()
        return opened, opened.plan.step("convert", {"eid": "one"})

    etag = hashlib.md5((bucket / "session.h5").read_bytes()).hexdigest()
    opened, step = planned(etag)
    assert opened.reason(step) == "missing" and not opened.absent_files(step.outputs.values())
    assert not server.parts
    words = shlex.split(f"{options(step.outputs)} {options(step.values)}")
    monkeypatch.setattr(sys, "argv", ["neds", step.command, *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code and server.parts
    server.parts.clear()
    assert opened_reason(planned(etag)) == ""
    assert opened_reason(planned("abc")) == f"etag {etag} -> abc"
    assert not server.parts, "nothing is asked of a server when a plan is made"


def test_size_and_check_tell_of_files_on_servers(server, bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = {"source": "brainsets", "sessions": "sheet.tsv", "regimes": ["scratch"]}
    values |= {"modalities": list(OF_TASK), "brainsets": formats.BRAINSETS}
    values |= {"custom_modalities": {"hand": {"kind": "continuous", "width": 2}}}
    Path("mine.yaml").write_text(yaml.safe_dump(values | {"partition": {"align": "cue", "trial_rule": "all"}}))
    sheet = f"eid\trole\tpath\none\ttest\t{address(server)}\n"
    Path("sheet.tsv").write_text(sheet)
    size = readable_size((bucket / "session.h5").stat().st_size)
    assert download_size(configfile=Path("mine.yaml")).startswith(
        f"1 file on servers, {size} at most: only what is used"
    )
    assert server.n_bytes() == 1
    assert "1 file on servers: not looked at" in check_run(configfile=[Path("mine.yaml")], files="none")
    assert server.n_bytes() == 1
    Path("sheet.tsv").write_text(sheet.replace(address(server), "here.h5"))
    with pytest.raises(UserError, match="source brainsets downloads nothing; name a configuration of source one"):
        download_size(configfile=Path("mine.yaml"))


def opened_reason(planned: tuple[OpenedPlan, Step]) -> str:
    opened, step = planned
    return opened.reason(step)


@pytest.mark.parametrize(
    "source, path, said",
    [
        ("brainsets", "http://example.org/a.h5", "files are read from https:// and s3:// only; download it"),
        ("brainsets", "ftp://example.org/a.h5", "files are read from https:// and s3:// only; download it"),
        ("brainsets", "https://me:secret@example.org/a.h5", "has an account in it"),
        ("brainsets", "s3:/bucket/a.h5", "is neither an address nor a path; write s3://bucket/a.h5"),
        ("brainsets", "s3://bucket", "names no object in a bucket; write s3://BUCKET/KEY"),
        ("aligned", "https://example.org/a.h5", "files of source aligned are read from this computer only"),
    ],
)
def test_an_address_that_is_not_read_is_a_fault_of_the_sheet(source, path, said, tmp_path):
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text(f"eid\trole\tpath\none\ttest\t{path}\n")
    (fault,) = read_sheet(sheet, source=source)[1]
    assert said in fault and path in fault


def test_a_sheet_names_an_address_once_and_its_version(tmp_path):
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text(
        "eid\trole\tpath\tetag\none\ttest\ts3://b/a.h5\tabc\ntwo\ttrain\ts3://b/a.h5\t\nthree\ttest\tc.h5\td\n"
    )
    sessions, faults = read_sheet(sheet, source="brainsets")
    assert (sessions[0].path, sessions[0].etag) == ("s3://b/a.h5", "abc")
    assert any("sessions one and two are one recording" in fault for fault in faults)
    assert any("etag is for a path that is an address" in fault for fault in faults)


@pytest.fixture
def published(tmp_path):
    """Two evaluation sessions and one to pretrain on, as the benchmark's folder has them."""
    folder = tmp_path / "open" / "v1"
    for name in ("eval/aaaa.h5", "eval/bbbb.h5", "eval/notes.txt", "pretrain/cccc.h5"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return tmp_path


def test_the_sheet_of_a_bucket_has_addresses_and_versions(published, monkeypatch):
    with serving(published) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        server.page = 1
        write_sheet(folder="s3://open/v1", output=published / "sheet.tsv", pretrain=True)
        assert list(listed("s3://open/v1/eval/")) == [
            f"s3://open/v1/eval/{name}" for name in ("aaaa.h5", "bbbb.h5", "notes.txt")
        ]
    sessions, faults = read_sheet(published / "sheet.tsv", source="brainsets")
    assert not faults
    assert [(session.eid, session.role, session.path) for session in sessions] == [
        ("aaaa", "test", "s3://open/v1/eval/aaaa.h5"),
        ("bbbb", "test", "s3://open/v1/eval/bbbb.h5"),
        ("cccc", "train", "s3://open/v1/pretrain/cccc.h5"),
    ]
    assert all(len(session.etag) == 32 for session in sessions)


def test_the_sheet_of_a_web_folder_has_addresses(published):
    with serving(published) as server:
        write_sheet(folder=f"{server.url}/open/v1", output=published / "sheet.tsv")
        sessions, faults = read_sheet(published / "sheet.tsv", source="brainsets")
        assert not faults and [session.path for session in sessions] == [
            f"{server.url}/open/v1/eval/{name}.h5" for name in ("aaaa", "bbbb")
        ]
        with pytest.raises(UserError, match="its server has no such file"):
            write_sheet(folder=f"{server.url}/open/v2", output=published / "other.tsv")
        with pytest.raises(UserError, match=r"/open: holds no eval/<eid>.h5, but v1; name the folder that has eval"):
            write_sheet(folder=f"{server.url}/open", output=published / "other.tsv")


def test_a_bucket_without_the_benchmarks_files_is_told_with_what_it_holds(published, monkeypatch):
    def said(folder: str) -> str:
        with pytest.raises(UserError) as refused:
            write_sheet(folder=folder, output=published / "sheet.tsv")
        return str(refused.value)

    with serving(published) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        assert said("s3://open").startswith("s3://open: holds no eval/<eid>.h5, but v1/; name the folder that has")
        nothing = said("s3://opne/v1")
        assert "holds no eval/<eid>.h5 and nothing else; buckets are looked for at 127.0.0.1:" in nothing
        assert "which AWS_ENDPOINT_URL_S3 names; name the folder" in nothing
        server.faults["/gone/"] = [404, 404]
        assert "no such file or folder (404); correct the address; buckets are looked for at 127" in said("s3://gone")
    accounts = "https://key:secret@store.org", "https://key:se/cret@store.org", "https://key:se#cret@store.org"
    for endpoint in ("store:9000", "http://store.org:9000", "https://", "https://store:port", *accounts):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        assert said("s3://open/v1").startswith("AWS_ENDPOINT_URL_S3: ") and "key" not in said("s3://open/v1")
        assert said("s3://open/v1") == address_fault("s3://open/v1/eval/aaaa.h5")
    for wrong in ("s3:/open/v1", "s3:///open/v1", "s3:open/v1"):
        assert said(wrong) == f"{wrong}: is neither an address nor a path; write s3://open/v1"


def test_a_server_that_is_not_there_is_told_by_its_name(published, monkeypatch, caplog):
    with serving(published) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        host = server.url.removeprefix("http://")
    end = f"; buckets are looked for at {host}, which AWS_ENDPOINT_URL_S3 names"
    with pytest.raises(UserError) as refused:
        write_sheet(folder="s3://open/v1", output=published / "sheet.tsv")
    cannot = f"(cannot connect to {host}); run again later"
    assert str(refused.value) == f"s3://open/v1/eval: cannot be listed {cannot}{end}"
    assert f"s3://open/v1/eval: cannot connect to {host}; trying again in 0 s" in caplog.text
    with pytest.raises(UserError, match=re.escape(f"cannot be read, at every attempt {cannot}{end}")):
        converted("brainsets", published / "raw.h5", address="s3://open/v1/eval/aaaa.h5")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "")
    assert "at Amazon: for another server set AWS_ENDPOINT_URL_S3=" in where_buckets_lie("s3://open/v1")


def test_a_long_cause_is_cut_between_words():
    told = retries.cause_of(ConnectionError(" ".join(["interrupted"] * 40) + "\nsecond line"))
    assert len(told) <= 200 and told.endswith("interrupted ...")


def test_how_much_was_fetched_is_logged(server, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        converted("brainsets", tmp_path / "remote.h5", address=address(server))
    assert re.search(r"session\.h5: [0-9.]+ MB of [0-9.]+ MB fetched", caplog.text)


def test_the_benchmark_reads_its_truth_from_a_server(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    local = tmp_path / "open/v1/eval/aaaa.h5"
    local.parent.mkdir(parents=True)
    bench.write_recording(local, seed=0)
    with serving(tmp_path) as server:
        write_sheet(folder=f"{server.url}/open/v1", output=Path("sheet.tsv"))
        loaded = load_config([EXAMPLE])
        step = Plan(loaded.config, loaded.sessions).step("benchmark_decoding", {"eid": "aaaa"})
        assert "recording" not in step.inputs
        with (
            session_file(None, address=step.values["address"]) as remote,
            opened(remote) as there,
            opened(local) as here,
        ):
            for task in TASKS.values():
                np.testing.assert_array_equal(there.scored(task).values, here.scored(task).values)
                np.testing.assert_array_equal(there.scored(task).start_s, here.scored(task).start_s)


def test_the_other_suites_read_from_a_server_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("units.tsv").write_text("eid\trole\tpath\naaaa\ttest\ts3://b/aaaa.h5\ncccc\ttrain\ts3://b/cccc.h5\n")
    loaded = load_config([EXAMPLE.with_name("brain_wide_bench_units.yaml")])
    plan = Plan(loaded.config, loaded.sessions)
    step = plan.step("benchmark_unit_tasks", {"eid": "aaaa"})
    assert step.values["address"] == "s3://b/aaaa.h5" and "recording" not in step.inputs
    units = {each.wildcards["eid"]: each for each in plan.steps if each.rule == "benchmark_region_units"}
    assert {eid: each.values["address"] for eid, each in units.items()} == {
        "aaaa": "s3://b/aaaa.h5",
        "cccc": "s3://b/cccc.h5",
    }
    assert not any("regions" in line for line in left_out_tasks(plan))
