"""A trained network on disk: one safetensors file whose header says, as JSON, how to build the network again."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from neds.errors import UserError
from neds.files.atomic import replacing
from neds.files.reading import reading
from neds.modalities import Modality
from neds.model.header import FORMAT, read_header
from neds.model.modes import Mode
from neds.model.network import NEDS, Design
from neds.model.settings import ModelSettings
from neds.model.stitching import SessionShape


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds beside the weights.

    Attributes:
        design: how to build the network; None when training was skipped.
        sessions: the sessions that the network was trained on.
        record: how it came about: seed, epoch, validation scores, what it was initialised from.
        skipped: why no network was trained; empty when one was.
    """

    design: Design | None = None
    sessions: list[SessionShape] = field(default_factory=list)
    record: dict = field(default_factory=dict)
    skipped: str = ""


def write_checkpoint(path: Path, checkpoint: Checkpoint, weights: dict[str, torch.Tensor]) -> None:
    header = {"format": FORMAT, "record": checkpoint.record, "skipped": checkpoint.skipped}
    if checkpoint.design is not None:
        design = checkpoint.design
        header["design"] = {
            "settings": design.settings.model_dump(),
            "modalities": [m.model_dump() for m in design.modalities.values()],
            "mode": asdict(design.mode),
            "n_bins": design.n_bins,
        }
        header["sessions"] = [{"eid": s.eid, "units": s.units} for s in checkpoint.sessions]
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"neds": json.dumps(header)})


def read_checkpoint(path: Path, *, with_weights: bool = True) -> tuple[Checkpoint, dict[str, torch.Tensor]]:
    """The description and the weights; of these none, and only the header is read, without `with_weights`.

    Raises:
        UserError: missing, damaged, or no checkpoint of this project.
    """
    header = read_header(path)
    with reading(path, SafetensorError), safe_open(path, framework="pt") as handle:
        names = handle.keys() if with_weights else []
        weights = {name: handle.get_tensor(name) for name in names}
        return _checkpoint(header), weights


def _checkpoint(header: dict) -> Checkpoint:
    if "design" not in header:
        return Checkpoint(record=header["record"], skipped=header["skipped"])
    design = header["design"]
    modalities = [Modality.model_validate(entry) for entry in design["modalities"]]
    mode = design["mode"]
    return Checkpoint(
        design=Design(
            settings=ModelSettings.model_validate(design["settings"]),
            modalities={m.name: m for m in modalities},
            mode=Mode(tuple(mode["inputs"]), tuple(mode["outputs"]), mode["scheme_weights"]),
            n_bins=design["n_bins"],
        ),
        sessions=[SessionShape(entry["eid"], entry["units"]) for entry in header["sessions"]],
        record=header["record"],
    )


def load_network(path: Path) -> tuple[NEDS, Checkpoint]:
    """The network with its weights, in evaluation mode.

    Raises:
        UserError: as `read_checkpoint`, or training was skipped.
    """
    checkpoint, weights = read_checkpoint(path)
    if checkpoint.design is None:
        raise UserError(f"{path}: holds no network, because training was skipped: {checkpoint.skipped}")
    model = NEDS(checkpoint.design, checkpoint.sessions)
    with reading(path):
        model.load_state_dict(weights)
    return model.eval(), checkpoint
