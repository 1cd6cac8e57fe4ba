"""A plan as the workflow uses it: with the code that it was made with, and the state of its results."""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from neds.commands.code import command_code
from neds.commands.table import Command, command_named
from neds.config import Loaded
from neds.config.show import configuration_rows
from neds.errors import UserError
from neds.plan.lock import planned_with
from neds.plan.plan import Plan
from neds.plan.stale import MISSING, Staleness
from neds.plan.step import Step
from neds.plan.training import known_test_sessions
from neds.words import counted

_MOST_LINES = 20


def command_of(step: Step) -> Command:
    """The command that a job runs.

    Raises:
        LookupError: no command is called as the job's is.
    """
    command = command_named(step.command)
    if command is None:
        raise LookupError(f"no command is called {step.command}")
    return command


class OpenedPlan:
    """The plan of a loaded configuration.

    In a job's own process the codes are those that the workflow was planned with, as long as it runs, so that the job can
    tell whether its code was edited meanwhile.
    """

    def __init__(self, loaded: Loaded, *, is_main: bool) -> None:
        """
        Args:
            is_main: whether this process makes the plan, and is not one of its jobs.

        Raises:
            UserError: the configuration is not the one that the workflow was planned with.
        """
        self.plan = Plan(loaded.config, loaded.sessions, configuration_rows(loaded))
        planned = {} if is_main else planned_with(Path(self.plan.results))
        self._codes: dict[str, str] = planned.get("codes", {})
        self._of_configuration = [*loaded.doubtful, *loaded.unused, *loaded.gave_way]
        self._state: Staleness | None = None
        self._stale: set[str] = set()
        if planned and planned.get("configuration") != self.configuration:
            raise UserError(
                "the configuration or the sessions sheet was changed while the workflow runs; what is done stays done: "
                "start snakemake again"
            )

    @cached_property
    def configuration(self) -> str:
        """Digest of the configuration and the sessions."""
        known = [self.plan.config.model_dump(mode="json"), [vars(session) for session in self.plan.sessions]]
        return sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()

    def code(self, step: Step) -> str:
        """Digest of the code that a job runs."""
        command = command_of(step)
        name = " ".join(command.code(step.values))
        if name not in self._codes:
            self._codes[name] = command_code(command, step.values)
        return self._codes[name]

    def planned_with(self) -> dict[str, Any]:
        """What jobs are checked against."""
        for step in self.plan.steps:
            self.code(step)
        return {"configuration": self.configuration, "codes": self._codes}

    def stale_files(self, *, forced_rules: Collection[str] = (), forced_files: Collection[str] = ()) -> set[str]:
        """Files that are there and must be made again.

        Args:
            forced_rules, forced_files: what the user wants to be made again whatever its state.
        """
        made_by = self.plan.made_by
        rules = {*forced_rules, *(made_by[path].rule for path in forced_files if path in made_by)}
        self._state = Staleness(self.plan, self.code, forced=rules)
        self._stale = self._state.stale_files()
        return self._stale

    def is_stale(self, path: str) -> bool:
        """Whether a file is one of `stale_files`, where these were asked for."""
        return path in self._stale

    def reason(self, step: Step) -> str:
        """Why a job's files are to be made again, or for the first time; empty where they are current.

        Known once `stale_files` was asked for.
        """
        return self._state.reason(step) if self._state else ""

    def messages(self) -> list[str]:
        """Lines that say which values are doubtful, which keys have no effect, what is made again and why, what is left out,
        and what else is worth knowing before the start.
        """
        if self._state is None:
            return []
        by_reason: dict[tuple[str, str], int] = Counter()
        following, missing, n_steps = 0, 0, 0
        for step, reason in self._state.reasons():
            n_steps += 1
            if reason == MISSING:
                missing += 1
            elif reason.startswith("made from "):
                following += 1
            else:
                by_reason[step.rule, reason] += 1
        lines = [f"made again: {rule} ({n}): {reason}" for (rule, reason), n in by_reason.items()]
        if len(lines) > _MOST_LINES:
            lines = [*lines[:_MOST_LINES], f"made again: and {len(lines) - _MOST_LINES} more reasons"]
        if missing < n_steps or n_steps < sum(step.is_target for step in self.plan.steps):
            lines += [f"made: {counted(missing, 'result')} not there yet (new, or deleted)"] if missing else []
        if following:
            lines.append(f"made again: {counted(following, 'result')} made from these")
        for version, number in sorted(self._state.other_torch.items()):
            lines.append(
                f"trained with torch {version}, not the one installed: {counted(number, 'model')}, kept "
                "(same_torch: true trains them again)"
            )
        return [*self._of_configuration, *known_test_sessions(self.plan), *lines]

    def absent_files(self, wanted: Iterable[str]) -> str:
        """What to say of the files from outside that are not there though `wanted` files must be made from them; empty where
        there are all. Known once `stale_files` was asked for.
        """
        absent = self._state.absent_sources(wanted) if self._state else []
        if not absent:
            return ""
        lines = [f"  {title}: {path}" for title, path in absent]
        more = [f"  and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
        files = "a file that is" if len(lines) == 1 else f"{len(lines)} files that are"
        paths = "the paths or download.alf_root" if self.plan.config.source == "alf" else "the paths"
        head = f"The sessions sheet names {files} not there; correct {paths}, or take the sessions off the sheet:"
        return "\n".join([head, *lines[:_MOST_LINES], *more])
