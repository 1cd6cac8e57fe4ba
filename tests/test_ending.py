"""What the user reads at the end of a run."""

import pandas as pd

from neds.plan.ending import nothing_usable, sessions_lines
from neds.plan.failures import failure_report


def table(tmp_path, *usable, remarks=""):
    path = tmp_path / "sessions.csv"
    rows = [
        {
            "eid": f"s{index}",
            "role": role,
            "usable": fine,
            "why_not": "" if fine else "no trials, none",
            "remarks": remarks,
        }
        for index, (role, fine) in enumerate(usable)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_sessions_that_are_left_out_are_named_with_their_reason(tmp_path):
    lines = sessions_lines(
        table(tmp_path, ("train", True), ("test", False), ("test", True), remarks="3 spikes dropped")
    )
    assert lines[0].startswith("Sessions: 2 of 3 usable")
    assert "  left out: s1 (test): no trials, none" in lines
    assert lines[-3:] == [
        "Remarks on 2 of them (column `remarks`):",
        "  s0: 3 spikes dropped",
        "  s2: 3 spikes dropped",
    ]


def test_a_run_without_a_test_session_is_no_success(tmp_path):
    assert not nothing_usable(table(tmp_path, ("train", False), ("test", True)))
    assert nothing_usable(table(tmp_path, ("train", True), ("test", False))).startswith("no session of role test")
    assert nothing_usable(table(tmp_path, ("train", False), ("test", False))).startswith("no session can")
    assert not nothing_usable(tmp_path / "absent.csv") and not sessions_lines(tmp_path / "absent.csv")


def test_causes_of_failures_are_the_jobs_own_words(tmp_path):
    """Killed is said only of what left no word."""
    words = {
        "error": ("epoch 3\nerror: disk is full\n", "disk is full"),
        "bug": ('Traceback (most recent call last):\n  File "x"\nKeyError: 3\n', "KeyError: 3"),
        "shell": ("bash: line 1: unexpected EOF\n", "bash: line 1: unexpected EOF"),
        "saved": (
            "training: stopped after epoch 3; its state is saved, start it again to go on\n",
            "its state is saved",
        ),
        "killed": ("epoch 3\n", "was killed"),
    }
    failed = []
    for name, (text, _) in words.items():
        (tmp_path / name).write_text(text)
        failed.append((name, str(tmp_path / name)))
    lines = failure_report(failed, waiting=2, n_jobs=9).splitlines()
    assert lines[0] == "5 of 9 jobs failed:"
    for name, (_, cause) in words.items():
        assert cause in lines[lines.index(f"  {name}") + 1]
        assert ("was killed" in lines[lines.index(f"  {name}") + 1]) == (name == "killed")
    assert "left no log" in failure_report([("x", None)], waiting=0, n_jobs=1)
    assert failure_report([], waiting=0, n_jobs=4) == ""
    assert "3 jobs left" in failure_report([], waiting=3, n_jobs=4)
