"""A map of the units: their embeddings in a plane."""

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from neds.files.atomic import write_parquet
from neds.regions.classes import region_classes
from neds.regions.embeddings import EmbeddedModel, read_embeddings
from neds.regions.settings import RegionSettings

MAP_COLUMNS = ["model", "training", "seed", "eid", "modality", "unit", "region", "x", "y"]


def map_units(model: EmbeddedModel, settings: RegionSettings, *, output: Path) -> None:
    """Lay a model's units of all classes out in a plane, near each other where their embeddings are.

    Every feature is standardised first. Writes Parquet with a row per unit of the model: its region and coordinates x and y,
    "" and NaN for a unit of no class. Where fewer than three units are of a class none has coordinates.

    Raises:
        UserError: damaged inputs.
    """
    embeddings = read_embeddings(model.path)
    region = region_classes(embeddings.units, settings)
    kept = region != ""
    places = np.full((len(kept), 2), np.nan)
    if kept.sum() >= 3:
        features = StandardScaler().fit_transform(embeddings.features[kept])
        places[kept] = _pca(features) if settings.projection == "pca" else _umap(features, settings.neighbors)
    table = embeddings.units.assign(**model.identity, region=region, x=places[:, 0], y=places[:, 1])
    write_parquet(output, table[MAP_COLUMNS])


def _pca(features: np.ndarray) -> np.ndarray:
    return PCA(2, random_state=0).fit_transform(features)


def _umap(features: np.ndarray, neighbors: int) -> np.ndarray:
    # Importing it compiles for seconds, which nobody else should pay for.
    from umap import UMAP

    # Too few units for a spectral start are laid out from a random one.
    start = "spectral" if len(features) > 10 else "random"
    reducer = UMAP(n_neighbors=min(neighbors, len(features) - 1), init=start, random_state=0, n_jobs=1)
    return reducer.fit_transform(features)
