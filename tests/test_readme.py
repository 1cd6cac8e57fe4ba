"""What the README shows is so."""

import inspect
import re
import subprocess
from pathlib import Path

from neds.commands.cli import function_of
from neds.commands.table import command_named
from neds.config import check_config
from neds.plan.graph import STAGES, mermaid
from neds.plan.plan import Plan

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_rule_graph_is_the_workflows():
    plan = Plan(*check_config({}, base=ROOT))
    assert re.search(r"```mermaid\n(.*?)```", README, re.DOTALL).group(1).strip() == mermaid(plan)
    assert {rule for rules in STAGES.values() for rule in rules} == {step.rule for step in plan.steps}


def test_targets_stand_before_options_that_would_take_them():
    """Snakemake takes all words behind --configfile for files."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/examples").iterdir()]
    commands = [found for page in pages for found in re.findall(r"snakemake [^`\n#]*", page.read_text())]
    behind = [words for command in commands for words in re.findall(r"--configfile((?: [^-\s]\S*)*)", command)]
    assert len(behind) > 5 and all(len(words.split()) <= 1 for words in behind), behind


def test_links_and_modules_exist():
    for target in re.findall(r"\]\(([^)#h][^)#]*)", README):
        assert (ROOT / target).exists(), target
    for path in re.findall(r"`(neds/[\w/]+(?:\.py)?)`", README):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"python -m ([\w.]+)", README):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module


def test_every_shown_neds_command_and_option_exists():
    shown = []
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL):
            shown += re.findall(r"^neds ([a-z-]+)(.*)$", block.replace("\\\n", " "), re.MULTILINE)
    assert {name for name, _ in shown} >= {"predict", "export", "import"}
    for name, rest in shown:
        command = command_named(name)
        assert command, name
        options = inspect.signature(function_of(command)).parameters
        unknown = {option.replace("-", "_") for option in re.findall(r" --([a-z0-9-]+)", rest)} - set(options)
        assert not unknown - {option.removeprefix("as_") for option in options}, (name, unknown)


def test_targets_of_the_makefile_are_listed_by_help():
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[0] for line in printed.splitlines()} >= {"help", "install", "run", "test"}
