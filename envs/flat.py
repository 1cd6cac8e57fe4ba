"""Write the conda files of this folder from the requirement files: `make envs`.

Snakemake copies a conda file alone to where it makes the environment, so that none may refer to a requirement file. Each
lists every package that its requirements bring in, at the version of constraints.txt.
"""

import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = Path(__file__).parent
FILES = {
    "neds.yaml": ("every stage but the download", ["neds.txt"]),
    "ibl.yaml": ("the download stage", ["neds.txt", "ibl.txt"]),
    "benchmark.yaml": ("the scores of BrainWideBench", ["benchmark.txt"]),
}
_HEAD = """\
# For `snakemake --sdm conda`: {purpose}. Written by `make envs` from {sources}.
channels: [conda-forge, nodefaults]
dependencies:
  - python=3.11
  - pip=26.0
  - pip:
"""


def asked_for(name: str) -> list[Requirement]:
    """What a requirement file asks for, with the files that it includes; constraints are not."""
    found = []
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found += asked_for(text.removeprefix("-r ").strip())
        elif text and not text.startswith("-"):
            found.append(Requirement(text))
    return found


def pins() -> dict[str, str]:
    """The line `name==version` of every constraint, by normalised name."""
    lines = (FOLDER / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {str(canonicalize_name(line.partition("==")[0])): line for line in lines if re.match(r"\w", line)}


def brought_in(requirements: Iterable[Requirement]) -> set[str]:
    """Normalised names of all that the requirements need, themselves included, by the metadata of what is installed."""
    names: set[str] = set()
    waiting = [(str(canonicalize_name(each.name)), frozenset(each.extras)) for each in requirements]
    seen = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        names.add(name)
        try:
            needed = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        waiting += [
            (str(canonicalize_name(each.name)), frozenset(each.extras))
            for each in needed
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in (extras or {""}))
        ]
    return names


def conda_file(name: str) -> str:
    """The text of a conda file."""
    purpose, sources = FILES[name]
    asked = [requirement for source in sources for requirement in asked_for(source)]
    lines = {str(canonicalize_name(each.name)): str(each) for each in asked}
    constrained = pins()
    # torch brings its own CUDA packages in at the versions that it wants.
    others = brought_in(asked) & constrained.keys()
    wanted = {each: constrained[each] for each in others} | lines
    packages = "".join(f"      - {wanted[each]}\n" for each in sorted(wanted))
    return _HEAD.format(purpose=purpose, sources=" and ".join(sources)) + packages


if __name__ == "__main__":
    for file in FILES:
        (FOLDER / file).write_text(conda_file(file), encoding="utf-8")
