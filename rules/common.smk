import json
import os
import platform
import sys
from pathlib import Path
from typing import get_args

from snakemake.settings.types import DeploymentMethod

# The package lies beside this workflow, wherever the workflow is run from. Without conda, the rules' `python` is the one that
# runs Snakemake, whether or not its environment is activated.
sys.path.insert(0, workflow.basedir)
ENVIRONMENT = f"export PYTHONPATH='{workflow.basedir}'; export NEDS_SNAKEMAKE={platform.node()}/{os.getpid()}; "
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    ENVIRONMENT += f"export PATH='{Path(sys.executable).parent}':$PATH; "
# A signal to all processes of a job is for the command in it, which may want to save its state: bash waits for it, and tee
# writes down its last words.
SIGNALS = 'trap : TERM; tee() {{ trap "" INT TERM; command tee "$@"; }}; '
shell.prefix(f"set -euo pipefail; {SIGNALS}{ENVIRONMENT}")

from neds.baselines.names import BaselineName
from neds.catalogue import FIGURES, TABLES, Catalogue
from neds.config import check_config
from neds.errors import UserError
from neds.figures.paper import read_paper_numbers
from neds.provenance import code_digest
from neds.roster import CONVERTED

try:
    CONFIG, SESSIONS = check_config(config, base=Path.cwd())
except UserError as error:
    raise WorkflowError(f"the configuration cannot be used:\n{error}") from None

RESULTS = CONFIG.results
BY_EID = {session.eid: session for session in SESSIONS}
TRAIN_EIDS = [session.eid for session in SESSIONS if session.role == "train"]
TEST_EIDS = [session.eid for session in SESSIONS if session.role == "test"]
CATALOGUE = Catalogue(CONFIG, SESSIONS)


wildcard_constraints:
    eid="[A-Za-z0-9_-]+",
    mode="mm|encoding|decoding",
    training="[A-Za-z0-9_-]+",
    pretraining_set="[A-Za-z0-9_-]+?",
    trials="(-[0-9]+trials)?",
    seed="[0-9]+",
    stage="pretraining|sessions",
    search="[A-Za-z0-9_-]+/[A-Za-z0-9_-]+",
    baseline="|".join(get_args(BaselineName)),


include: "settings.smk"
include: "paths.smk"
include: "drawn.smk"
