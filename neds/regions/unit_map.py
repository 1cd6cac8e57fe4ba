"""A map of the units: their embeddings in a plane."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from neds.files.atomic import write_parquet
from neds.files.roles import InputFile, OutputFile
from neds.regions.classes import region_classes
from neds.regions.embeddings import embedded_models, read_embeddings
from neds.regions.settings import RegionsRun

MAP_COLUMNS = ["model", "training", "seed", "eid", "modality", "unit", "region", "x", "y"]


def map_units(*, embeddings: InputFile, settings: RegionsRun, output: OutputFile) -> None:
    """Lay a model's units of all classes out in a plane, near each other where their embeddings are.

    Every feature is standardised first. Writes Parquet with a row per unit of the model: its region and coordinates x and y,
    "" and NaN for a unit of no class. Where fewer than three units are of a class none has coordinates.

    Args:
        embeddings: embeddings of a model.
        settings: `regions` (config block), and `models`: model, training, seed, space of the one file.
        output: Parquet to write, one row per unit.

    Raises:
        UserError: damaged inputs.
    """
    regions = settings.regions
    (model,) = embedded_models([embeddings], settings.models)
    found = read_embeddings(model.path)
    region = region_classes(found.units, regions)
    kept = region != ""
    places = np.full((len(kept), 2), np.nan)
    if kept.sum() >= 3:
        features = StandardScaler().fit_transform(found.features[kept])
        places[kept] = _pca(features) if regions.projection == "pca" else _umap(features, regions.neighbors)
    table = found.units.assign(**model.identity, region=region, x=places[:, 0], y=places[:, 1])
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
