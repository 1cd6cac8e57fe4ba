"""Settings of the analysis that tells brain regions from unit embeddings."""

from typing import Literal

from pydantic import Field

from neds.settings import Settings, key


class RegionSettings(Settings):
    """Which regions are told apart, how the classifier is tested, and how the units are laid out in a plane."""

    classes: list[str] | None = key(
        ["PO", "LP", "DG", "CA1", "VISa"],
        when="for other regions",
        paper="[PO, LP, DG, CA1, VISa]",
        public_code="[PO, LP, DG, CA1, VISa]",
    )
    """Names of the classes; null for every Beryl region with enough units, an empty list for no such analysis."""
    merge: dict[str, list[str]] = key({}, when="for classes above single regions", paper="sub-regions are merged")
    """Regions of a class that is not a region itself, e.g. {thalamus: [PO, LP]}."""
    min_units: int = key(5, ge=2, when="higher for steadier scores")
    """A class with fewer units is left out, of a session's own classifier by the units of the session."""
    hold_out: Literal["units", "sessions"] = key(
        "units", when="sessions, so that no region is known by its session", paper="units", public_code="units"
    )
    """What the classifier is tested on: units left out at random, or whole sessions."""
    folds: int = key(5, ge=2, when="seldom", paper="5", public_code="5")
    """Parts of the cross-validation; with fewer sessions than that, each is held out once."""
    penalty: float = key(0.001, gt=0, when="with the number of units")
    """C of the support vector machine; smaller is smoother."""
    projection: Literal["umap", "pca"] = key("umap", when="pca to save time", paper="umap", public_code="umap")
    """How the units are laid out in a plane."""
    neighbors: int = key(15, ge=2, when="fewer for finer structure")
    """Neighbours of a unit that UMAP keeps close; fewer show finer structure."""


class EmbeddedModelName(Settings):
    """Which model a file of embeddings is of."""

    model: str
    training: str
    seed: int
    space: Literal["joint", "session"]
    """joint for a model of several sessions."""


class RegionsRun(Settings):
    """Everything but the embeddings that determines an analysis of regions."""

    regions: RegionSettings = Field(default_factory=RegionSettings)
    models: list[EmbeddedModelName]
    """The model of each file, in the order of the files."""
