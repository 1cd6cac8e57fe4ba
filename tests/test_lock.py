"""One workflow at a time writes to a folder of results, and its jobs are what it was planned with."""

import time
from pathlib import Path

import pytest
import yaml

from neds.config import load_config
from neds.errors import UserError
from neds.plan.lock import FILE, ResultsLock, planned_with
from neds.plan.opened import OpenedPlan
from tests.workflow_runs import ROOT, TINY, snakemake, start


def opened(folder: Path, *, is_main: bool, **values) -> OpenedPlan:
    file = folder / "given.yaml"
    file.write_text(yaml.safe_dump({"results": str(folder / "results"), **values}))
    return OpenedPlan(load_config([ROOT / "config.yaml", file]), is_main=is_main)


def test_the_second_is_refused_with_the_first_ones_name(tmp_path):
    first, second = ResultsLock(tmp_path), ResultsLock(tmp_path)
    assert first.take({"codes": {"a": "b"}}) == ""
    with pytest.raises(UserError, match=r"another workflow writes to this folder \(process \d+ on "):
        second.take({})
    assert planned_with(tmp_path)["codes"] == {"a": "b"}
    first.release()
    assert second.take({}) == "" and planned_with(tmp_path)["pid"]
    second.release()
    assert not list(tmp_path.iterdir()) and planned_with(tmp_path) == {}


def test_what_a_killed_workflow_left_is_in_nobodys_way(tmp_path):
    (tmp_path / FILE).write_text('{"pid": 1, "host": "elsewhere"}')
    lock = ResultsLock(tmp_path)
    assert lock.take({}) == "" and planned_with(tmp_path)["host"] != "elsewhere"
    lock.release()


def test_a_job_of_another_configuration_is_refused(tmp_path):
    lock = ResultsLock(tmp_path / "results")
    lock.take(opened(tmp_path, is_main=True).planned_with())
    opened(tmp_path, is_main=False)
    with pytest.raises(UserError, match="was changed while the workflow runs"):
        opened(tmp_path, is_main=False, seeds=[3])
    lock.release()
    opened(tmp_path, is_main=False, seeds=[3])


def test_a_job_knows_the_code_that_it_was_planned_with(tmp_path, monkeypatch):
    """Its own process reads the code again, and would otherwise take an edited one for the planned one."""
    lock = ResultsLock(tmp_path / "results")
    planned = opened(tmp_path, is_main=True)
    lock.take(planned.planned_with())
    monkeypatch.setattr("neds.plan.opened.command_code", lambda *known: "edited")
    step = planned.plan.steps[0]
    assert opened(tmp_path, is_main=False).code(step) == planned.code(step) != "edited"
    assert opened(tmp_path, is_main=True).code(step) == "edited"
    lock.release()


@pytest.mark.slow
def test_two_workflows_from_two_folders_into_one(tmp_path):
    config = TINY | {"results": str(tmp_path / "shared")}
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    first = start(folders[0], config=config)
    try:
        while not (tmp_path / "shared" / FILE).exists():
            assert first.poll() is None
            time.sleep(0.1)
        printed = snakemake(folders[1], config=config, check=False)
        assert "another workflow writes to this folder" in printed and "Finished jobid" not in printed
    finally:
        first.terminate()
        first.wait()
