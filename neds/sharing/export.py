"""A trained model as one folder that can be given away: weights, configuration, units and a card."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from neds import __version__
from neds.errors import UserError
from neds.evaluation.tables import metrics_table
from neds.files.atomic import replacing_folder, write_csv, write_text
from neds.model.checkpoint import Checkpoint, load_network, write_checkpoint
from neds.provenance import content_digest, read_stamp, software_in_use
from neds.sharing.card import card, scores_of
from neds.sharing.description import NAME, Description, TrainedSession, WeightsFile
from neds.sharing.folder import own_folder
from neds.sharing.places import CARD, CONFIG, UNITS, WEIGHTS


def export_model(
    *,
    checkpoint: Path,
    output: Path,
    licence: str,
    metrics: Sequence[Path] = (),
    model: str = "",
    data: str = "",
) -> str:
    """Write a trained model as one folder that others can load, fine-tune and cite.

    It holds model.safetensors, config.json, units.csv and README.md, a card as Hugging Face has it. The trials themselves
    are not in it; marks by which seen trials are recognised are.

    Args:
        checkpoint: best.safetensors of the model.
        output: folder to write; its name is the model's.
        licence: of the weights, an SPDX identifier, e.g. mit or cc-by-4.0.
        metrics: tables of scores (results/tables/metrics.csv) for the card.
        model: whose scores these are, by its label in the tables, e.g. neds-mm-finetuned-all.
        data: a sentence or two on the recordings, for the card.

    Returns:
        What was written, in a line.

    Raises:
        UserError: no network, no licence, a name that cannot be used, a folder that `own_folder` refuses, or no such scores.
    """
    own = own_folder(output)
    name = own.name
    if not re.fullmatch(NAME, name):
        raise UserError(f"--output: the model is called after its folder, {name!r}: letters, digits, - and _ only")
    if not licence.strip():
        raise UserError("--licence: is empty; name the licence of the weights, e.g. mit or cc-by-4.0")
    # Building it shows that the file is whole.
    network, found = load_network(checkpoint)
    if not _knows_its_sessions(found):
        raise UserError(f"{checkpoint}: does not say what it was trained on; train it again with this version")
    stamp = read_stamp(checkpoint)
    scores = scores_of(metrics_table(list(metrics)), model) if metrics else pd.DataFrame()
    with replacing_folder(own) as folder:
        write_checkpoint(folder / WEIGHTS, _without_paths(found), network.state_dict())
        described = describe(
            found,
            name=name,
            licence=licence,
            versions={"neds": __version__} | (stamp.versions if stamp else software_in_use()),
            weights=weights_record(folder / WEIGHTS),
        )
        write_text(folder / CONFIG, as_json(described))
        write_csv(folder / UNITS, units_table(found))
        write_text(folder / CARD, card(described, scores, data=data))
    return f"{output}: {name}, {described.weights.size / 1e6:.1f} MB, sha256 {described.weights.sha256}"


def describe(
    checkpoint: Checkpoint, *, name: str, licence: str, versions: dict[str, str], weights: WeightsFile
) -> Description:
    """The configuration of a model.

    Raises:
        KeyError, ValueError: the checkpoint does not say how it was trained, or on what.
    """
    design = checkpoint.design
    if design is None or not _knows_its_sessions(checkpoint):
        raise ValueError("it does not say what it was trained on")
    first = checkpoint.known[0]
    units = {shape.eid: shape.units for shape in checkpoint.sessions}
    return Description(
        name=name,
        mode=checkpoint.record["mode"],
        inputs=list(design.mode.inputs),
        outputs=list(design.mode.outputs),
        modalities=list(design.modalities.values()),
        n_bins=design.n_bins,
        n_context=design.n_context,
        bin_s=first.bin_s,
        window_start_s=first.window_start_s,
        model=design.settings,
        seed=checkpoint.record["seed"],
        sessions=[
            TrainedSession(
                eid=known.eid,
                subject=known.subject,
                lab=known.lab,
                n_units=units[known.eid],
                n_trials=known.n_trials,
                sha256=known.sha256,
            )
            for known in checkpoint.known
        ],
        trained_before=checkpoint.record.get("trained_before", {}),
        licence=licence,
        versions=versions,
        weights=weights,
    )


def weights_record(path: Path) -> WeightsFile:
    return WeightsFile(size=path.stat().st_size, sha256=content_digest(path))


def as_json(description: Description) -> str:
    return json.dumps(description.model_dump(mode="json"), indent=2) + "\n"


def units_table(checkpoint: Checkpoint) -> pd.DataFrame:
    """All units that a model was trained on: eid, unit (its column in the session's counts), and what is known of each."""
    tables = [pd.DataFrame(known.units) for known in checkpoint.known]
    for known, table in zip(checkpoint.known, tables, strict=True):
        table.insert(0, "eid", known.eid)
        table.insert(1, "unit", range(len(table)))
    return pd.concat(tables, ignore_index=True)


def _without_paths(checkpoint: Checkpoint) -> Checkpoint:
    """Without where files lay on the computer that trained it."""
    pretrained = checkpoint.record.get("pretrained", "")
    named = Path(pretrained).name if Path(pretrained).is_absolute() else pretrained
    return replace(checkpoint, record=checkpoint.record | {"pretrained": named})


def _knows_its_sessions(checkpoint: Checkpoint) -> bool:
    eids = [known.eid for known in checkpoint.known]
    return bool(eids) and eids == [shape.eid for shape in checkpoint.sessions]
