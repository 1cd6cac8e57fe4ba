"""CPU seconds until a command computes: imports, options, and the digest of its code, beside its libraries alone.

    python -m benchmarks.start_up

The limit is a process that imports the heavy libraries of the command and nothing else.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.measurement import Measurement, report, spent
from neds.baselines.registry import baselines
from neds.commands.table import all_commands

ROOT = Path(__file__).parents[1]
PRETRAINING = "pretrain-baseline"
"""A command for those baselines alone that have a pretraining."""
HEAVY = ("numpy", "pandas", "h5py", "scipy", "sklearn", "matplotlib", "torch", "ray", "ibllib", "one")
STARTED = """
import sys
from neds.commands.cli import program
from neds.commands.code import command_code
from neds.commands.table import command_named
command = command_named(sys.argv[1])
program(command)
command_code(command, {"name": sys.argv[2], "format": "nwb"})
heavy = sys.argv[3].split(",")
print(*(name for name in sys.modules if name.partition(".")[0] in heavy))
"""


def started(command: str) -> tuple[float, list[str]]:
    """CPU seconds of a start, and the modules of heavy libraries that it imported."""
    baseline = next(one.name for one in baselines().values() if one.is_pretrained or command != PRETRAINING)
    arguments = [sys.executable, "-c", STARTED, command, baseline, ",".join(HEAVY)]
    with spent() as start:
        printed = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return start.cpu_s, printed.split()


def importing(modules: list[str]) -> float:
    """CPU seconds of a process that imports them."""
    code = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1].split()]"
    with spent() as start:
        subprocess.run([sys.executable, "-c", code, " ".join(modules)], capture_output=True, check=True)
    return start.cpu_s


def main() -> None:
    """Report every command."""
    floors: dict[frozenset[str], float] = {}
    for name in all_commands():
        cpu_s, modules = started(name)
        libraries = frozenset(module.partition(".")[0] for module in modules)
        if libraries not in floors:
            floors[libraries] = importing(modules)
        report(
            Measurement(
                section="Start of a command",
                what=f"`{name}` ({', '.join(sorted(libraries & set(HEAVY) - {'numpy'})) or 'no heavy library'})",
                value=cpu_s,
                unit="CPU s",
                limit=floors[libraries],
                limited_by="its libraries alone",
            )
        )


if __name__ == "__main__":
    main()
