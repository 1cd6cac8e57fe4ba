"""What a stranger installs: the package alone, its optional parts, and the environments that Snakemake makes."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envs.flat import FILES, FOLDER, asked_for, conda_file, pins
from neds import __version__
from neds.commands.cli import OPTIONAL

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def declared(texts: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in texts}


def imported_by_package() -> set[str]:
    """Top-level modules of others that some file of the package imports."""
    names = set()
    for path in (ROOT / "neds").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {"neds"}


def test_every_import_is_a_declared_dependency_and_optional_ones_are_in_the_extra_that_the_message_names():
    extras = PROJECT["optional-dependencies"]
    distributions = packages_distributions()
    for module in imported_by_package():
        needed = {canonicalize_name(name) for name in distributions[module]}
        wanted = extras[OPTIONAL[module]] if module in OPTIONAL else PROJECT["dependencies"] + extras["workflow"]
        assert needed & declared(wanted), f"{module} is imported, but {sorted(needed)} is not declared"


def test_pinned_versions_are_among_those_that_the_package_declares():
    pinned = {
        canonicalize_name(each.name): each.specifier
        for name in ("neds.txt", "ibl.txt", "loggers.txt", "workflow.txt", "poyo.txt")
        for each in asked_for(name)
    }
    texts = PROJECT["dependencies"] + [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
    for requirement in map(Requirement, texts):
        (pin,) = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pin.version), f"{requirement} does not take the pinned {pin}"


INSTALLED = ("neds.txt", "ibl.txt", "workflow.txt", "poyo.txt", "loggers.txt", "test.txt", "docs.txt")
SOURCE_ALONE = ("connection-pool",)
"""Of plain Python; all others have wheels, so that nobody needs a compiler."""


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_everything_can_be_installed_on_every_python_that_is_promised(version, tmp_path):
    """At the pinned versions, by the index alone: nothing is installed."""
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]
    files = [str(ROOT / "envs" / name) for name in INSTALLED]
    wheels = ["--only-binary", ":all:", *(word for name in SOURCE_ALONE for word in ("--no-binary", name))]
    where = ["--python-version", version, "--python-platform", "linux", "--output-file", str(tmp_path / "all.txt")]
    resolved = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "--quiet", *wheels, *where, *files],
        capture_output=True,
        text=True,
    )
    if "error sending request" in resolved.stderr:
        pytest.skip(f"the package index cannot be reached: {resolved.stderr.strip().splitlines()[-1]}")
    assert resolved.returncode == 0, resolved.stderr
    found = {
        Requirement(line.split(" #")[0]).name
        for line in (tmp_path / "all.txt").read_text().splitlines()
        if "==" in line
    }
    assert {"torch", "snakemake", "ibllib", "pynwb", "wandb"} <= found


@pytest.fixture(scope="module")
def installed_alone(tmp_path_factory) -> Path:
    """A folder in which nothing but the wheel is installed."""
    folder = tmp_path_factory.mktemp("alone")
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, tracked):
        if name.startswith(("neds/", "snakemake_logger_plugin_neds/")) or name in (
            "pyproject.toml",
            "README.md",
            "LICENSE",
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(source)], check=True)
    return folder / "site"


def neds(site: Path, *words: str, without: tuple[str, ...] = (), cwd: Path) -> subprocess.CompletedProcess:
    """The installed program, where the modules `without` cannot be imported."""
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in without)
    start = f"import sys; sys.path.insert(0, {str(site)!r}); {blocked}from neds.commands.cli import main; main()"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # Without the current folder, in which the sources may lie.
    return subprocess.run(
        [sys.executable, "-P", "-c", start, *words], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_wheel_holds_the_package_and_its_data_and_nothing_else(installed_alone):
    assert {path.name for path in installed_alone.iterdir()} == {
        "neds",
        "snakemake_logger_plugin_neds",
        f"neds-{__version__}.dist-info",
        "bin",
    }
    package = {
        path.relative_to(ROOT / "neds") for path in (ROOT / "neds").rglob("*") if path.suffix in (".yaml", ".html")
    }
    assert all((installed_alone / "neds" / path).exists() for path in package)
    assert (installed_alone / "neds" / "py.typed").exists()


def test_snakemake_finds_the_logger_of_an_editable_installation(tmp_path):
    """Only packages on the path are looked at, which is not how setuptools installs by itself."""
    for name in ("neds", "snakemake_logger_plugin_neds"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    subprocess.run([*pip, "--prefix", str(tmp_path / "prefix"), "--editable", str(tmp_path)], check=True)
    (path_file,) = (tmp_path / "prefix").rglob("*neds*.pth")
    assert path_file.read_text().strip() == str(tmp_path)


def test_wheel_works_without_its_optional_parts_and_says_which_is_missing(installed_alone, tmp_path):
    missing = tuple(OPTIONAL)
    assert neds(installed_alone, "--version", without=missing, cwd=tmp_path).stdout.strip() == __version__
    assert "pretrain" in neds(installed_alone, "config", without=missing, cwd=tmp_path).stdout
    (tmp_path / "sheet.tsv").write_text("eid\trole\n")
    said = neds(installed_alone, "sessions", "--tag", "Brainwidemap", without=missing, cwd=tmp_path)
    assert said.returncode == 1
    assert said.stderr.splitlines()[-1].endswith("pip install 'neds[one]'")
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("name", FILES)
def test_conda_files_are_those_of_the_requirement_files(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == conda_file(name), "run `make envs`"


def test_conda_files_name_exact_versions_and_no_other_file():
    for name, (_, sources) in FILES.items():
        # What scores submissions has versions of its own.
        own_versions = sources if name == "benchmark.yaml" else []
        own = {canonicalize_name(each.name) for source in own_versions for each in asked_for(source)}
        *_, packages = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))["dependencies"]
        requirements = [Requirement(text) for text in packages["pip"]]
        assert all(str(each.specifier).startswith("==") for each in requirements)
        for each in requirements:
            pin = pins().get(canonicalize_name(each.name))
            if pin and canonicalize_name(each.name) not in own:
                assert str(each.specifier) == pin[pin.index("==") :]


CONDA = """#!{python}
import json, os, sys
words = sys.argv[1:]
with open({calls!r}, "a") as file:
    file.write(json.dumps(words) + "\\n")
if words[:1] == ["info"]:
    print(json.dumps({{"conda_version": "25.1.0", "conda_prefix": {prefix!r}, "platform": "linux-64"}}))
elif words[:1] == ["--version"]:
    print("conda 25.1.0")
elif words[:2] == ["config", "--get"] or words[:2] == ["config", "--show"]:
    print(json.dumps({{"get": {{"channel_priority": "strict"}}}}))
elif words[:2] == ["env", "create"] or words[:1] == ["create"]:
    os.makedirs(words[[i for i, word in enumerate(words) if word in ("--prefix", "-p")][0] + 1], exist_ok=True)
"""


@pytest.mark.slow
def test_snakemake_gives_conda_files_that_stand_alone(tmp_path):
    """A stand-in for conda sees what Snakemake hands over."""
    (tmp_path / "bin").mkdir()
    conda, calls = tmp_path / "bin" / "conda", tmp_path / "calls.jsonl"
    conda.write_text(CONDA.format(python=sys.executable, calls=str(calls), prefix=str(tmp_path / "base")))
    conda.chmod(0o755)
    for name in ("bin", "etc"):
        (tmp_path / "base" / name).mkdir(parents=True)
    (tmp_path / "base" / "bin" / "activate").touch()
    words = ["--sdm", "conda", "--conda-create-envs-only", "--cores", "1"]
    said = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake"),
            *words,
            "--snakefile",
            str(ROOT / "Snakefile"),
            "-d",
            str(tmp_path / "run"),
        ],
        env=os.environ | {"PATH": f"{conda.parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr[-2000:]
    given = [json.loads(line) for line in calls.read_text().splitlines()]
    files = {Path(word) for words in given if "create" in words for word in words if word.endswith(".yaml")}
    # The rule that scores a submission is there where one is made.
    always = FILES.keys() - {"benchmark.yaml"}
    assert {path.read_text() for path in files} == {(FOLDER / name).read_text() for name in always}
