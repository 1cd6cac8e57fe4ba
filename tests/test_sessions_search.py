"""`neds sessions` and `neds size`: from a query to a sheet that the workflow takes, with a loopback Alyx."""

import logging
import runpy
import shutil
import sys

import pytest

from neds.config import check_config
from neds.download.sheet import assign_roles
from neds.roster import read_sheet
from tests.alf_trees import SESSION_PATH, write_session
from tests.download_runs import log_in, use_scratch_home
from tests.loopback_alyx import serving

TAG = "2022_Q2_IBL_et_al_RepeatedSite"
VISP5, CA1 = 778, 382  # Allen ids


@pytest.fixture(autouse=True)
def logged_in(tmp_path, monkeypatch):
    use_scratch_home(tmp_path, monkeypatch)
    log_in(monkeypatch)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Seven sessions of two labs, one without a probe."""
    root = tmp_path_factory.mktemp("alf")
    write_session(root)
    for number in range(2, 8):
        lab = "otherlab" if number == 7 else "testlab"
        folder = root / lab / "Subjects" / f"TL_{number:03}" / f"2024-03-{number:02}" / "001"
        folder.parent.mkdir(parents=True)
        (folder / "alf").mkdir(parents=True)
        shutil.copy(root / SESSION_PATH / "alf" / "_ibl_trials.table.pqt", folder / "alf")
        if number != 6:
            (folder / "alf" / "probe01").mkdir()
            shutil.copy(root / SESSION_PATH / "alf/probe01/pykilosort/spikes.times.npy", folder / "alf" / "probe01")
    return root


@pytest.fixture
def neds(tmp_path, monkeypatch, capsys, caplog):
    """Runs `neds ...` in the test's folder; returns its error, if any, and all that it printed."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO, "neds")

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["neds", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("workflow_scripts", run_name="__main__")
        printed = capsys.readouterr()
        return ended.value.code or "", printed.out + printed.err + caplog.text

    return command


def test_a_release_becomes_a_sheet_that_the_workflow_takes(neds, pristine, tmp_path):
    with serving(pristine) as server:
        server.page = 2
        server.tags[TAG] = {eid for eid, session in server.sessions.items() if session["lab"] == "testlab"}
        eid = server.eid(SESSION_PATH)
        server.regions[eid] = [VISP5, CA1, CA1]
        server.faults["/sessions"] = ["fine", 502, "drop"]
        error, said = neds("sessions", "--tag", TAG, "--base-url", server.url, "--test", 2, "--regions")
        assert not error
        assert "found_sessions.tsv: 5 sessions, 3 train and 2 test" in said
        assert "6 sessions, 1 of them without a probe, left out" in said
    comment, header, *rows = (tmp_path / "found_sessions.tsv").read_text().splitlines()
    assert f"tag {TAG}, asked on" in comment
    assert header.split("\t") == ["eid", "role", "subject", "lab", "date", "probes", "regions"]
    (row,) = [row.split("\t") for row in rows if row.startswith(eid)]
    assert row[2:] == ["TL_001", "testlab", "2024-03-05", "probe00,probe01", "CA1,VISp"]
    assert [row.split("\t")[1] for row in rows] == ["train"] * 3 + ["test"] * 2
    _, sessions = check_config({"source": "one", "sessions": "found_sessions.tsv"}, base=tmp_path)
    assert [session.eid for session in sessions] == [row.split("\t")[0] for row in rows]


def test_other_queries_and_their_mistakes(neds, pristine, tmp_path):
    sheet = tmp_path / "lab.tsv"
    with serving(pristine) as server:
        here = ("--base-url", server.url, "--output", sheet)
        error, _ = neds("sessions", "--lab", "testlab", "--since", "2024-03-03", "--until", "2024-03-04", *here)
        assert not error
        assert [session.role for session in read_sheet(sheet, source="one")[0]] == ["train", "train"]
        before = sheet.read_bytes()
        mistakes = {
            "--lab testlab": "lab.tsv exists; name another file with --output, or add --force",
            "--force --tag 2022_Q2": "no session has tag 2022_Q2, as far as your account may see; check the spelling",
            "--force --project x": "cannot search by projects; leave it out",
            "--force": "nothing to search for; give a tag, a lab",
            "--force --lab testlab --test 1.5": "--test 1.5: give a whole number up to 5",
        }
        for arguments, complaint in mistakes.items():
            error, _ = neds("sessions", *arguments.split(), *here)
            assert error.startswith("error: ") and "\n" not in error
            assert complaint in error
        assert sheet.read_bytes() == before


def test_the_size_of_a_sheet_is_told_before_anything_is_downloaded(neds, pristine, tmp_path):
    with serving(pristine) as server:
        eids = [server.eid(SESSION_PATH), "11111111-1111-4111-8111-111111111111"]
        (tmp_path / "sheet.tsv").write_text("eid\trole\n" + "".join(f"{eid}\ttest\n" for eid in eids))
        (tmp_path / "mine.yaml").write_text(
            f"source: one\nsessions: sheet.tsv\nregimes: [scratch]\ndownload: {{base_url: '{server.url}'}}\n"
        )
        error, said = neds("size", "--configfile", "mine.yaml")
        assert not error
        assert server.served == []
    assert (
        "1 of 2 sessions can be downloaded: 27 files, 0.3 MB, of which 0.3 MB are not in results/one_cache yet; "
        in said
    )
    assert f"session {eids[1]}: {server.url} has no such session" in said


def test_roles_of_sessions_found_earlier_hardly_change():
    eids = [f"session-{number}" for number in range(200)]
    few, many = (dict(zip(found, assign_roles(found, test=0.1, known={}), strict=True)) for found in (eids[:190], eids))
    assert list(few.values()).count("test") == 19
    assert list(many.values()).count("test") == 20
    assert sum(few[eid] != many[eid] for eid in few) <= 3
    assert assign_roles(eids[:3], test=None, known={"session-1": "test"}) == ["train", "test", "train"]


def test_the_console_command_names_its_commands(neds):
    error, said = neds("sesions")
    assert error == 2 and 'Did you mean "sessions"?' in said
