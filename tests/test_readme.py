"""What the README shows is so."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_rule_graph_is_the_workflows():
    snakemake = Path(sys.executable).with_name("snakemake")
    printed = subprocess.run(
        [snakemake, "models", "tables", "--rulegraph", "mermaid-js", "--forceall"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    drawn = re.search(r"```mermaid\n(.*?)```", README, re.DOTALL).group(1)

    def edges(text: str) -> set[tuple[str, str]]:
        names = dict(re.findall(r"(id\d+)\[(\w+)\]", text))
        return {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", text)}

    assert edges(printed) == edges(drawn)


def test_links_and_modules_exist():
    for target in re.findall(r"\]\(([^)#h][^)#]*)", README):
        assert (ROOT / target).exists(), target
    for path in re.findall(r"`(neds/[\w/]+(?:\.py)?)`", README):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"python -m ([\w.]+)", README):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module


def test_targets_of_the_makefile_are_listed_by_help():
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in printed.splitlines()} >= {"help", "install", "run", "test"}
