"""How a benchmark reports: a measurement is a line of JSON, of which `benchmarks.performance` makes a page."""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One figure.

    Attributes:
        section: heading that it stands under.
        what: what was measured.
        value: in `unit`, smaller is better; None where something else is reported.
        unit: of `value`, `limit` and `plain`.
        limit: the value that this machine's measured limit allows.
        limited_by: which limit: matrix rate, memory bandwidth, ...
        plain: the value of the plain way, in the same run.
        plain_way: what that is.
        further: other numbers, by the heading of their column.
    """

    section: str
    what: str
    value: float | None = None
    unit: str = ""
    limit: float | None = None
    limited_by: str = ""
    plain: float | None = None
    plain_way: str = ""
    further: dict[str, float] = field(default_factory=dict)


def report(measurement: Measurement) -> None:
    """Print a measurement: for people on a terminal, else as a line of JSON."""
    said = {name: value for name, value in asdict(measurement).items() if value not in (None, "", {})}
    if sys.stdout.isatty():
        print(", ".join(f"{name} {_short(value)}" for name, value in said.items()), flush=True)
    else:
        print(json.dumps(said), flush=True)


def measurements(printed: str) -> Iterator[Measurement]:
    """Those in what a benchmark printed."""
    for line in printed.splitlines():
        if line.startswith("{"):
            yield Measurement(**json.loads(line))


@dataclass
class Spent:
    """Wall and CPU seconds of a block; those of child processes that ended in it count as CPU."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextmanager
def spent() -> Iterator[Spent]:
    """Measure a block."""
    before, start_s, found = os.times(), time.perf_counter(), Spent()
    yield found
    after = os.times()
    found.wall_s = time.perf_counter() - start_s
    found.cpu_s = sum(after[:4]) - sum(before[:4])


def seconds(function: Callable[[], object]) -> float:
    """Wall seconds of a call."""
    with spent() as found:
        function()
    return found.wall_s


def peak_gb() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
