"""Digests of code: what the definitions say that an entry function reaches, and nothing else of the package.

Found by reading the source; nothing is imported or run. A function, class or constant reaches the names that it uses; the
statements that a module runs when it is imported count for whoever imports it, those of the plumbing too. What says nothing
about a result does not count: comments, docstrings, layout, messages (texts of exceptions, log lines, warnings), labels of
configuration keys, and the plumbing below.

A digest is that of the set of reached definitions, each with what the names in it mean, wherever they stand: a definition
that moves to another module unchanged changes nothing. Not found are functions that are called by a name composed at
run time, or kept by a decorator that registers them; a table names its functions as "module:function", which is followed,
and "package.*:name" is what every module of the package calls so.
"""

import ast
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from neds.provenance.reading import Said, imported, is_bare_text, said

_PLUMBING = {
    "neds.errors": "an exception that carries a message",
    "neds.settings": "checks values, which count by themselves",
    "neds.validation": "likewise",
    "neds.processes": "asks whether a process lives",
    "neds.files.atomic": "how a file appears, not what is in it",
    "neds.files.roles": "what a job does with a path",
    "neds.files.reading": "turns failures into messages",
    "neds.download.ranges": "how the bytes of a file arrive, not what is in it",
    "neds.download.retries": "how often a server is asked",
    "neds.download.stalls": "when a server is given up",
    "neds.provenance": "records what made a result",
    "neds.partition.behaviour:require_measured": "only refuses",
}
"""Modules, packages and definitions that no result depends on, and why."""
_STATEMENTS = "<statements>"
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\.\*)?:[A-Za-z_]\w*")
_DATA_FILE = re.compile(r"[\w-]+\.(yaml|yml|json|csv|tsv|txt|html|css|js)")
Definition = tuple[str, str]
"""Module, and name of the definition in it."""


def code_digest(*entries: str) -> str:
    """Digest (16 hexadecimal digits) of the code that the given entries reach.

    Args:
        entries: "module:definition", e.g. "neds.partition.stage:partition", or "module" for all that it defines.

    Raises:
        LookupError: there is no such module or definition.
    """
    return _this_package().digest(*entries)


def reached(*entries: str) -> dict[str, str]:
    """The definitions that the entries reach, "module:definition" -> digest of its own text."""
    return _this_package().reached(*entries)


@cache
def _this_package() -> "Package":
    return Package(Path(__file__).parents[2], "neds")


class Package:
    """The source of one package, read as far as it is asked for, once."""

    def __init__(self, root: Path, name: str):
        """
        Args:
            root: folder that holds the package.
        """
        self._root = root
        self._name = name
        self._modules: dict[str, _Module] = {}
        self._files: dict[str, Path | None] = {}
        self._meanings: dict[Definition, _Meaning] = {}
        self._run: dict[str, frozenset[str]] = {}

    def digest(self, *entries: str) -> str:
        """As `code_digest`."""
        contents = {self._content(definition) for definition in self._reached(entries)}
        return hashlib.sha256("".join(sorted(contents)).encode()).hexdigest()[:16]

    def reached(self, *entries: str) -> dict[str, str]:
        """As the function of this name."""
        found = sorted(self._reached(entries))
        return {f"{module}:{name}": self._meaning((module, name)).digest for module, name in found}

    def _reached(self, entries: Iterable[str]) -> set[Definition]:
        waiting = [definition for entry in entries for definition in self._entry(entry)]
        found: set[Definition] = set()
        run: set[str] = set()
        while waiting:
            definition = waiting.pop()
            if definition in found:
                continue
            found.add(definition)
            meaning = self._meaning(definition)
            waiting += meaning.reaches
            for module in (definition[0], *meaning.imports):
                new = self._run_by(module) - run
                run |= new
                waiting += [(name, _STATEMENTS) for name in new if self._module(name).statements]
        return found

    def _entry(self, entry: str) -> list[Definition]:
        module, _, name = entry.partition(":")
        if self._file(module) is None or (name and name not in self._module(module).definitions):
            raise LookupError(f"no definition {entry} in the code under {self._root}")
        return [(module, name)] if name else [(module, own) for own in self._module(module).definitions]

    def _content(self, definition: Definition) -> str:
        """Digest of a definition's text together with the texts of what the names in it mean."""
        meaning = self._meaning(definition)
        names = [f"{name}={self._meaning(target).digest}" for name, target in meaning.names]
        return hashlib.sha256("\n".join([meaning.digest, *names]).encode()).hexdigest()

    def _meaning(self, definition: Definition) -> "_Meaning":
        if definition not in self._meanings:
            self._meanings[definition] = self._read(definition)
        return self._meanings[definition]

    def _read(self, definition: Definition) -> "_Meaning":
        name, module = definition[1], self._module(definition[0])
        found = module.said(name)
        imports = module.imports | found.imports
        names: list[tuple[str, Definition]] = []
        reaches: list[Definition] = []
        outside: list[str] = []
        for load in found.loads:
            first, *attributes = load.split(".")
            if first in imports and (first in found.imports or first not in module.definitions):
                source, imported_name = imports[first]
                if source.partition(".")[0] != self._name:
                    outside.append(f"{first} is {source} {imported_name}")
                    continue
                targets = self._follow(source, [imported_name, *attributes] if imported_name else attributes)
            else:
                targets = [(module.name, first)] if first in module.definitions else []
            targets = [target for target in targets if not _is_plumbing(target)]
            reaches += targets
            if len(targets) == 1:
                names.append((load, targets[0]))
        outside += self._data_files(module, found)
        for text in found.strings:
            if _FUNCTION.fullmatch(text) and text.partition(".")[0] == self._name:
                reaches += self._named(text)
        text = "\n".join([found.digest, *sorted(set(outside))])
        own = {source for source, _ in found.imports.values() if source.partition(".")[0] == self._name}
        return _Meaning(
            digest=hashlib.sha256(text.encode()).hexdigest(),
            names=names,
            reaches=reaches,
            imports=sorted(self._existing(own)),
        )

    def _follow(self, module: str, names: list[str]) -> list[Definition]:
        """The definitions that the attributes `names`, one of the other, of a module mean; all when there are none."""
        if self._file(module) is None:
            return []
        found = self._module(module)
        if not names:
            return [(module, name) for name in found.definitions]
        first, *others = names
        if first in found.definitions:
            return [(module, first)]
        if first in found.imports:
            source, name = found.imports[first]
            return self._follow(source, [name, *others] if name else others)
        return self._follow(f"{module}.{first}", others)

    def _named(self, text: str) -> list[Definition]:
        package, _, name = text.partition(":")
        modules = [package]
        if package.endswith(".*"):
            folder = self._root.joinpath(*package.split(".")[:-1])
            modules = [f"{package[:-2]}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
        found = [module for module in modules if self._file(module) is not None]
        known = [(module, name) for module in found if name in self._module(module).definitions]
        return [definition for definition in known if not _is_plumbing(definition)]

    def _data_files(self, module: "_Module", found: Said) -> list[str]:
        """What the files beside a module hold that its texts name."""
        names = [text for text in found.strings if _DATA_FILE.fullmatch(text)]
        paths = [path for name in names if (path := module.path.with_name(name)).is_file()]
        return [f"{path.name} holds {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths]

    def _run_by(self, module: str) -> frozenset[str]:
        """The modules of this package that run when `module` is imported, itself included."""
        if module not in self._run:
            found: set[str] = set()
            waiting = [module]
            while waiting:
                name = waiting.pop()
                if name in found or self._file(name) is None:
                    continue
                found.add(name)
                if "." in name:
                    waiting.append(name.rpartition(".")[0])
                waiting += self._existing(self._module(name).imported)
            self._run[module] = frozenset(found)
        return self._run[module]

    def _existing(self, modules: Iterable[str]) -> list[str]:
        return [name for name in modules if name.partition(".")[0] == self._name and self._file(name) is not None]

    def _file(self, module: str) -> Path | None:
        if module not in self._files:
            path = self._root.joinpath(*module.split("."))
            paths = (path.with_suffix(".py"), path / "__init__.py")
            self._files[module] = next((path for path in paths if path.is_file()), None)
        return self._files[module]

    def _module(self, name: str) -> "_Module":
        if name not in self._modules:
            path = self._file(name)
            if path is None:
                raise LookupError(f"no module {name} in the code under {self._root}")
            self._modules[name] = _Module(name, path)
        return self._modules[name]


@dataclass(frozen=True)
class _Meaning:
    """A definition's digest, what its names mean, what it reaches, and modules that it imports when it runs."""

    digest: str
    names: list[tuple[str, Definition]]
    reaches: list[Definition]
    imports: list[str]


@dataclass
class _Module:
    """One module's top level.

    Attributes:
        definitions: the statements that define each name.
        imports: what import statements bind, by local name: module, and name in it ("" for the module itself).
        imported: modules that run when this one is imported.
        statements: all others, which run when the module is imported.
    """

    name: str
    path: Path
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    imported: set[str] = field(default_factory=set)
    statements: list[ast.stmt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._package = self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]
        for node in ast.parse(self.path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._add_import(node, runs=True)
            elif names := _defined(node):
                for name in names:
                    self.definitions.setdefault(name, []).append(node)
            elif not is_bare_text(node):
                only_types = _is_for_types(node)
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Import | ast.ImportFrom):
                        self._add_import(inner, runs=not only_types)
                if not only_types:
                    self.statements.append(node)

    def said(self, name: str) -> Said:
        nodes = self.statements if name == _STATEMENTS else self.definitions[name]
        return said(nodes, loggers=self._loggers, package=self._package)

    def _add_import(self, node: ast.Import | ast.ImportFrom, *, runs: bool) -> None:
        bound = imported(node, self._package)
        self.imports |= bound
        if runs:
            self.imported.update(f"{module}.{name}" for module, name in bound.values() if name)
            self.imported.update(module for module, _ in bound.values())
            if isinstance(node, ast.Import):
                self.imported.update(alias.name for alias in node.names)

    @cached_property
    def _loggers(self) -> set[str]:
        """Names of loggers and of the module logging."""
        made = {name for name, nodes in self.definitions.items() if any(_makes_logger(node) for node in nodes)}
        return made | {name for name, source in self.imports.items() if source == ("logging", "")}


def _is_plumbing(definition: Definition) -> bool:
    module, name = definition
    if f"{module}:{name}" in _PLUMBING:
        return True
    parts = module.split(".")
    return any(".".join(parts[:count]) in _PLUMBING for count in range(2, len(parts) + 1))


def _defined(node: ast.stmt) -> list[str]:
    """Names that a statement defines and does nothing else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return _names(node.target)
    if isinstance(node, ast.Assign):
        names = [_names(target) for target in node.targets]
        return [name for some in names for name in some] if all(names) else []
    return []


def _names(target: ast.expr) -> list[str]:
    """Names that an assignment binds; none when it changes something else too."""
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, ast.Starred):
        return _names(target.value)
    if isinstance(target, ast.Tuple | ast.List):
        names = [_names(element) for element in target.elts]
        return [name for some in names for name in some] if all(names) else []
    return []


def _is_for_types(node: ast.stmt) -> bool:
    """Whether a statement is an `if TYPE_CHECKING:`, which never runs."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    return getattr(node.test, "id", getattr(node.test, "attr", "")) == "TYPE_CHECKING"


def _makes_logger(node: ast.stmt) -> bool:
    called = getattr(getattr(node, "value", None), "func", None)
    return getattr(called, "attr", getattr(called, "id", "")) == "getLogger"
