"""Digests of code, data and settings: what decides whether a result is stale."""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


def code_digest(*modules: str) -> str:
    """Digest of the given modules of this package and of all its modules that they import, directly or not.

    Comments, docstrings and layout do not count, so that editing them makes nothing stale.

    Args:
        modules: dotted names, e.g. "neds.partition.stage".
    """
    closure: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in closure:
            closure.add(module)
            waiting += _parsed(module)[1]
    content = "".join(f"{module}:{_parsed(module)[0]}\n" for module in sorted(closure))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def settings_digest(settings: object) -> str:
    """Digest of a JSON-able value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


@cache
def _parsed(module: str) -> tuple[str, list[str]]:
    """Digest of one module's code without docstrings, and the modules of this package that it imports."""
    path = _PACKAGE.parent.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    words: list[str] = []
    imported: set[str] = set()
    _describe(ast.parse(path.read_text(encoding="utf-8")), words, imported)
    digest = hashlib.sha256(" ".join(words).encode()).hexdigest()
    return digest, sorted(name for name in imported if _is_module_here(name))


def _describe(node: ast.AST, words: list[str], imported: set[str]) -> None:
    """Append to `words` what the syntax tree says, less bare texts, and collect the names of imported modules.

    Empty fields are left out, because versions of Python differ in them. One pass, where ast.walk and ast.dump would take
    twice the time of every parse of the Snakefile.
    """
    if isinstance(node, ast.Import):
        imported.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        imported.add(node.module)
        imported.update(f"{node.module}.{alias.name}" for alias in node.names)
    words.append(type(node).__name__)
    for field in node._fields:
        value = getattr(node, field, None)
        if isinstance(value, ast.AST):
            words.append(field)
            _describe(value, words, imported)
        elif isinstance(value, list) and value:
            words.append(f"{field} [")
            for item in value:
                if not isinstance(item, ast.AST):
                    words.append(repr(item))
                elif not _is_bare_text(item):
                    _describe(item, words, imported)
            words.append("]")
        elif value is not None and value != []:
            words += (field, repr(value))
    words.append(")")


def _is_bare_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _is_module_here(name: str) -> bool:
    if name.split(".")[0] != _PACKAGE.name:
        return False
    path = _PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
