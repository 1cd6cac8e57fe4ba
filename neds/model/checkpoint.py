"""A trained network on disk: one safetensors file whose header says, as JSON, how to build the network again."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from neds.errors import UserError
from neds.files.atomic import replacing
from neds.files.reading import reading
from neds.modalities import Modality
from neds.model.header import FORMAT, read_header
from neds.model.known import KnownSession
from neds.model.modes import Mode
from neds.model.network import NEDS, Design
from neds.model.settings import BEFORE_THEY_WERE_KEYS, MOST_BINS, ModelSettings
from neds.model.stitching import SessionShape

_KNOWN = "known_sessions"
"""JSON as a tensor of bytes: units of hundreds of sessions are too much for a header."""
_KNOWN_SESSIONS = TypeAdapter(list[KnownSession])


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds beside the weights.

    Attributes:
        design: how to build the network; None when training was skipped.
        sessions: the sessions that the network was trained on.
        known: what the model knows of these.
        record: how it came about: seed, epoch, validation scores, what it was initialised from.
        skipped: why no network was trained; empty when one was.
    """

    design: Design | None = None
    sessions: list[SessionShape] = field(default_factory=list)
    known: list[KnownSession] = field(default_factory=list)
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
            "n_context": design.n_context,
        }
        header["sessions"] = [{"eid": s.eid, "units": s.units} for s in checkpoint.sessions]
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    known = json.dumps([asdict(known) for known in checkpoint.known]).encode()
    tensors[_KNOWN] = torch.frombuffer(bytearray(known), dtype=torch.uint8)
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"neds": json.dumps(header)})


def read_checkpoint(path: Path, *, with_weights: bool = True) -> tuple[Checkpoint, dict[str, torch.Tensor]]:
    """The description and the weights; of these none, and only the header is read, without `with_weights`.

    Raises:
        UserError: missing, damaged, or no checkpoint of this project.
    """
    header = read_header(path)
    with reading(path, SafetensorError), safe_open(path, framework="pt") as handle:
        names = set(handle.keys())
        known = handle.get_tensor(_KNOWN).numpy().tobytes() if _KNOWN in names else b"[]"
        weights = {name: handle.get_tensor(name) for name in sorted(names - {_KNOWN}) if with_weights}
        return _checkpoint(header, _KNOWN_SESSIONS.validate_json(known)), weights


def _checkpoint(header: dict, known: list[KnownSession]) -> Checkpoint:
    if "design" not in header:
        return Checkpoint(record=header["record"], skipped=header["skipped"])
    design = header["design"]
    modalities = [Modality.model_validate(entry) for entry in design["modalities"]]
    mode = design["mode"]
    return Checkpoint(
        design=Design(
            settings=ModelSettings.model_validate(BEFORE_THEY_WERE_KEYS | design["settings"]),
            modalities={m.name: m for m in modalities},
            mode=Mode(tuple(mode["inputs"]), tuple(mode["outputs"]), mode["scheme_weights"]),
            n_bins=design["n_bins"],
            n_context=design.get("n_context", 0),
        ),
        sessions=[SessionShape(entry["eid"], entry["units"]) for entry in header["sessions"]],
        known=known,
        record=header["record"],
    )


def load_network(path: Path) -> tuple[NEDS, Checkpoint]:
    """The network with its weights, in evaluation mode.

    The file may come from anybody: no more memory is taken than the weights that it holds need.

    Raises:
        UserError: as `read_checkpoint`, or training was skipped.
    """
    checkpoint, weights = read_checkpoint(path)
    if checkpoint.design is None:
        raise UserError(f"{path}: holds no network, because training was skipped: {checkpoint.skipped}")
    with reading(path):
        _refuse_misfit(checkpoint.design, checkpoint.sessions, weights)
        model = NEDS(checkpoint.design, checkpoint.sessions)
        model.load_state_dict(weights)
    return model.eval(), checkpoint


def _refuse_misfit(design: Design, sessions: list[SessionShape], weights: dict[str, torch.Tensor]) -> None:
    """Raise a ValueError where the weights are not those of the network that the file describes."""
    n_bins, layers = design.n_context + design.n_bins, design.settings.layers
    if design.n_context < 0 or n_bins > MOST_BINS or layers > len(weights):
        raise ValueError(f"{n_bins} bins and {layers} layers, which its weights are not of")
    # On this device tensors have shapes alone.
    with torch.device("meta"):
        expected = {name: (tensor.shape, tensor.dtype) for name, tensor in NEDS(design, sessions).state_dict().items()}
    found = {name: (tensor.shape, tensor.dtype) for name, tensor in weights.items()}
    unlike = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if unlike:
        raise ValueError(f"weights {unlike[0]} are not of the network that it describes")
