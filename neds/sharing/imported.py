"""Taking over somebody else's model: fetched or copied, looked through as something that may be hostile, and kept."""

import json
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from neds.errors import UserError
from neds.files.addresses import is_address
from neds.files.atomic import replacing_folder, write_csv, write_text
from neds.files.reading import reading
from neds.model.checkpoint import Checkpoint, load_network
from neds.sharing.description import MOST_CONFIG_BYTES, Description, read_description
from neds.sharing.export import describe, units_table, weights_record
from neds.sharing.fetch import fetch, folder_url
from neds.sharing.folder import own_folder
from neds.sharing.places import CARD, CONFIG, SOURCE, UNITS, WEIGHTS
from neds.words import counted

MOST_WEIGHT_BYTES = 4 * 2**30
_MOST_CARD_BYTES = 2**20


def import_model(*, source: str, output: Path, sha256: str = "") -> str:
    """Take over a model that somebody shared, from a folder or an address, after a look through all of it.

    Refused are files that are larger than they say, weights that are not those of the configuration, not finite, or of
    other names, types and shapes than the network has, links that lead out of the folder, and addresses that are not https.
    Nothing is unpickled or executed. Where it came from, and digests of what was taken, are kept in source.json.

    Args:
        source: folder that `neds export` wrote, or the https address of one, e.g. of a model on Hugging Face.
        output: folder to write.
        sha256: of the weights, where you know it, e.g. from a paper.

    Returns:
        What was taken over, in a line.

    Raises:
        UserError: one of the above.
    """
    with replacing_folder(own_folder(output)) as folder:
        try:
            description, checkpoint = _taken(source, folder, sha256)
        except UserError as error:
            # What is damaged is not the user's to delete and make again.
            what = str(error).partition("; delete it and run")[0].replace(str(folder), source)
            raise UserError(f"{what}; nothing was taken over") from error.__cause__
        write_csv(folder / UNITS, units_table(checkpoint))
        files = {path.name: weights_record(path).model_dump() for path in sorted(folder.iterdir())}
        write_text(folder / SOURCE, json.dumps({"source": source, "files": files}, indent=2) + "\n")
    of = counted(len(description.sessions), "session")
    return f"{output}: {description.name} of {of}, {description.licence}, sha256 {description.weights.sha256}"


def _taken(source: str, folder: Path, sha256: str) -> tuple[Description, Checkpoint]:
    """The model in `folder`, to which its files are brought one by one, each looked at before the next."""
    _bring(source, folder, CONFIG, MOST_CONFIG_BYTES)
    description = read_description(folder)
    wanted = description.weights
    if wanted.size > MOST_WEIGHT_BYTES:
        raise UserError(f"{folder / CONFIG}: its weights have {wanted.size} bytes, and may have {MOST_WEIGHT_BYTES}")
    if sha256 and sha256.lower() != wanted.sha256:
        raise UserError(
            f"{folder / CONFIG}: is of weights with SHA-256 {wanted.sha256}, not of those that --sha256 names"
        )
    _bring(source, folder, WEIGHTS, wanted.size)
    found = weights_record(folder / WEIGHTS)
    if found != wanted:
        raise UserError(
            f"{folder / WEIGHTS}: has {found.size} bytes with SHA-256 {found.sha256}; {CONFIG} says {wanted.size} and "
            f"{wanted.sha256}"
        )
    _bring(source, folder, CARD, _MOST_CARD_BYTES)
    return description, check_weights(folder, description)


def check_weights(folder: Path, description: Description) -> Checkpoint:
    """What the weights of a shared model hold, after a look through them.

    Raises:
        UserError: they are not those of a network, not those that are described, or not finite.
    """
    path = folder / WEIGHTS
    with reading(path, SafetensorError), safe_open(path, framework="pt") as handle:
        if extra := sorted((handle.metadata() or {}).keys() - {"neds"}):
            raise UserError(f"{path}: holds {extra[0]}, which is nothing of a shared model")
    network, checkpoint = load_network(path)
    if not all(tensor.isfinite().all() for tensor in network.state_dict().values() if torch.is_floating_point(tensor)):
        raise UserError(f"{path}: holds weights that are not finite")
    with reading(path):
        said = describe(
            checkpoint,
            name=description.name,
            licence=description.licence,
            versions=description.versions,
            weights=description.weights,
        )
    if said != description:
        raise UserError(f"{path}: is another model than {CONFIG} says")
    return checkpoint


def _bring(source: str, folder: Path, name: str, most_bytes: int) -> None:
    if is_address(source):
        fetch(f"{folder_url(source)}/{name}", folder / name, most_bytes=most_bytes)
        return
    path = Path(source, name)
    if not path.is_file():
        raise UserError(f"{source}: holds no {name}; name a folder that `neds export` wrote")
    _refuse_link_out(path)
    if path.stat().st_size > most_bytes:
        raise UserError(f"{path}: has more than {most_bytes} bytes")
    shutil.copyfile(path, folder / name)


def _refuse_link_out(path: Path) -> None:
    """Refuse a link to a file that does not belong to the model, e.g. to one of the user's that should stay private.

    In Hugging Face's cache the files of models--OWNER--NAME/snapshots/REVISION are links to models--OWNER--NAME/blobs.
    """
    folder, target = path.parent.resolve(), path.resolve()
    cached = folder.parent.name == "snapshots" and folder.parent.parent.name.startswith("models--")
    allowed = [folder, folder.parent.parent / "blobs"] if cached else [folder]
    if not any(target.is_relative_to(root) for root in allowed):
        raise UserError(
            f"{path}: is a link to {target}, which is outside the model's folder; copy the folder with what its links lead "
            "to (cp -rL), look through the copy, and take that"
        )
