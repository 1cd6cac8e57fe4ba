"""Run every benchmark that a CPU can run, and write docs/performance.md and its picture.

    make bench                                        # all of it
    python -m benchmarks.performance growth start_up  # these anew; the others keep their figures

The figures of a GPU are those of docs/gpu_check.jsonl, which benchmarks/gpu_check.sh wrote (docs/cluster.md).

Each benchmark is a process of its own, one after the other: nothing else should run on the machine. What they print is kept
in docs/performance.jsonl, of which the page is made. One that takes longer than its limit, or than is left of the quarter
of an hour, is ended, and the page says so.
"""

import argparse
import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch
from matplotlib.figure import Figure

from benchmarks.gpu_results import gpu_measurements
from benchmarks.machine import processor
from benchmarks.measurement import Measurement, measurements
from neds.figures.style import figure_style
from neds.files.atomic import replacing, write_text

DOCS = Path(__file__).parents[1] / "docs"
RECORDS, PAGE, PICTURE = DOCS / "performance.jsonl", DOCS / "performance.md", DOCS / "performance.png"
GPU_RECORDS = DOCS / "gpu_check.jsonl"
GROWTH = "How cost grows with "
ALL_S = 900.0
"""Limit of all benchmarks of a call together."""


@dataclass(frozen=True)
class Benchmark:
    """A module of this folder, its arguments, and when it is ended."""

    module: str
    arguments: tuple[str, ...] = ()
    most_s: float = 120.0


BENCHMARKS = [
    Benchmark("machine", most_s=30),
    Benchmark("training_step", most_s=180),
    Benchmark("evaluation", most_s=90),
    Benchmark("partition"),
    Benchmark("baseline_cost"),
    Benchmark("start_up", most_s=180),
    Benchmark("dry_run", ("--sessions", "84"), most_s=90),
    Benchmark("growth", most_s=200),
    Benchmark("default_run", most_s=420),
]


def run(benchmark: Benchmark, *, left_s: float) -> str:
    """What a benchmark prints on standard output, and a line that says why there is no more of it.

    Args:
        left_s: time for this one and those after it.
    """
    most_s = min(benchmark.most_s, max(0.0, left_s))
    command = [sys.executable, "-m", f"benchmarks.{benchmark.module}", *benchmark.arguments]
    # A session of its own, so that its own processes end with it.
    process = subprocess.Popen(command, cwd=DOCS.parent, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        printed, said = process.communicate(timeout=most_s)[0], ""
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        printed, said = process.communicate()[0], f"ended after {most_s:.0f} s\n"
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    if process.returncode and not said:
        said = f"failed, exit status {process.returncode}\n"
    return f"{printed}{said}"


def records() -> dict[str, str]:
    """What each benchmark printed last, by module."""
    if not RECORDS.exists():
        return {}
    parts = RECORDS.read_text().split("# benchmarks.")[1:]
    return {name: printed for name, _, printed in (part.partition("\n") for part in parts)}


def page(printed: dict[str, str], on_gpu: Sequence[Measurement] = ()) -> str:
    """The page, in Markdown.

    Args:
        on_gpu: what was measured on a GPU, by another computer.
    """
    paragraphs = [
        "# Performance",
        "Written by `make bench`; a figure is of the machine and the day that it was made on.",
        f"{processor()}; {len(os.sched_getaffinity(0))} cores; torch {torch.__version__}, {torch.get_num_threads()} threads",
        "*share of the limit*: the time that this machine's measured limit allows, by the time that was taken. "
        "*plain way*: what else one would do, in the same run; *times faster* is against it.",
        "What options save, and what they cost in scores: fewer tokens and bf16 ([training.md](training.md#fewer-tokens)), "
        "dropout of keys ([training.md](training.md#dropout-in-attention)), and on a GPU compiled layers "
        "([cluster.md](cluster.md#what-was-seen-on-one)).",
    ]
    for module, text in printed.items():
        for section, own in groupby(measurements(text), key=lambda one: one.section):
            paragraphs += [f"## {section}", table(list(own))]
        if any(one.section.startswith(GROWTH) for one in measurements(text)):
            paragraphs += [f"![Trials per second and peak memory]({PICTURE.name})"]
        paragraphs += explanation(module)
    for section, own in groupby(on_gpu, key=lambda one: one.section):
        paragraphs += [f"## {section}", table(list(own))]
    for module, text in printed.items():
        ended = [line for line in text.splitlines() if line.startswith(("ended", "failed"))]
        paragraphs += [f"`benchmarks.{module}`: {line}." for line in ended]
    return "\n\n".join(paragraphs) + "\n"


def explanation(module: str) -> list[str]:
    """What the page says of a benchmark: the paragraphs of its docstring behind the command."""
    docstring = ast.get_docstring(ast.parse((Path(__file__).with_name(f"{module}.py")).read_text(encoding="utf-8")))
    return [" ".join(part.split()) for part in (docstring or "").partition("python -m")[2].split("\n\n")[1:]]


def table(rows: Sequence[Measurement]) -> str:
    """Measurements of a section as a Markdown table, without the columns that all of them leave empty."""
    columns: dict[str, list[str]] = {"": [row.what for row in rows]}
    columns["measured"] = [_quantity(row.value, row.unit) for row in rows]
    for name in dict.fromkeys(name for row in rows for name in row.further):
        columns[name] = [_number(row.further.get(name)) for row in rows]
    columns["share of the limit"] = [
        f"{row.limit / row.value:.0%} ({row.limited_by})" if row.limit and row.value else "" for row in rows
    ]
    columns["plain way"] = [f"{_quantity(row.plain, row.unit)} ({row.plain_way})" if row.plain else "" for row in rows]
    columns["times faster"] = [f"{row.plain / row.value:.1f}" if row.plain and row.value else "" for row in rows]
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    lines = [kept.keys(), ["---"] * len(kept), *zip(*kept.values(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2g}" if value < 10 else f"{value:.1f}"


def _quantity(value: float | None, unit: str) -> str:
    return f"{_number(value)} {unit}".strip() if value is not None else ""


@figure_style()
def growth_figure(found: Sequence[Measurement]) -> Figure:
    """Trials per second above peak memory, a column for what grows."""
    grown = [one for one in found if one.section.startswith(GROWTH)]
    sections = list(dict.fromkeys(one.section for one in grown))
    figure = Figure(figsize=(2.2 * len(sections), 3.4), layout="constrained")
    axes = figure.subplots(2, len(sections), sharex="col", sharey="row", squeeze=False)
    for column, section in enumerate(sections):
        own = [one for one in grown if one.section == section]
        ticks = [float(one.what) for one in own]
        for row, quantity in enumerate(("trials/s", "peak memory (GB)")):
            ax = axes[row, column]
            values = [one.further[quantity] for one in own]
            ax.plot(ticks, values, marker="o", markersize=3, color="black")
            ax.set_xscale("log", base=2)
            ax.set_xticks(ticks, [one.what for one in own])
            if not column:
                ax.set_ylabel(quantity)
        axes[1, column].set_xlabel(section.removeprefix(GROWTH))
    # Last, because a limit that is set ends the search for one that shows everything.
    for ax in axes[:, 0]:
        ax.set_ylim(bottom=0)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [benchmark.module for benchmark in BENCHMARKS]
    parser.add_argument("modules", nargs="*", choices=[[], *names], help="benchmarks to run anew; all by default")
    chosen = parser.parse_args().modules or names
    printed = records()
    began = time.monotonic()
    for benchmark in BENCHMARKS:
        if benchmark.module in chosen:
            started = time.monotonic()
            printed[benchmark.module] = run(benchmark, left_s=ALL_S - (started - began))
            print(f"{benchmark.module}: {time.monotonic() - started:.0f} s", flush=True)
    printed = {name: printed[name] for name in names if name in printed}
    write_text(RECORDS, "".join(f"# benchmarks.{name}\n{text.strip()}\n" for name, text in printed.items()))
    found = [one for text in printed.values() for one in measurements(text)]
    if any(one.section.startswith(GROWTH) for one in found):
        with replacing(PICTURE) as temporary:
            growth_figure(found).savefig(temporary, format="png", dpi=150)
    write_text(PAGE, page(printed, list(gpu_measurements(GPU_RECORDS))))
    print(PAGE)


if __name__ == "__main__":
    main()
