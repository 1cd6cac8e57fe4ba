"""Code digests change exactly when code that a stage depends on changes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def package(tmp_path) -> Path:
    """A copy of the package, to edit."""
    shutil.copytree(ROOT / "neds", tmp_path / "neds", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "neds"


def digests(package: Path) -> dict[str, str]:
    stages = (
        "synthetic.stage",
        "download.stage",
        "partition.stage",
        "training.stage",
        "evaluation.stage",
        "figures.bars",
        "tables.benchmark",
    )
    code = f"from neds.provenance import code_digest\nfor s in {stages}: print(s, code_digest('neds.' + s))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=package.parent, capture_output=True, text=True, check=True
    )
    return dict(line.split() for line in printed.stdout.splitlines())


@pytest.mark.parametrize(
    ("module", "old", "new", "changed"),
    [
        ("model/masking.py", "hidden.clone()", "hidden.clone().clone()", {"training.stage", "evaluation.stage"}),
        ("model/masking.py", "Draw a scheme", "Choose a scheme", set()),
        ("model/masking.py", "# ", "# ", set()),
        ("training/settings.py", "Field(100, ge=1)", "Field(101, ge=1)", {"training.stage"}),
        ("figures/bars.py", "\n\ndef ", "\n\nX = 1\n\n\ndef ", {"figures.bars"}),
        ("figures/style.py", "\n\ndef ", "\n\nX = 1\n\n\ndef ", {"figures.bars"}),
        ("figures/names.py", "\n\ndef ", "\n\nX = 1\n\n\ndef ", {"figures.bars", "tables.benchmark"}),
        ("partition/split.py", "\n\ndef ", "\n\nX = 1\n\n\ndef ", {"partition.stage"}),
        ("download/stage.py", "\n\ndef ", "\n\nX = 1\n\n\ndef ", {"download.stage"}),
    ],
)  # fmt: skip
def test_edit_changes_the_stages_that_depend_on_it(package, module, old, new, changed):
    before = digests(package)
    path = package / module
    text = path.read_text()
    assert old in text or not changed
    path.write_text(text.replace(old, new, 1) + "\n# a comment at the end\n")
    after = digests(package)
    assert {stage for stage in before if before[stage] != after[stage]} == changed
    path.write_text(text)
    assert digests(package) == before
