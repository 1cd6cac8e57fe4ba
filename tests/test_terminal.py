"""What a run shows on the terminal and in a file."""

import io
import os
import pty
import re
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from neds.plan.ending import scores_lines, where_to_look
from neds.terminal.progress import Job, Progress, duration
from neds.terminal.run_view import DryRunView, RunView
from neds.terminal.screens import PlainScreen, running_view
from snakemake_logger_plugin_neds import LogHandler, LogHandlerSettings
from tests.workflow_runs import TINY, command, environment, snakemake


def test_time_left_counts_what_is_to_come_by_what_such_jobs_took():
    progress = Progress({"train": 3, "evaluate": 2}, now=0.0)
    assert progress.time_left(now=0.0) == ""
    progress.start(Job(1, "train", "train a", None, 0.0))
    assert progress.time_left(now=5.0) == "", "no job is done yet"
    assert progress.finish(1, now=90.0) == (Job(1, "train", "train a", None, 0.0), 90.0)
    # Two trainings, and two evaluations of which nothing is known.
    assert progress.time_left(now=90.0) == "at least 3 min left"
    progress.start(Job(2, "evaluate", "evaluate a", None, 90.0))
    progress.finish(2, now=100.0)
    assert progress.time_left(now=100.0) == "about 3 min left"
    # Two at once; each has more than half behind it.
    progress.start(Job(3, "train", "train b", None, 100.0))
    progress.start(Job(4, "train", "train c", None, 100.0))
    at_once = (100 + 2 * 60) / 160
    assert progress.time_left(now=160.0) == f"about {(2 * 90 + 10 - 2 * 60) / at_once:.0f} s left"
    assert (progress.n_done, progress.n_jobs) == (2, 5)


def test_quick_jobs_say_nothing_of_how_long_others_take():
    """A run begins with jobs of seconds and ends with trainings of hours."""
    progress = Progress({"download_alf": 3, "train": 1}, now=0.0)
    for number in (1, 2):
        progress.start(Job(number, "download_alf", "a session", None, 2.0 * number))
        progress.finish(number, now=2.0 * number + 2)
    assert progress.time_left(now=6.0) == "at least 2 s left"


@pytest.mark.parametrize(("seconds", "text"), [(8.2, "8 s"), (99, "99 s"), (185, "3 min"), (7530, "2 h 6 min")])
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


def test_a_job_shows_the_last_line_of_its_own_log_and_none_of_an_earlier_run(tmp_path):
    log = tmp_path / "job.log"
    log.write_text("12:00:01 epoch 1/9\n12:00:02 pretraining: epoch 2/9, 0.4 min left\n\n")
    assert Job(1, "train", "t", str(log), time.time() - 1).said() == "pretraining: epoch 2/9, 0.4 min left"
    os.utime(log, (1, 1))
    assert Job(1, "train", "t", str(log), time.time()).said() == ""
    assert Job(1, "train", "t", str(tmp_path / "absent"), time.time()).said() == ""


def test_a_file_gets_a_line_a_finished_job_and_a_block_a_failed_one(tmp_path):
    log = tmp_path / "b.log"
    log.write_text("epoch 3\nerror: b.h5: is damaged; write it again\n")
    out = io.StringIO()
    view = RunView(PlainScreen(out))
    view.plan({"evaluate": 1, "all": 1, "partition": 1, "total": 3})
    view.start(0, "all", {}, None)
    view.start(1, "partition", {"eid": "a"}, None)
    view.start(2, "evaluate", {"eid": "b", "mode": "mm", "seed": "0"}, str(log))
    view.finish(1)
    view.fail(2, "evaluate", str(log))
    view.finish(0)
    view.close()
    planned, done, *failed = out.getvalue().splitlines()
    assert planned == "2 jobs: 1 partition, 1 evaluate"
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[1/2\] partition a \(0 s.*\)", done)
    assert failed == ["FAILED evaluate b, mm, seed 0", "    b.h5: is damaged; write it again", f"    log: {log}"]


@pytest.mark.parametrize(("option", "is_short"), [("quiet", True), ("verbose", False), ("printshellcmds", False)])
def test_quiet_is_no_louder_than_the_default(option, is_short):
    common = dict.fromkeys(("quiet", "verbose", "printshellcmds", "debug_dag", "stdout", "nocolor", "dryrun"))
    common |= {"show_failed_logs": False, option: True}
    assert LogHandler(SimpleNamespace(**common), LogHandlerSettings()).keeps_jobs_silent == is_short


def test_a_reader_that_has_read_enough_does_not_end_the_run():
    reading, writing = os.pipe()
    with open(writing, "w", encoding="utf-8") as stream:
        view = RunView(PlainScreen(stream))
        view.plan({"partition": 1})
        os.close(reading)
        view.start(1, "partition", {"eid": "a"}, None)
        view.finish(1)
        view.say("the end")
        view.close()


def test_a_file_that_gets_no_line_for_long_is_told_what_runs(tmp_path):
    log = tmp_path / "a.log"
    out = io.StringIO()
    view = RunView(PlainScreen(out, heartbeat_s=0.05))
    view.plan({"pretrain": 1})
    view.start(1, "pretrain", {"mode": "mm"}, str(log))
    log.write_text("epoch 3/80\n")
    while "epoch 3/80" not in out.getvalue():
        time.sleep(0.01)
    view.close()
    assert "0 of 1 jobs; running:\n    pretrain, mm (0 s): epoch 3/80\n" in out.getvalue()


def test_the_live_view_shows_what_runs_with_its_own_progress(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("epoch 3/80\n")
    progress = Progress({"pretrain": 1, "evaluate": 20}, now=0.0)
    for number in range(20):
        progress.start(Job(number, "evaluate", f"evaluate {number}", str(log), 0.0))
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    console.print(running_view(progress, now=65.0))
    lines = console.file.getvalue().splitlines()
    assert "0 of 21 jobs" in lines[0]
    assert re.search(r"evaluate 0 +65 s +epoch 3/80", lines[1]) and lines[-1].strip() == "and 8 more"


def test_a_dry_run_is_a_table_of_rules_and_reasons_in_the_order_of_the_workflow():
    out = io.StringIO()
    view = DryRunView(PlainScreen(out))
    for rule in ("evaluate", "partition", "evaluate", "all"):
        view.add(rule, "Missing output files: a, b")
    view.add("evaluate", "Input files updated by another job: c")
    view.close()
    assert out.getvalue().splitlines() == [
        "  partition     1  not there yet",
        "  evaluate      3  2 not there yet, 1 made from what is made again",
        "4 jobs would run; nothing was done (dry run).",
    ]


@pytest.mark.parametrize(
    ("ends_jobs", "what"),
    [
        (True, "Told to end: 2 jobs at work (train a; train b); a training saves its state first."),
        (
            False,
            "No other job is started; finished first: 2 jobs at work (train a; train b). Ctrl-C ends these too.",
        ),
    ],
)
def test_a_run_that_is_asked_to_stop_says_what_becomes_of_its_jobs_and_how_to_go_on(ends_jobs, what):
    out = io.StringIO()
    view = RunView(PlainScreen(out))
    view.plan({"train": 3})
    for number, eid in enumerate("ab"):
        view.start(number, "train", {"eid": eid}, None)
    view.stop(ends_jobs=ends_jobs)
    view.stop(ends_jobs=ends_jobs)
    view.finish(0)
    view.close()
    _, stopping, _, stopped = out.getvalue().splitlines()
    assert stopping == f"Asked to stop. {what}"
    assert stopped.startswith("Stopped after 1 of 3 jobs. To go on, start the same command again")


def test_scores_are_a_small_table_at_the_end(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/metrics.csv").touch()
    names = ["spikes: bits per spike", "choice: accuracy", "choice: balanced accuracy", "block: balanced accuracy"]
    heads = ["model", *(f'"{name}{part}"' for name in names for part in ("", ", s.e.m.", ", n"))]
    rows = ["psth,0.061,0.002,2,,,0,,,0,,,0", "NEDS,0.148,,1,0.9,0.1,2,0.912,0.021,2,,,0"]
    (tmp_path / "benchmark.csv").write_text("\n".join([",".join(heads), *rows]))
    title, targets, metrics, _, psth, model, absent = scores_lines(tmp_path / "benchmark.csv")
    assert "n = 1 to 2" in title
    assert targets.split() == ["model", "spikes", "choice"] and metrics.split("  ")[-1].strip() == "balanced accuracy"
    assert psth.split() == ["psth", "0.06", "±", "0.00", "-"] and model.split()[1:] == ["0.15", "0.91", "±", "0.02"]
    assert absent == "Without a score in any test session: block: balanced accuracy"
    assert where_to_look(tmp_path) == [f"All scores: {tmp_path}/tables/metrics.csv"]
    assert scores_lines(tmp_path / "absent.csv") == []


def run_again(folder, *arguments: str) -> str:
    (folder / "results/figures/gain.png").unlink()
    return snakemake(folder, *arguments)


@pytest.mark.slow
def test_a_run_is_few_lines_and_ends_with_scores_and_where_to_look(copy_of_finished):
    printed = run_again(copy_of_finished, "figures")
    assert re.search(r"^\d\d:\d\d:\d\d \[1/1\] figure, gain \(\d+ s\)$", printed, re.MULTILINE)
    assert "oracle (true rates)" in printed and "Figures: results/figures\n" in printed
    assert len(printed.splitlines()) < 30 and "computed with" not in printed and "Provided cores" not in printed
    log = re.search(r"^All that Snakemake said: (.*)$", printed, re.MULTILINE).group(1)
    with open(log, encoding="utf-8") as handle:
        assert "Finished jobid" in handle.read()
    full = run_again(copy_of_finished, "figures", "--logger-neds-full")
    assert "Finished jobid" in full and "Provided cores" in full and "[1/1]" not in full


@pytest.mark.slow
def test_a_dry_run_of_one_more_seed_is_short(copy_of_finished):
    words = command(copy_of_finished, "--dry-run", config=TINY | {"seeds": [0, 1]})
    printed = subprocess.run(
        words, capture_output=True, text=True, env=environment(copy_of_finished), check=True
    ).stdout
    assert re.search(r"^  pretrain +1  not there yet$", printed, re.MULTILINE)
    assert re.search(r"^  metrics_table +1  made again", printed, re.MULTILINE)
    assert "partition" not in printed and len(printed.splitlines()) < 40


def on_a_terminal(folder, *, stop_by: int = 0) -> tuple[int, str]:
    """Run the figures of a finished run; their exit status, and what a terminal showed.

    Args:
        stop_by: signal that is sent as soon as a job runs, and every second until the run says that it was asked to stop:
            Python drops an interrupt that comes within a destructor.
    """
    reading, writing = pty.openpty()
    terminal = environment(folder) | {"TERM": "xterm", "COLUMNS": "120"}

    def heed_interrupts() -> None:
        # A shell's background jobs ignore them, and what these start does, too.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    words = command(folder, "figures")
    with subprocess.Popen(words, stdout=writing, stderr=writing, env=terminal, preexec_fn=heed_interrupts) as process:
        os.close(writing)
        shown, next_s = b"", 0.0
        try:
            while part := os.read(reading, 4096):
                shown += part
                is_due = b"figure, " in shown and b"Asked to stop." not in shown and time.monotonic() > next_s
                if stop_by and is_due:
                    process.send_signal(stop_by)
                    next_s = time.monotonic() + 1
        except OSError:  # how Linux says that the other end was closed
            pass
        return process.wait(), shown.decode()


@pytest.mark.slow
def test_on_a_terminal_the_run_is_drawn_live(copy_of_finished):
    (copy_of_finished / "results/figures/gain.png").unlink()
    status, shown = on_a_terminal(copy_of_finished)
    assert status == 0 and "0 of 1 jobs" in shown and "[1/1] figure, gain" in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGTERM, r"finished first: [12] jobs? at work \(figure, "), (signal.SIGINT, "Told to end: [12] jobs?")],
)
def test_a_run_that_a_signal_stops_says_so_on_a_terminal(number, said, copy_of_finished):
    # Several jobs, so that one is at work whenever the signal comes.
    for name in ("gain", "metrics", "overview", "region_encoding"):
        (copy_of_finished / f"results/figures/{name}.png").unlink(missing_ok=True)
    status, shown = on_a_terminal(copy_of_finished, stop_by=number)
    assert status != 0
    assert "Asked to stop." in shown and re.search(said, shown) and "To go on, start the same command again" in shown
