"""A map of the units: their embeddings in a plane."""

import sys

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


def _keep_compiled(package: str) -> None:
    """Have numba keep what it compiles of a loaded package's functions, for the next process.

    Most of umap's do not ask for it, and compiling them takes ten times as long as to lay units out. It is kept where
    numba keeps that of all packages: beside the package's files, or in the user's cache where those cannot be written. So
    whoever could change it could change the package too, or is the user.
    """
    from numba.core.registry import CPUDispatcher

    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == package]
    values = [value for module in modules for value in vars(module).values()]
    own = [v for v in values if isinstance(v, CPUDispatcher) and v.py_func.__module__.partition(".")[0] == package]
    # Numba's files do not tell two compilations of a function apart: the parallel one, which a fixed seed never calls, is
    # not kept.
    serial_last = sorted(own, key=lambda function: not function.targetoptions.get("parallel", False))
    for function in {function.py_func: function for function in serial_last}.values():
        function.enable_caching()


def _umap(features: np.ndarray, neighbors: int) -> np.ndarray:
    # Importing it takes seconds, which nobody else should pay for.
    from threadpoolctl import threadpool_limits
    from umap import UMAP

    _keep_compiled("umap")
    # Too few units for a spectral start are laid out from a random one.
    start = "spectral" if len(features) > 10 else "random"
    reducer = UMAP(n_neighbors=min(neighbors, len(features) - 1), init=start, random_state=0, n_jobs=1)
    # Without limits it only gives back the numbers of threads, which numba changes for all of the process: a network that is
    # trained there afterwards would be rounded otherwise.
    with threadpool_limits({}):
        return reducer.fit_transform(features)
