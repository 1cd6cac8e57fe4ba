"""Where a run is shown: a live view on a terminal, plain lines in a file."""

import os
import time
from collections.abc import Iterable
from threading import Event, Thread
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from neds.terminal.progress import Progress, duration
from neds.words import counted

HEARTBEAT_S = 120.0
"""After so long without a line a file gets one that says what runs."""
_MOST_RUNNING = 12


class Screen(Protocol):
    """What takes lines and shows a progress."""

    def line(self, text: str, *, style: str = "") -> None:
        """Show a line, or several, that stay."""

    def follow(self, progress: Progress) -> None:
        """Show what runs from now on."""

    def close(self) -> None:
        """Show nothing that moves any more."""


def screen(stream: TextIO, *, color: bool) -> Screen:
    """A live view where `stream` is a terminal that can show one, else plain lines."""
    console = Console(file=stream, no_color=not color, highlight=False, soft_wrap=True)
    return LiveScreen(console) if console.is_terminal and not console.is_dumb_terminal else PlainScreen(stream)


class PlainScreen:
    """Lines with the time of day, each written as soon as it is known."""

    def __init__(self, stream: TextIO, *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._stream = stream
        self._heartbeat_s = heartbeat_s
        self._ended = Event()
        self._last = time.monotonic()
        self._thread: Thread | None = None

    def line(self, text: str, *, style: str = "") -> None:
        self._last = time.monotonic()
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except BrokenPipeError:
            # The reader has read enough, e.g. `head`; the run goes on. Python flushes once more at its end, and would fail.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def follow(self, progress: Progress) -> None:
        self._thread = Thread(target=self._beat, args=(progress,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join(timeout=1)

    def _beat(self, progress: Progress) -> None:
        while not self._ended.wait(self._heartbeat_s / 4):
            if time.monotonic() - self._last >= self._heartbeat_s:
                for line in _heartbeat(progress, now=time.time()):
                    self.line(line)


class LiveScreen:
    """Lines that stay, and below them a bar and a line for each job that runs, drawn anew every half second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def line(self, text: str, *, style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def follow(self, progress: Progress) -> None:
        self._live = Live(
            get_renderable=lambda: running_view(progress, now=time.time()),
            console=self._console,
            refresh_per_second=2,
            transient=True,
            redirect_stdout=False,
        )
        self._live.start()

    def close(self) -> None:
        if self._live:
            self._live.stop()
            self._live = None


def running_view(progress: Progress, *, now: float) -> RenderableType:
    """A bar with the number of jobs and the time left, and what runs with its own progress."""
    jobs = list(progress.running.values())
    table = Table.grid(padding=(0, 2))
    for overflow in ("ellipsis", "fold", "ellipsis"):
        table.add_column(no_wrap=True, overflow=overflow)
    for job in jobs[:_MOST_RUNNING]:
        table.add_row(Text(job.title), Text(duration(now - job.started), style="cyan"), Text(job.said(), style="dim"))
    bar = Table.grid(padding=(0, 2))
    bar.add_row(ProgressBar(total=progress.n_jobs, completed=progress.n_done, width=30), _state(progress, now=now))
    more = [Text(f"and {len(jobs) - _MOST_RUNNING} more")] if len(jobs) > _MOST_RUNNING else []
    return Group(bar, table, *more)


def _state(progress: Progress, *, now: float) -> str:
    more = progress.time_left(now=now)
    if progress.is_stopping:
        more = f"stopping; {counted(len(progress.running), 'job')} at work"
    return f"{progress.n_done} of {progress.n_jobs} jobs{', ' if more else ''}{more}"


def _heartbeat(progress: Progress, *, now: float) -> Iterable[str]:
    jobs = list(progress.running.values())
    yield f"{time.strftime('%H:%M:%S', time.localtime(now))}  {_state(progress, now=now)}; running:"
    for job in jobs[:_MOST_RUNNING]:
        said = job.said()
        yield f"    {job.title} ({duration(now - job.started)}){': ' + said if said else ''}"
    if len(jobs) > _MOST_RUNNING:
        yield f"    and {len(jobs) - _MOST_RUNNING} more"
