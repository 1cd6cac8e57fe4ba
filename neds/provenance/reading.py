"""One definition's syntax tree read for its digest: what it says, less its messages and labels, and the names it uses."""

import ast
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

_LOG_METHODS = frozenset(("debug", "info", "warning", "error", "exception", "critical", "log"))
_LABELS = frozenset(("when", "paper", "public_code", "description", "json_schema_extra", "title"))
_LABELLED = frozenset(("Field", "key"))
"""Calls that describe a key of the configuration: what is said there for the reader changes no result."""
_SHOWN = frozenset(("NothingToDraw",))
"""Exceptions whose message is a result: the sentence in the place of a figure."""
_UNUSED_FIELDS = frozenset(("ctx", "type_comment", "kind", "type_ignores"))
_NAMES = re.compile(r"[A-Za-z_][\w.]*")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


@dataclass
class Said:
    """What a definition says.

    Attributes:
        digest: of its text.
        loads: the names that it takes from outside, with the attributes that follow, e.g. "metrics.r2".
        imports: those that it imports itself, by local name: module, and name in it ("" for the module itself).
        strings: all its strings but messages and docstrings.
    """

    digest: str = ""
    loads: list[str] = field(default_factory=list)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    strings: list[str] = field(default_factory=list)


def said(nodes: list[ast.stmt], *, loggers: set[str], package: str) -> Said:
    """What the statements `nodes` of one module say.

    Args:
        loggers: names under which the module knows loggers and the module logging.
        package: of the module, for relative imports.
    """
    reader = _Reader(loggers, package)
    for node in nodes:
        reader.visit(node)
    text = " ".join(reader.words)
    loads = sorted(set(reader.loads))
    return Said(hashlib.sha256(text.encode()).hexdigest(), loads, reader.imports, reader.strings)


def imported(node: ast.Import | ast.ImportFrom, package: str) -> dict[str, tuple[str, str]]:
    """What an import statement binds, by local name: module, and name in it ("" for the module itself)."""
    if isinstance(node, ast.Import):
        return {
            a.asname or a.name.split(".")[0]: (a.name if a.asname else a.name.split(".")[0], "") for a in node.names
        }
    module = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        module = ".".join([*above, *([module] if module else [])])
    return {alias.asname or alias.name: (module, alias.name) for alias in node.names}


def is_bare_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


class _Reader:
    """Collects words, names and strings in one pass.

    Written without ast.walk and ast.dump, which take several times as long at every parse of the Snakefile. Fields that are
    empty are left out and texts escaped, because versions of Python differ in them.
    """

    def __init__(self, loggers: set[str], package: str):
        self.words: list[str] = []
        self.loads: list[str] = []
        self.strings: list[str] = []
        self.imports: dict[str, tuple[str, str]] = {}
        self._loggers = loggers
        self._package = package
        self._bound: set[str] = set()
        self._not_bound: set[str] = set()

    def visit(self, node: ast.AST) -> None:
        kind = type(node)
        special = _SPECIAL.get(kind)
        if special is not None:
            special(self, node)
        else:
            self._generic(node, kind)

    def _generic(self, node: ast.AST, kind: type[ast.AST]) -> None:
        words = self.words
        words.append(kind.__name__)
        fields = _fields(kind)  # type: ignore[arg-type]  # a class can be hashed, whatever its instances can
        if not fields:
            return
        for name in fields:
            value = getattr(node, name, None)
            if value is None:
                continue
            if type(value) is list:
                if value:
                    words.append(name)
                    self._list(value)
            elif isinstance(value, ast.AST):
                words.append(name)
                self.visit(value)
            else:
                words.append(name)
                words.append(ascii(value))
        words.append(")")

    def _list(self, values: list) -> None:
        words = self.words
        words.append("[")
        for item in values:
            if isinstance(item, ast.AST):
                self.visit(item)
            else:
                words.append(ascii(item))
        words.append("]")

    def _name(self, node: ast.Name) -> None:
        self.words.append(node.id)
        if type(node.ctx) is ast.Load:
            self.loads.append(node.id)
        else:
            self._bound.add(node.id)

    def _attribute(self, node: ast.Attribute) -> None:
        chain = [node.attr]
        base = node.value
        while type(base) is ast.Attribute:
            chain.append(base.attr)
            base = base.value
        chain.reverse()
        if type(base) is ast.Name:
            dotted = f"{base.id}.{'.'.join(chain)}"
            self.words.append(dotted)
            self.loads.append(dotted)
            return
        self.words.append("Attribute")
        self.visit(base)
        self.words.append(".".join(chain))

    def _constant(self, node: ast.Constant) -> None:
        self.words.append(ascii(node.value))
        if type(node.value) is str:
            self.strings.append(node.value)

    def _joined(self, node: ast.JoinedStr) -> None:
        """An f-string. Versions of Python differ in how they cut its constant parts."""
        self.words.append("JoinedStr[")
        text = ""
        for part in node.values:
            if type(part) is ast.Constant:
                text += str(part.value)
                continue
            self.words.append(ascii(text))
            text = ""
            self.visit(part)
        self.words += (ascii(text), "]")

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.imports |= imported(node, self._package)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Decorators, defaults and annotations belong to the scope around it, the body has its own."""
        self._bound.add(node.name)
        self.words += (type(node).__name__, node.name)
        self._list(node.decorator_list)
        self._arguments_outside(node.args)
        if node.returns is not None:
            self.words.append("returns")
            self._annotation(node.returns)
        self._scope(lambda: self._list(node.body), arguments=node.args)

    def _lambda(self, node: ast.Lambda) -> None:
        self.words.append("Lambda")
        self._arguments_outside(node.args)
        self._scope(lambda: self.visit(node.body), arguments=node.args)

    def _arguments_outside(self, arguments: ast.arguments) -> None:
        words = self.words
        for name in ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg"):
            value = getattr(arguments, name)
            if value:
                words.append(f"({name}")
                for argument in value if isinstance(value, list) else [value]:
                    words.append(argument.arg)
                    if argument.annotation is not None:
                        self._annotation(argument.annotation)
        for name in ("defaults", "kw_defaults"):
            if values := getattr(arguments, name):
                words.append(f"({name}")
                self._list(values)

    def _scope(self, body: Callable[[], None], *, arguments: ast.arguments | None = None) -> None:
        """Read a body whose own names are none of the names that it takes from outside."""
        outer = self.loads, self._bound, self._not_bound
        self.loads, self._bound, self._not_bound = [], set(), set()
        if arguments is not None:
            for name in ("posonlyargs", "args", "kwonlyargs"):
                self._bound.update(argument.arg for argument in getattr(arguments, name))
            self._bound.update(a.arg for a in (arguments.vararg, arguments.kwarg) if a is not None)
        body()
        bound = self._bound - self._not_bound
        outer[0].extend(load for load in self.loads if load.partition(".")[0] not in bound)
        self.loads, self._bound, self._not_bound = outer

    def _comprehension(self, node: _Comprehension) -> None:
        """What is iterated over first belongs to the scope around it."""
        first, *others = node.generators
        self.words.append(type(node).__name__)
        self.visit(first.iter)

        def body() -> None:
            self.visit(first.target)
            self._list(first.ifs)
            self._list(others)
            for name in ("key", "value", "elt"):
                if hasattr(node, name):
                    self.visit(getattr(node, name))

        self._scope(body)

    def _class(self, node: ast.ClassDef) -> None:
        """A class's names are not those of its methods, so they hide nothing."""
        outer = self._bound
        outer.add(node.name)
        self._bound = set()
        self._generic(node, ast.ClassDef)
        self._bound = outer

    def _global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.words += (type(node).__name__, *node.names)
        self.loads += node.names
        self._not_bound.update(node.names)

    def _handler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bound.add(node.name)
        self._generic(node, ast.ExceptHandler)

    def _pattern(self, node: ast.AST) -> None:
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if name:
            self._bound.add(name)
        self._generic(node, type(node))

    def _annotated(self, node: ast.AnnAssign) -> None:
        self.words.append("AnnAssign")
        self.visit(node.target)
        self._annotation(node.annotation)
        if node.value is not None:
            self.visit(node.value)
        self.words.append(")")

    def _annotation(self, node: ast.expr) -> None:
        """Like any expression, but its texts name types."""
        before = len(self.strings)
        self.visit(node)
        for text in self.strings[before:]:
            self.loads += _NAMES.findall(text)

    def _expression(self, node: ast.Expr) -> None:
        value = node.value
        if type(value) is ast.Constant and type(value.value) is str:
            return
        if type(value) is ast.Call and self._only_tells(value.func):
            return
        self._generic(node, ast.Expr)

    def _only_tells(self, called: ast.expr) -> bool:
        """Whether a call writes to the log or warns."""
        if type(called) is not ast.Attribute:
            return False
        base = called.value
        name = base.id if type(base) is ast.Name else base.attr if type(base) is ast.Attribute else ""
        if called.attr in _LOG_METHODS:
            return name in self._loggers
        return name == "warnings" and called.attr == "warn"

    def _raise(self, node: ast.Raise) -> None:
        self.words.append("Raise")
        if type(node.exc) is ast.Call:
            self._call(node.exc, with_message=_last_name(node.exc.func) in _SHOWN)
        elif node.exc is not None:
            self.visit(node.exc)
        if node.cause is not None:
            self.words.append("from")
            self.visit(node.cause)
        self.words.append(")")

    def _assert(self, node: ast.Assert) -> None:
        self.words.append("Assert")
        self.visit(node.test)

    def _call(self, node: ast.Call, *, with_message: bool | None = None) -> None:
        name = _last_name(node.func)
        if with_message is None:
            with_message = not name.endswith("Error")
        keywords = node.keywords
        if name in _LABELLED:
            keywords = [keyword for keyword in keywords if keyword.arg not in _LABELS]
        self.words.append("Call")
        self.visit(node.func)
        self.words.append("(")
        for argument in node.args:
            if with_message or not _is_message(argument):
                self.visit(argument)
        for keyword in keywords:
            if with_message or not _is_message(keyword.value):
                self.words.append(f"{keyword.arg}=")
                self.visit(keyword.value)
        self.words.append(")")


def _last_name(called: ast.expr) -> str:
    return called.id if type(called) is ast.Name else called.attr if type(called) is ast.Attribute else ""


def _is_message(node: ast.expr) -> bool:
    """Whether an exception's argument is text that is put together on the spot."""
    if type(node) is ast.Constant:
        return type(node.value) is str
    if type(node) is ast.BinOp:
        return _is_message(node.left) or _is_message(node.right)
    if type(node) is ast.IfExp:
        return _is_message(node.body) and _is_message(node.orelse)
    if type(node) is ast.Call and type(node.func) is ast.Attribute:
        return node.func.attr in ("join", "format") and _is_message(node.func.value)
    return type(node) is ast.JoinedStr


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(name for name in kind._fields if name not in _UNUSED_FIELDS)


_SPECIAL: dict[type[ast.AST], Callable[[_Reader, Any], None]] = {
    ast.Name: _Reader._name,
    ast.Attribute: _Reader._attribute,
    ast.Constant: _Reader._constant,
    ast.JoinedStr: _Reader._joined,
    ast.Import: _Reader._import,
    ast.ImportFrom: _Reader._import,
    ast.FunctionDef: _Reader._function,
    ast.AsyncFunctionDef: _Reader._function,
    ast.Lambda: _Reader._lambda,
    ast.ClassDef: _Reader._class,
    ast.Global: _Reader._global,
    ast.Nonlocal: _Reader._global,
    ast.ExceptHandler: _Reader._handler,
    ast.MatchAs: _Reader._pattern,
    ast.MatchStar: _Reader._pattern,
    ast.MatchMapping: _Reader._pattern,
    ast.AnnAssign: _Reader._annotated,
    ast.Expr: _Reader._expression,
    ast.Raise: _Reader._raise,
    ast.Assert: _Reader._assert,
    ast.Call: _Reader._call,
    **dict.fromkeys(_COMPREHENSIONS, _Reader._comprehension),
}
