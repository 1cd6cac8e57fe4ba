"""`neds init`, `neds check` and `neds status`, as a user runs them."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml

from neds.commands.check import check_run
from neds.commands.init import TEMPLATES, write_configuration
from neds.commands.status import open_plan, show_status
from neds.config import load_config
from neds.errors import UserError
from neds.plan.durations import forecast
from neds.plan.lock import ResultsLock
from neds.plan.logs import log_of
from neds.roster import SOURCES
from tests import other_formats as formats
from tests.test_arrays import example, save
from tests.workflow_runs import ROOT, TINY

EXAMPLES = [None, *sorted((ROOT / "docs/examples").glob("*.yaml"))]


@pytest.fixture
def finished_here(copy_of_finished, monkeypatch) -> Path:
    """The configuration of a finished run, whose folder is the current one."""
    monkeypatch.chdir(copy_of_finished)
    Path("mine.yaml").write_text(yaml.safe_dump(TINY))
    return Path("mine.yaml")


def states(configfile: Path) -> dict[str, dict[str, str]]:
    told = json.loads(show_status(configfile=[configfile], as_json=True))
    return {job["title"]: job for job in told["jobs"]}


@pytest.mark.parametrize("configfile", EXAMPLES, ids=lambda path: path.stem if path else "default")
def test_every_job_has_a_log_of_its_own(configfile, tmp_path, monkeypatch):
    sheet = yaml.safe_load(configfile.read_text()).get("sessions", "") if configfile else ""
    monkeypatch.chdir(ROOT if (ROOT / sheet).exists() else tmp_path)
    if not Path(sheet).exists():
        Path(sheet).write_text("eid\trole\tpath\na\ttrain\ta.h5\nb\ttest\tb.h5\n")
    plan = open_plan([configfile] if configfile else []).plan
    logs = [log_of(plan, step) for step in plan.steps]
    assert all(logs) and len(set(logs)) == len(logs)


def test_status_of_a_finished_run_is_done_and_a_changed_setting_is_told(finished_here):
    before = show_status(configfile=[finished_here])
    assert before.splitlines()[0].split()[:3] == ["session", "role", "load"]
    assert {job["state"] for title, job in states(finished_here).items() if "table" not in title} == {"done"}
    finished_here.write_text(yaml.safe_dump(TINY | {"training": {"epochs": 3, "validate_every": 1}}))
    after = show_status(configfile=[finished_here])
    assert "train_from_scratch (2): training.epochs 2 -> 3" in after
    trained = {title: job for title, job in states(finished_here).items() if job["rule"] == "train_from_scratch"}
    assert len(trained) == 2 and {job["state"] for job in trained.values()} == {"stale"}
    assert {job["why"] for job in trained.values()} == {"training.epochs 2 -> 3"}


def test_status_tells_what_failed_and_why_and_what_runs(finished_here):
    titles = [title for title, job in states(finished_here).items() if job["rule"] == "evaluate"]
    failed, running = titles[:2]
    for title in (failed, running):
        job = states(finished_here)[title]
        shutil.rmtree(next(Path("results/evaluation", job["session"]).glob(f"neds-mm-{title.split(', ')[2]}-seed0")))
    logs = {title: Path(states(finished_here)[title]["log"]) for title in (failed, running)}
    logs[failed].write_text("12:00:00 begins\nerror: no space left; make room\n")
    assert states(finished_here)[failed]["state"] == "failed"
    assert states(finished_here)[running]["state"] == "to do"
    text = show_status(configfile=[finished_here])
    assert f"  {failed}\n      no space left; make room\n      log: {logs[failed]}" in text

    lock = ResultsLock(Path("results"))
    lock.take({})
    logs[running].write_text("12:00:00 at work\n")
    later = Path("results/.workflow.json").stat().st_mtime + 1
    os.utime(logs[running], (later, later))
    assert states(finished_here)[running]["state"] == "running"
    assert f"process {os.getpid()}" in show_status(configfile=[finished_here])
    lock.release()


def test_a_workflow_that_is_gone_is_not_said_to_run(finished_here):
    Path("results/.workflow.json").write_text(json.dumps({"host": os.uname().nodename, "pid": 2**22 + 1}))
    assert "is at work" not in show_status(configfile=[finished_here])


def test_check_says_what_would_run_and_how_long_such_jobs_took(finished_here):
    finished_here.write_text(yaml.safe_dump(TINY | {"seeds": [0, 1]}))
    said = check_run(configfile=[finished_here])
    assert "2 train_from_scratch" in said and "partition" not in said.split("jobs: ")[1].splitlines()[0]
    opened = open_plan([finished_here])
    steps = [step for step in opened.plan.steps if step.rule == "pretrain"]
    (times,) = Path("results/benchmarks/pretrain").glob("*.tsv")
    took = float(times.read_text().splitlines()[1].split("\t")[0])
    assert forecast(opened.plan, steps).seconds == pytest.approx(took * len(steps))
    findings = json.loads(check_run(configfile=[finished_here], as_json=True))
    assert Counter(finding["about"] for finding in findings)["disk"] == 1
    assert {finding["state"] for finding in findings} <= {"fine", "note"}


def test_check_names_recordings_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sheet.tsv").write_text("eid\trole\tpath\nmouse1\ttest\tmouse1.npz\n")
    config = {"source": "aligned", "sessions": "sheet.tsv", "regimes": ["scratch"], "modalities": ["spikes", "choice"]}
    Path("mine.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(UserError) as refused:
        check_run(configfile=[Path("mine.yaml")])
    assert "1 thing that a run needs" in str(refused.value) and "import_arrays mouse1: mouse1.npz" in str(refused.value)


def write_recordings(folder: Path, source: str) -> int:
    """Sessions of a source; how many."""
    folder.mkdir()
    if source == "alf":
        for number in ("001", "002"):
            (folder / "mylab/Subjects/mouse/2024-01-01" / number / "alf").mkdir(parents=True)
        return 2
    for number in range(3):
        if source == "nwb":
            formats.write_nwb(folder / f"mouse {number}.nwb", seed=number)
        elif source == "brainsets":
            formats.write_brainsets(folder / f"mouse{number}.h5", seed=number)
        else:
            save(folder / f"mouse{number}.npz", example() | {"session": [number]})
    return 3


@pytest.mark.parametrize("source", SOURCES)
def test_init_writes_a_configuration_and_a_sheet_that_the_workflow_takes(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    has_data = source not in ("synthetic", "one")
    n_sessions = write_recordings(tmp_path / "my data", source) if has_data else 0
    said = write_configuration(
        source=source, data=Path("my data") if has_data else None, output=Path("study/mine.yaml")
    )
    assert "neds check --configfile study/mine.yaml" in said
    if source == "one":
        rows = [f"00000000-0000-4000-8000-00000000000{n}\t{role}\n" for n, role in enumerate(("train", "test"))]
        Path("study/mine.tsv").write_text("eid\trole\n" + "".join(rows))
    loaded = load_config([Path("study/mine.yaml")])
    assert loaded.config.source == source and loaded.config.results == "results-mine"
    if has_data:
        assert len(loaded.sessions) == n_sessions and [s.role for s in loaded.sessions].count("test") == 1
        opened = open_plan([Path("study/mine.yaml")])
        opened.stale_files()
        assert opened.absent_files(opened.plan.targets("sessions")) == ""
        with pytest.raises(UserError, match="exists; name another"):
            write_configuration(source=source, data=Path("my data"), output=Path("study/mine.yaml"))


def test_every_source_has_a_template():
    assert {path.stem for path in TEMPLATES.glob("*.yaml")} == set(SOURCES)


def test_init_refuses_a_folder_without_recordings_and_asks_only_on_a_terminal(tmp_path):
    with pytest.raises(UserError, match=r"no file that ends in \.nwb"):
        write_configuration(source="nwb", data=tmp_path, output=tmp_path / "mine.yaml")
    with pytest.raises(UserError, match="name one of synthetic"):
        write_configuration(output=tmp_path / "mine.yaml")
    with pytest.raises(UserError, match="no such source"):
        write_configuration(source="matlab", output=tmp_path / "mine.yaml")
    assert list(tmp_path.iterdir()) == []


def test_init_writes_nothing_where_two_sessions_would_be_called_alike_or_the_sheet_would_be_replaced(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a b.nwb", "a-b.nwb"):
        (data / name).touch()
    with pytest.raises(UserError, match="would be called a-b; rename one"):
        write_configuration(source="nwb", data=data, output=tmp_path / "mine.yaml")
    (data / "a b.nwb").rename(data / "マウス.nwb")
    with pytest.raises(UserError, match="sessions are called after their files"):
        write_configuration(source="nwb", data=data, output=tmp_path / "mine.yaml")
    with pytest.raises(UserError, match=r"mine.tsv: end it on \.yaml"):
        write_configuration(source="nwb", data=data, output=tmp_path / "mine.tsv")
    with pytest.raises(UserError, match="cannot be written"):
        write_configuration(source="synthetic", output=data / "a-b.nwb" / "mine.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
