"""Weights that several test sessions start from: one safetensors file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from neds.errors import UserError
from neds.files.atomic import replacing
from neds.files.reading import damaged, reading

_FORMAT = "neds-baseline-1"


def write_weights(path: Path, weights: Mapping[str, Tensor], description: dict[str, Any]) -> None:
    """Write weights, and the description that they can be used with alone; without weights the file says there are none."""
    header = {"format": _FORMAT, "description": description}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"neds": json.dumps(header, sort_keys=True)})


def load_weights(path: Path, network: nn.Module, description: dict[str, Any], *, own: tuple[str, ...]) -> bool:
    """Put the weights in a network; whether there are any.

    Args:
        description: what the network is; it must be what was written.
        own: beginnings of the names of what is no part of the file.

    Raises:
        UserError: missing, damaged, no such file, or of another network.
    """
    with reading(path, SafetensorError), safe_open(path, framework="pt") as handle:
        header = json.loads((handle.metadata() or {}).get("neds", "{}"))
        weights = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118 - it is no mapping
    if header.get("format") != _FORMAT:
        raise damaged(path, f"no weights of a baseline, {_FORMAT}")
    if not weights:
        return False
    expected = {name: value.shape for name, value in network.named_parameters() if not name.startswith(own)}
    if header["description"] != json.loads(json.dumps(description)) or expected != {
        name: value.shape for name, value in weights.items()
    }:
        raise UserError(f"{path}: was pretrained with other settings, behaviours or bins; pretrain again")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in weights:
                parameter.copy_(weights[name])
    return True
