"""A digest of code changes exactly when code changes that the result depends on."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from neds.provenance import code_digest, reached
from neds.provenance.code import Package

ROOT = Path(__file__).parents[1]
ENTRIES = {
    "synthetic": "neds.synthetic.stage",
    "download": "neds.download.stage",
    "partition": "neds.partition.stage:partition",
    "training": "neds.training.stage:run_training",
    "tuning": "neds.tuning.stage:run_tuning",
    "evaluation": "neds.evaluation.stage",
    "bars": "neds.figures.bars",
    "benchmark": "neds.tables.benchmark",
}
TRAINED = {"training", "tuning"}


@pytest.fixture
def source(tmp_path) -> Path:
    """A copy of the project's package, to edit."""
    shutil.copytree(ROOT / "neds", tmp_path / "neds", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "neds"


def digests(source: Path) -> dict[str, str]:
    package = Package(source.parent, "neds")
    return {name: package.digest(entry) for name, entry in ENTRIES.items()}


NEW_FUNCTION = "\n\n\ndef new_thing(truth):\n    return truth.mean()\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        # What a result depends on.
        ("model/masking.py", "hidden.clone()", "hidden.clone().clone()", TRAINED),
        ("model/network.py", "class NEDS(nn.Module):\n", "class NEDS(nn.Module):\n    own = 1\n", TRAINED | {"evaluation"}),
        ("training/settings.py", "0.15, gt=0", "0.16, gt=0", TRAINED),
        ("training/stage.py", "torch.manual_seed(run.seed)", "torch.manual_seed(run.seed + 1)", TRAINED),
        ("training/resume.py", "_LARGEST_SHARE_OF_TIME = 0.05", "_LARGEST_SHARE_OF_TIME = 0.06", TRAINED),
        ("evaluation/metrics.py", "np.mean(by_class)", "np.median(by_class)", TRAINED | {"evaluation"}),
        ("partition/split.py", "_CLOCK_S = ", "_CLOCK_S = 1 + ", {"partition"}),
        ("modalities.py", '"block": ["0.2"', '"block": ["0.3"', {"partition"}),
        ("baselines/psth.py", 'title="trial average"', 'title="average"', {"bars", "benchmark"}),
        ("figures/names.py", '"r2": "R²"', '"r2": "r²"', {"bars", "benchmark"}),
        ("training/__init__.py", "", "import torch\n\ntorch.set_flush_denormal(True)\n", TRAINED),
        ("__init__.py", "", "print(1)\n", set(ENTRIES)),
        # What no result depends on.
        ("modalities.py", 'label="wheel speed"', 'label="speed of the wheel"', set()),
        ("modalities.py", 'Modality(name="licks"', 'Modality(name="blinks", kind="counts"), Modality(name="licks"', set()),
        ("evaluation/metrics.py", "\n\n\ndef accuracy", NEW_FUNCTION + "\n\ndef accuracy", set()),
        ("evaluation/score.py", '{"accuracy": ', '{"another": Score(0.5, 1), "accuracy": ', {"evaluation"}),
        ("training/loop.py", "stopped early at epoch %d", "ended early, at epoch %d", set()),
        ("training/loop.py", "its state is saved, start it again to go on", "start it again", set()),
        ("training/step.py", "# Seeded at every step", "# Each step has a seed", set()),
        ("training/stage.py", "pretrain again with these settings", "pretrain once more", set()),
        ("training/stage.py", '"""Size of the data and of the model', '"""How large data and model are', set()),
        ("training/stage.py", "unit-hours, ", "unit hours, ", set()),
        ("training/settings.py", '"""Trials per optimiser step."""', '"""Trials of one step."""', set()),
        ("training/settings.py", "\n\nclass TrainingRun", "\n\nUNUSED = 1\n\n\nclass TrainingRun", set()),
        ("training/__init__.py", "", '"""How networks are trained."""\n', set()),
        ("errors.py", "class UserError(Exception):\n", "class UserError(Exception):\n    where = None\n", set()),
        ("files/atomic.py", 'encoding="utf-8"', 'encoding="UTF-8"', set()),
        ("files/reading.py", "delete it and run snakemake again", "delete it", set()),
        ("settings.py", "allow_inf_nan=False", "allow_inf_nan=True", set()),
        ("download/retries.py", "WAITS_S = (2,", "WAITS_S = (1,", set()),
    ],
)  # fmt: skip
def test_edit_changes_the_stages_that_depend_on_it(source, file, old, new, changed):
    before = digests(source)
    path = source / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1) + "\n# a comment at the end\n")
    after = digests(source)
    assert {stage for stage in ENTRIES if before[stage] != after[stage]} == changed
    path.write_text(text)
    assert digests(source) == before


def test_digest_of_the_running_package_imports_nothing_heavy():
    """The Snakefile computes all digests whenever a job starts."""
    code = (
        "import sys; from neds.provenance import code_digest; print(code_digest('neds.training.stage:run_training'))\n"
        "assert not {'numpy', 'torch', 'pandas', 'h5py', 'pyarrow', 'pydantic'} & sys.modules.keys()"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == code_digest(ENTRIES["training"])
    assert "neds.model.network:NEDS" in reached(ENTRIES["training"])


@pytest.mark.parametrize("entry", ["neds.nothing:function", "neds.training.stage:nothing", "neds.nothing", ""])
def test_unknown_entry_is_refused(entry):
    with pytest.raises(LookupError, match="no definition"):
        code_digest(entry)


def write(folder: Path, **files: str) -> Package:
    """A package `own` with the given modules; "a__b" is module b of package a."""
    shutil.rmtree(folder / "own", ignore_errors=True)
    for name, text in {"__init__": "", **files}.items():
        path = (folder / "own").joinpath(*name.removesuffix("__init__").split("__"))
        path = path / "__init__.py" if name.endswith("__init__") else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(textwrap.dedent(text))
    return Package(folder, "own")


def names(package: Package, entry: str = "own.main:run") -> set[str]:
    return {name.removeprefix("own.") for name in package.reached(entry)}


HELPERS = """
    def used(x):
        return x + 1

    def unused(x):
        return x + 2

    class Thing:
        def size(self):
            return used(3)
"""


@pytest.mark.parametrize(
    ("main", "found"),
    [
        ("from own.helpers import used\ndef run(): return used(1)", {"helpers:used"}),
        ("from own.helpers import used as u\ndef run(): return u(1)", {"helpers:used"}),
        ("from own import helpers\ndef run(): return helpers.used(1)", {"helpers:used"}),
        ("import own.helpers\ndef run(): return own.helpers.used(1)", {"helpers:used"}),
        ("import own.helpers as h\ndef run(): return h.used(1)", {"helpers:used"}),
        ("from .helpers import used\ndef run(): return used(1)", {"helpers:used"}),
        ("from . import helpers\ndef run(): return helpers.used(1)", {"helpers:used"}),
        ("def run():\n    from own.helpers import used\n    return used(1)", {"helpers:used"}),
        ("from own.helpers import Thing\ndef run(thing: Thing): return thing.size()", {"helpers:Thing", "helpers:used"}),
        ("from own.helpers import Thing\ndef run(x: 'list[Thing]'): return x", {"helpers:Thing", "helpers:used"}),
        (
            "import typing\nif typing.TYPE_CHECKING:\n    from own.helpers import Thing\ndef run(x: 'Thing'): return x",
            {"helpers:Thing", "helpers:used"},
        ),
        ("def run(): return 'own.helpers:used'", {"helpers:used"}),
        ("def run(): return 'own.helpers:absent'", set()),
        ("from own.helpers import used\ndef run(used): return used", set()),
        ("from own.helpers import used\ndef run(): return [used for used in (1, 2)]", set()),
        ("from own.helpers import used\ndef run(): return [used for used in used(1)]", {"helpers:used"}),
        ("from own.helpers import used, unused\nA, B = used(1), 2\ndef run(): return B", {"main:B", "helpers:used"}),
        ("from own.helpers import used\nTABLE: dict = {'a': used}\ndef run(): return TABLE", {"main:TABLE", "helpers:used"}),
        ("from own.helpers import used\ndef run(): raise ValueError(f'not {used(1)}')", set()),
        ("from own.helpers import used\ndef run(): raise ValueError('not', used(1))", {"helpers:used"}),
        ("import logging\nfrom own.helpers import used\nlog = logging.getLogger()\ndef run(): log.info(used(1))", set()),
        ("from own.helpers import used\ndef run(log): log.info(used(1))", {"helpers:used"}),
        ("import warnings\nfrom own.helpers import used\ndef run(): warnings.warn(used(1))", set()),
        ("from own.helpers import used\ndef run():\n    assert 1, used(1)", set()),
        ("from own.helpers import used as u\nif u(1):\n    pass\ndef run(): pass", {"main:<statements>", "helpers:used"}),
    ],
)  # fmt: skip
def test_names_are_followed_to_what_they_mean(tmp_path, main, found):
    assert names(write(tmp_path, main=main, helpers=HELPERS)) == {"main:run", *found}


def test_names_are_followed_through_packages_that_export_them(tmp_path):
    package = write(
        tmp_path,
        main="from own.sub import used\ndef run(): return used(1)",
        sub____init__="from own.sub.inner import used",
        sub__inner=HELPERS,
    )
    assert names(package) == {"main:run", "sub.inner:used"}


MAIN = "from own.helpers import used\ndef run(): return used(1)"


def test_definition_may_move_to_another_module(tmp_path):
    before = write(tmp_path, main=MAIN, helpers=HELPERS).digest("own.main:run")
    moved = MAIN.replace("own.helpers", "own.elsewhere.deep")
    assert write(tmp_path, main=moved, elsewhere__deep=HELPERS).digest("own.main:run") == before


def test_names_that_change_places_change_the_digest(tmp_path):
    """The set of definitions stays the same, but not which of them is meant."""
    main = "from own.a import f\nfrom own.b import g\ndef run(): return f(), g()"
    one, two = "def _h(): return 1\n", "def _h(): return 2\n"
    f, g = "def f(): return _h()\n", "def g(): return _h() + 1\n"
    before = write(tmp_path, main=main, a=one + f, b=two + g).digest("own.main:run")
    assert write(tmp_path, main=main, a=two + f, b=one + g).digest("own.main:run") != before
    other = "from numpy import sum as total\ndef run(): return total()"
    before = write(tmp_path, main=other).digest("own.main:run")
    assert write(tmp_path, main=other.replace("numpy", "math")).digest("own.main:run") != before


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("lr: float = key(1, when='a')", "lr: float = key(1, when='b', paper='c')", False),
        ("lr: float = key(1, when='a')", "lr: float = key(2, when='a')", True),
        ("x  =  [1,2]", "x = [\n    1,\n    2,\n]", False),
        ("f'a {x} b'", "f'a {x} ' 'b'", False),
        ("raise NothingToDraw('a')", "raise NothingToDraw('b')", True),
        ("raise OSError('a')", "raise OSError('b')", False),
        ("raise OSError('a')", "raise TypeError('a')", True),
        ("error = OSError('a')", "error = OSError('b')", False),
        ("1.0", "1", True),
        ("def f(a, /, b, *, c=1): pass", "def f(a, b, *, c=1): pass", True),
        ("match x:\n        case 1: pass", "match x:\n        case 2: pass", True),
    ],
)
def test_what_counts_of_a_text(tmp_path, old, new, changes):
    main = "def run(x):\n    {}\n"
    before = write(tmp_path, main=main.format(old)).digest("own.main:run")
    assert (write(tmp_path, main=main.format(new)).digest("own.main:run") != before) == changes


def test_a_data_file_of_the_package_counts(tmp_path):
    main = "def run(): return open('facts.yaml')"
    before = write(tmp_path, main=main).digest("own.main:run")
    package = write(tmp_path, main=main)
    (tmp_path / "own" / "facts.yaml").write_text("a: 1\n")
    assert package.digest("own.main:run") != before
