"""Which results are not what the plan would make, and why: judged by what stands in the files themselves.

A file is current when its stamp has the identity that the plan expects (command, values, code, and the identities of what it
is made from), and when its inputs are still the ones that it was made from. Neither times nor paths count, so that a folder
of results that was moved, renamed or copied is judged as it would be in its old place.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from neds.plan.plan import Plan
from neds.plan.step import Step
from neds.provenance.identity import identity
from neds.provenance.stamp import Stamp, can_hold, content_digest, read_stamp
from neds.words import counted

MISSING = "missing"


class Staleness:
    """The state of every result of a plan.

    Attributes:
        other_torch: how many models that are kept were made with another version of torch, by that version.
    """

    def __init__(
        self,
        plan: Plan,
        code: Callable[[Step], str],
        *,
        folder: Path = Path(),
        forced: Collection[str] = (),
    ) -> None:
        """
        Args:
            code: digest of the code that a job runs.
            folder: to which the plan's paths are relative.
            forced: rules whose results are to be made again, whatever their state.
        """
        self._plan = plan
        self._code = code
        self._folder = folder
        self._forced = forced
        self._identities: dict[str, str] = {}
        self._reasons: dict[int, str] = {}
        self._stamps: dict[str, Stamp | None] = {}
        self.other_torch: Counter[str] = Counter()

    def reasons(self) -> Iterator[tuple[Step, str]]:
        """Every job to be done again, or for the first time, with the reason. A file that no one needs may be missing."""
        for step in self._plan.steps:
            reason = self.reason(step)
            if reason and (reason != MISSING or step.is_target):
                yield step, reason

    def absent_sources(self, wanted: Iterable[str]) -> list[tuple[str, str]]:
        """Files from outside that are not there though they are needed; with the job that reads each.

        Args:
            wanted: files that are asked for.
        """
        made_by = self._plan.made_by
        waiting = [made_by[path] for path in wanted if path in made_by]
        seen: set[int] = set()
        absent = {}
        while waiting:
            step = waiting.pop()
            if id(step) in seen or not self.reason(step):
                continue
            seen.add(id(step))
            for path in step.read:
                if path in made_by:
                    waiting.append(made_by[path])
                elif not self._there(path):
                    absent[path] = step.title
        return [(title, path) for path, title in sorted(absent.items())]

    def stale_files(self) -> set[str]:
        """Files that are there and must be made again."""
        stale = (step for step, reason in self.reasons() if reason != MISSING)
        return {path for step in stale for path in step.outputs.values()}

    def reason(self, step: Step) -> str:
        """Why a job's files are to be made again; empty where they are current."""
        if id(step) not in self._reasons:
            self._reasons[id(step)] = self._judge(step)
        return self._reasons[id(step)]

    def identity(self, step: Step, path: str) -> str:
        """The identity that the plan expects of a file of a job."""
        stamp = self._stamp(step) if self._sources_are_away(step) else None
        if stamp and len(step.outputs) == 1 and (stamp.values, stamp.code) == (step.values, self._code(step)):
            self._identities[path] = stamp.identity
        if path not in self._identities:
            inputs = {name: [self._input_identity(read, step) for read in paths] for name, paths in step.inputs.items()}
            output = next(name for name, own in step.outputs.items() if own == path)
            several = len(step.outputs) > 1
            self._identities[path] = identity(
                step.command, step.values, self._code(step), inputs, output if several else ""
            )
        return self._identities[path]

    def _judge(self, step: Step) -> str:
        missing = [path for path in step.outputs.values() if not self._there(path)]
        if missing:
            # Without the carrier, the job has not ended yet or all was deleted.
            return f"{missing[0]} is missing" if step.is_target and carrier(step) not in missing else MISSING
        if step.rule in self._forced:
            return "forced"
        for path in step.read:
            maker = self._plan.made_by.get(path)
            why = self.reason(maker) if maker else ""
            if maker and why and (why != MISSING or maker.is_target):
                return f"made from {path}, which is {'missing' if why == MISSING else 'made again'}"
        stamp = self._stamp(step)
        if stamp is None:
            return "is damaged, or does not say how it was made"
        if stamp.identity != self.identity(step, carrier(step)):
            return self._difference(step, stamp)
        return self._replaced_input(step, stamp) or self._replaced_output(step, stamp) or self._torch(step, stamp)

    def _input_identity(self, path: str, reader: Step) -> str:
        maker = self._plan.made_by.get(path)
        if maker is None:
            # A file of another workflow counts in the record of a job by what made it.
            stamp = read_stamp(self._folder / path)
            return stamp.identity if stamp else self._outside(path, reader)
        if self._is_stamped(maker, path):
            return self.identity(maker, path)
        # It is known by what is in it alone.
        return _digest(self._folder / path)

    def _outside(self, path: str, reader: Step) -> str:
        """Digest of a file from outside; without reading it where its size and time are those that were recorded.

        A file that is not there, such as one on a disk that is not mounted, is taken to be what it was.
        """
        name = Path(path).name
        records = [record for record in self._recorded_sources(reader) if Path(record.name).name == name]
        file = self._folder / path
        if not file.is_file():
            return records[0].sha256 if records else ""
        try:
            found = file.stat()
        except FileNotFoundError:  # since it was looked for
            return records[0].sha256 if records else ""
        same = (r.sha256 for r in records if (r.size, r.mtime_ns) == (found.st_size, found.st_mtime_ns))
        return next(same, None) or _digest(file)

    def _sources_are_away(self, step: Step) -> bool:
        """Whether none of the files from outside that a job reads is there, so that not even their number is known."""
        outside = [path for path in step.read if path not in self._plan.made_by]
        return bool(outside) and not any(self._there(path) for path in outside)

    def _recorded_sources(self, reader: Step) -> list[Any]:
        """What is on record of the files that a job reads: in its own file, or where that is gone in what was made of it."""
        stamp = self._stamp(reader)
        if stamp is None:
            made = set(reader.outputs.values())
            later = (step for step in self._plan.steps if step.rule == "partition" and not made.isdisjoint(step.read))
            stamp = next((found for step in later if (found := self._stamp(step))), None)
        return list(stamp.sources) if stamp else []

    def _stamp(self, step: Step) -> Stamp | None:
        path = carrier(step)
        if path not in self._stamps:
            self._stamps[path] = read_stamp(self._folder / path)
        return self._stamps[path]

    def _is_stamped(self, step: Step, path: str) -> bool:
        """Whether a file has a stamp: inside it, or beside it where no file of its job can hold one."""
        return can_hold(Path(path)) or not any(can_hold(Path(own)) for own in step.outputs.values())

    def _there(self, path: str) -> bool:
        return os.path.lexists(self._folder / path)

    def _difference(self, step: Step, stamp: Stamp) -> str:
        if stamp.code != self._code(step):
            return f"the code of {step.command} has changed"
        changed = list(_changes("", stamp.values, step.values))
        if changed:
            more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""
            return ", ".join(changed[:2]) + more
        for name, paths in step.inputs.items():
            before = [record.key for record in stamp.inputs.get(name, [])]
            now = [self._input_identity(path, step) for path in paths]
            if len(before) != len(now):
                return f"made from {counted(len(before), 'file')} ({name}), now {len(now)}"
            for path, old, new in zip(paths, before, now, strict=True):
                if old != new:
                    return f"{path} has changed"
        return "made in another way"

    def _replaced_input(self, step: Step, stamp: Stamp) -> str:
        """The input that is another file than the one that was read, though made in the same way."""
        if self._sources_are_away(step):
            return ""
        for name, paths in step.inputs.items():
            for path, record in zip(paths, stamp.inputs.get(name, []), strict=True):
                maker = self._plan.made_by.get(path)
                found = self._stamp(maker) if maker and self._there(path) else None
                if found and maker and path == carrier(maker) and found.content != record.content:
                    return f"{path} was made again"
        return ""

    def _replaced_output(self, step: Step, stamp: Stamp) -> str:
        """The output that is not the one that the job wrote with the others."""
        for name, path in step.outputs.items():
            if can_hold(Path(path)):
                found = stamp if path == carrier(step) else read_stamp(self._folder / path)
                same = found is not None and found.identity == self.identity(step, path)
            else:
                same = name not in stamp.others or stamp.others[name] == _digest(self._folder / path)
            if not same:
                return f"{path} is damaged, or another file"
        return ""

    def _torch(self, step: Step, stamp: Stamp) -> str:
        made, installed = _minor(stamp.versions.get("torch", "")), _minor(_installed_torch())
        if step.command != "train" or not made or not installed or made == installed:
            return ""
        if step.operational.get("same_torch"):
            return f"made with torch {made}, {installed} is installed"
        self.other_torch[made] += 1
        return ""


def carrier(step: Step) -> str:
    """The file of a job that tells how all of them were made: the last to take its place (`neds.commands.job`)."""
    paths = list(step.outputs.values())
    return min((path for path in paths if can_hold(Path(path))), default=paths[0])


def _digest(path: Path) -> str:
    """Digest of a file; empty where there is none, or no longer: something else may be at work in the folder."""
    try:
        return content_digest(path)
    except FileNotFoundError:
        return ""


def _changes(key: str, before: Any, after: Any) -> Iterator[str]:
    """What differs between two values, as "key old -> new"."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in {**before, **after}:
            yield from _changes(f"{key}.{name}" if key else name, before.get(name), after.get(name))
    elif before != after and (before or after):
        name, texts = (
            key.removeprefix("settings."),
            ["nothing" if value is None else str(value) for value in (before, after)],
        )
        yield f"{name} {texts[0]} -> {texts[1]}" if max(map(len, texts)) <= 40 else f"{name} changed"


def _installed_torch() -> str:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""


def _minor(version: str) -> str:
    return ".".join(version.split("+")[0].split(".")[:2])
