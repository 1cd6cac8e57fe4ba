"""The region stage: embeddings of several models -> how well the regions of their units are told apart.

Units of sessions that were trained together lie in one space, and one classifier serves them all (a pretrained network,
as in the paper's Figure 4). A model of one session has a space of its own: its axes mean nothing to another model, so a
classifier is fitted for each session. When whole sessions are held out, only the former can be classified.
"""

import logging

import numpy as np
import pandas as pd

from neds.files.atomic import write_csv, write_parquet
from neds.files.roles import InputFiles, OutputFile
from neds.regions.classes import region_classes
from neds.regions.classify import held_out_predictions, region_scores
from neds.regions.embeddings import EmbeddedModel, Embeddings, embedded_models, read_embeddings
from neds.regions.settings import RegionSettings, RegionsRun

log = logging.getLogger(__name__)

SCORE_COLUMNS = [
    *("model", "training", "seed", "space", "eid", "hold_out", "n_units", "n_classes"),
    *("accuracy", "balanced_accuracy", "chance_majority", "chance_uniform", "n_units_all"),
]
_NOTHING = {"n_units": 0, "n_classes": 0}
UNIT_COLUMNS = ["model", "training", "seed", "space", "eid", "modality", "unit", "uuid", "region", "predicted"]


def classify_regions(*, embeddings: InputFiles, settings: RegionsRun, scores: OutputFile, units: OutputFile) -> None:
    """Tell the region of every unit from its embedding, by a classifier that did not see the unit.

    Args:
        embeddings: embeddings of each model.
        settings: `regions` (config block), and `models`: model, training, seed, space of each file.
        scores: CSV to write, a row per model and session, and for a joint space also a row of all sessions (eid "all");
            n_units are those of a class with enough units, of n_units_all that the model has. Where there are none, or
            where they cannot be told apart, the row has no scores.
        units: Parquet to write, a row per unit and model, with its region and the one that was predicted.

    Raises:
        UserError: damaged inputs.
    """
    rows, tables = [], []
    hold_out = settings.regions.hold_out
    for model in embedded_models(embeddings, settings.models):
        if hold_out == "sessions" and model.space == "session":
            continue
        found = read_embeddings(model.path)
        table = _classified(model, found, settings.regions)
        tables += [] if table.empty else [table]
        known = model.identity | {"space": model.space, "hold_out": hold_out}
        n_units_all = found.units["eid"].value_counts(sort=False).to_dict()
        n_units_all |= {"all": len(found.units)} if model.space == "joint" else {}
        for eid, number in n_units_all.items():
            part = table if eid == "all" else table[table["eid"] == eid]
            measured = region_scores(part["region"].to_numpy(), part["predicted"].to_numpy()) if len(part) else _NOTHING
            rows.append(known | {"eid": eid} | measured | {"n_units_all": number})
    write_csv(scores, pd.DataFrame(rows, columns=SCORE_COLUMNS))
    write_parquet(units, pd.concat(tables)[UNIT_COLUMNS] if tables else pd.DataFrame(columns=UNIT_COLUMNS))


def _classified(model: EmbeddedModel, embeddings: Embeddings, settings: RegionSettings) -> pd.DataFrame:
    """The model's units of a class, with the predicted one; empty when they cannot be told apart."""
    region = region_classes(embeddings.units, settings)
    names, numbers = np.unique(region.astype(str), return_counts=True)
    least = max(settings.min_units, settings.folds)
    enough = [name for name, number in zip(names, numbers, strict=True) if name and number >= least]
    kept = np.isin(region.astype(str), enough)
    eids = embeddings.units["eid"].to_numpy(str)[kept]
    sessions = eids if settings.hold_out == "sessions" else None
    if len(enough) < 2 or (sessions is not None and len(set(sessions)) < 2):
        log.warning(
            "%s %s, %s: left out, of %d units those of a class with %d units or more are of %s",
            model.model, model.training, model.path, len(kept), least, ", ".join(enough) or "no class",
        )  # fmt: skip
        return pd.DataFrame(columns=UNIT_COLUMNS)
    predicted = held_out_predictions(
        embeddings.features[kept], region[kept], folds=settings.folds, penalty=settings.penalty, groups=sessions
    )
    table = embeddings.units[kept].assign(**model.identity, space=model.space, region=region[kept])
    return table.assign(predicted=predicted)
