import json
import os
import sys
from pathlib import Path

# The package lies beside this workflow, wherever the workflow is run from.
sys.path.insert(0, workflow.basedir)
shell.prefix(f"export PYTHONPATH='{workflow.basedir}'; ")

from neds.config import check_config
from neds.errors import UserError
from neds.provenance import code_digest

try:
    CONFIG, SESSIONS = check_config(config, base=Path.cwd())
except UserError as error:
    raise WorkflowError(f"the configuration cannot be used:\n{error}") from None

RESULTS = CONFIG.results
BY_EID = {session.eid: session for session in SESSIONS}
TRAIN_EIDS = [session.eid for session in SESSIONS if session.role == "train"]
TEST_EIDS = [session.eid for session in SESSIONS if session.role == "test"]


wildcard_constraints:
    eid="[A-Za-z0-9_-]+",
    mode="mm|encoding|decoding",
    regime="scratch|finetuned",
    seed="[0-9]+",
    baseline="[a-z]+",


include: "settings.smk"
include: "paths.smk"
