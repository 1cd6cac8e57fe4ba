"""The code that a job runs: the stage's function, what an option chooses, and what calls them."""

import ast
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from neds.commands.table import Command
from neds.provenance.code import code_digest

_CALLERS = ("neds.commands.cli:_runner", "neds.commands.job:run_job")
_ROOT = Path(__file__).parents[2]


def command_code(
    command: Command, values: Mapping[str, Any], *, digest: Callable[..., str] = code_digest, root: Path = _ROOT
) -> str:
    """Digest of all code by which a command makes its results with these values of its options.

    Args:
        digest: of entries, of another copy of the package where it is not this one.
        root: folder that holds the package.
    """
    text = " ".join([digest(*command.code(values)), digest(*_CALLERS), _scripts(root)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _scripts(root: Path) -> str:
    """What the scripts say that rules call, without comments and docstrings; nothing where the package lies alone."""
    said = []
    for path in sorted((root / "workflow_scripts").glob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        said += [ast.unparse(node) for node in body if not _is_text(node)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
