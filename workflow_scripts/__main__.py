"""`neds COMMAND ...`, the same as `python -m workflow_scripts.COMMAND ...`."""

import runpy
import sys
from pathlib import Path


def main() -> None:
    commands = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        asked_for_help = sys.argv[1:] in ([], ["--help"], ["-h"])
        usage = f"usage: neds COMMAND ...; each explains itself: neds COMMAND --help\ncommands: {', '.join(commands)}"
        sys.exit(usage if not asked_for_help else print(usage))
    name = sys.argv.pop(1)
    sys.argv[0] = f"neds {name}"
    runpy.run_module(f"workflow_scripts.{name}", run_name="__main__")


if __name__ == "__main__":
    main()
