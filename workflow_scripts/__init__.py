"""What the rules call: `python -m workflow_scripts COMMAND ...` is `neds COMMAND ...` wherever this folder lies.

The spelling of earlier versions, `python -m workflow_scripts.COMMAND ...`, does the same and says so.
"""

import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from neds.commands.table import command_named

_SOURCE = """
import sys
from neds.commands.cli import main
print("python -m {module} is now: python -m {package} {command}", file=sys.stderr)
sys.argv.insert(1, "{command}")
main()
"""


class _EarlierSpelling(MetaPathFinder, InspectLoader):
    """Finds a module of this package for every command."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        return (
            ModuleSpec(fullname, self, origin=__file__)
            if package == __name__ and name[:1] != "_" and command_named(name)
            else None
        )

    def get_source(self, fullname: str) -> str:
        command = command_named(fullname.rpartition(".")[2])
        return _SOURCE.format(module=fullname, package=__name__, command=command.name if command else "")


sys.meta_path.insert(0, _EarlierSpelling())
