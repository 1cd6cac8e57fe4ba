"""Snakemake's logger plugin `neds`: a run in few lines. Everything else is in Snakemake's own log and those of the jobs.

Snakemake finds it by the name of this package, and imports it whenever it is started: what is heavy waits for the first run.
"""

import logging
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

if TYPE_CHECKING:
    from neds.terminal.run_view import DryRunView, RunView

_IN_THE_LOG = ("workflow.py", "job_scheduler.py", "dag.py", "api.py", "logging.py", "persistence.py", "local.py")
"""Files of Snakemake whose remarks on how it works are of no use to who waits for results."""
_SHOWN = ("Nothing to be done", "Trying to restart job")
_STOPS = {"Will exit after finishing currently running jobs": False, "Terminating processes on user request": True}
"""Beginnings of what Snakemake says when it is asked to stop: after SIGTERM, and after Ctrl-C, which ends its jobs too."""


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Options of the command line, `--logger-neds-...`."""

    full: bool = field(
        default=False,
        metadata={"help": "Show all of Snakemake's own output, and that of the jobs.", "env_var": False},
    )


class LogHandler(LogHandlerBase):
    """Show a run in few lines; or, where Snakemake's own output is asked for, all of it."""

    def __post_init__(self) -> None:
        common, own = self.common_settings, self.settings
        asked = (common.verbose, common.printshellcmds, common.debug_dag)
        self._stream = sys.stdout if common.stdout else sys.stderr
        self._full: logging.Handler | None = None
        self._view: RunView | DryRunView | None = None
        self._is_planned = False
        if (isinstance(own, LogHandlerSettings) and own.full) or any(asked):
            # Snakemake imports its plugins before itself.
            from snakemake.logging import ColorizingTextHandler

            self._full = ColorizingTextHandler(nocolor=common.nocolor, stream=self._stream)

    @property
    def keeps_jobs_silent(self) -> bool:
        """Whether what jobs say goes to their logs alone."""
        return self._full is None

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's own filter does what its options say."""
        return False

    @property
    def has_formatter(self) -> bool:
        return False

    @property
    def needs_rulegraph(self) -> bool:
        return False

    def setFormatter(self, fmt: logging.Formatter | None) -> None:
        super().setFormatter(fmt)
        if self._full:
            self._full.setFormatter(fmt)

    def emit(self, record: logging.LogRecord) -> None:
        if self._full:
            self._full.emit(record)
            return
        try:
            self._show(record, vars(record))
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        if self._view:
            self._view.close()
            self._view = None
        super().close()

    def _show(self, record: logging.LogRecord, told: dict[str, Any]) -> None:
        event = told.get("event")
        if event is None or event == LogEvent.ERROR:
            stops = [ends for beginning, ends in _STOPS.items() if str(record.msg).startswith(beginning)]
            if stops and not self.common_settings.dryrun:
                self._opened().stop(ends_jobs=stops[0])  # type: ignore[union-attr]
            elif text := _worth_saying(record):
                style = "red" if record.levelno >= logging.ERROR else ""
                self._opened().say(text, style=style or ("yellow" if record.levelno >= logging.WARNING else ""))
        elif self.common_settings.dryrun:
            if event == LogEvent.JOB_INFO:
                self._opened().add(told["rule_name"], told["reason"])  # type: ignore[union-attr]
        else:
            self._follow(event, told)

    def _follow(self, event: LogEvent, told: dict[str, Any]) -> None:
        view: Any = self._opened()
        log = next(iter(told.get("log") or []), None)
        if event == LogEvent.RUN_INFO and "stats" in told and not self._is_planned:
            self._is_planned = True
            view.plan(told["stats"])
        elif event == LogEvent.JOB_INFO:
            view.start(told["jobid"], told["rule_name"], told["wildcards"] or {}, log)
        elif event == LogEvent.JOB_FINISHED:
            view.finish(told["job_id"])
        elif event == LogEvent.JOB_ERROR:
            view.fail(told["jobid"], told["rule_name"], log)

    def _opened(self) -> "RunView | DryRunView":
        if self._view is None:
            from neds.terminal.run_view import DryRunView, RunView
            from neds.terminal.screens import screen

            where = screen(self._stream, color=not self.common_settings.nocolor)
            self._view = DryRunView(where) if self.common_settings.dryrun else RunView(where)
        return self._view


_SAID_ALREADY = (
    "RuleException:\nCalledProcessError",
    "Exiting because a job execution failed",
    "WorkflowError:\nAt least one job did not complete successfully",
)
"""Beginnings of what Snakemake says of jobs that failed, after the job's own message."""


def _worth_saying(record: logging.LogRecord) -> str:
    """The message of a record that is no event, where the user needs it."""
    text = str(record.msg or "").rstrip()
    path = Path(record.pathname)
    if text.startswith(_SAID_ALREADY):
        return ""
    is_of_executor = path.parent.name.startswith("snakemake_executor_plugin")
    is_of_report = path.parent.name == "report" and text.startswith("Adding ")
    is_chatter = is_of_executor or is_of_report or ("snakemake" in path.parts and path.name in _IN_THE_LOG)
    if record.levelno < logging.WARNING and is_chatter and not text.startswith(_SHOWN):
        return ""
    return text
