"""Which commands load which heavy libraries: a job that has no use for one must not wait for it."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from neds.baselines.registry import baselines
from neds.commands.table import all_commands
from neds.model.checkpoint import Checkpoint, write_checkpoint
from tests.aligned_sessions import make_session
from tests.test_model import make_model

ROOT = Path(__file__).parents[1]
HEAVY = {"pandas", "scipy", "sklearn", "matplotlib", "torch", "ray", "umap", "numba", "ibllib", "pynwb"}
"""Each takes a quarter of a second or more."""

NETWORK = {"pandas", "torch"}
USES = {
    "download": {"pandas", "scipy", "sklearn", "matplotlib", "ibllib"},  # ibllib's loaders bring them all
    "train": NETWORK,
    "evaluate": NETWORK,
    "unit-embeddings": NETWORK,
    "submit-unit-tasks": NETWORK,
    "submit-regions": {"pandas", "scipy", "sklearn"},
    "export": NETWORK,
    "import": NETWORK,
    "predict": NETWORK,
    "tune": NETWORK | {"ray"},
    "classify-regions": {"pandas", "scipy", "sklearn"},
    "map-units": {"pandas", "scipy", "sklearn"},
    "figure-overview": NETWORK | {"matplotlib"},  # it draws masks as training does, and counts parameters
    "figure-raster": {"pandas", "scipy", "matplotlib"},
    "figure-calibration": {"pandas", "scipy", "matplotlib"},
    "mlp": {"pandas", "scipy", "sklearn"},
    "psth": {"pandas", "scipy"},
    "linear": {"pandas", "scipy", "sklearn"},
    "glm": {"pandas", "scipy"},
    "rrr": {"pandas", "scipy"},
    "rrr-multi": {"pandas", "scipy"},
    **dict.fromkeys(("ndt2", "ndt2-multi"), NETWORK),
    **dict.fromkeys(("poyo", "poyo-multi"), NETWORK | {"ray"}),
}
"""What a command or a baseline loads before it computes; the others pandas alone, figures matplotlib too."""

LOADED = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]; print(*sys.modules)"


def loaded_by(modules: set[str]) -> set[str]:
    """The heavy libraries in a process that imports the modules."""
    command = [sys.executable, "-c", LOADED, *sorted(modules)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return HEAVY & set(done.stdout.split())


@pytest.mark.slow
def test_commands_load_only_what_they_use():
    modules = {name: command.function.partition(":")[0] for name, command in all_commands().items()}
    modules |= {name: f"neds.baselines.{name.replace('-', '_')}" for name in baselines()}
    assert USES.keys() <= modules.keys()
    alike = defaultdict(set)
    for name, module in modules.items():
        usual = {"pandas", "matplotlib"} if name.startswith("figure-") else {"pandas"}
        alike[frozenset(USES.get(name, usual))].add(module)
    assert {used: loaded_by(group) for used, group in alike.items()} == {used: used for used in alike}


@pytest.mark.parametrize("init", ["scaled", "public_code"])
def test_network_is_loaded_without_torchs_compiler(init, tmp_path):
    """It costs two seconds, and torch asks for it where shapes alone are drawn at random."""
    model, store = make_model(make_session(), init=init)
    write_checkpoint(tmp_path / "model", Checkpoint(model.design, store.shapes), model.state_dict())
    code = "import sys; from pathlib import Path; from neds.model.checkpoint import load_network"
    code += "; load_network(Path(sys.argv[1])); print(*{'torch._dynamo', 'sympy'} & sys.modules.keys())"
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split() == []
