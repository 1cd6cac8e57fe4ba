"""The header of a checkpoint file: what the file says of the network, without the network."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from neds.files.reading import damaged, reading

FORMAT = "neds-checkpoint-1"


def read_header(path: Path) -> dict[str, Any]:
    """What the header says (`neds.model.checkpoint.write_checkpoint`): format, record, skipped, and a network's design.

    Raises:
        UserError: missing, damaged, or no checkpoint of this project.
    """
    # A framework has to be named, also where no weights are read; numpy is the one that loads at once.
    with reading(path, SafetensorError, suffix=".safetensors"), safe_open(path, framework="numpy") as handle:
        header = json.loads((handle.metadata() or {}).get("neds", "{}"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise damaged(path, f"not a checkpoint of this version, {FORMAT}")
    return header
