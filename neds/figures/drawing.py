"""What figures and tables are told besides the numbers that they show."""

from typing import Annotated, Literal

from pydantic import Field

from neds.ablations.paper import PaperRow
from neds.figures.paper import PaperNumbers
from neds.modalities import Modality
from neds.model.modes import ModeName
from neds.model.settings import MaskingSettings, ModelSettings
from neds.regions.settings import RegionSettings
from neds.settings import Settings

RegionTask = Literal["encoding", "co_smoothing"]


class Drawing(Settings):
    """What every figure or table of the models' scores is told besides the scores."""

    modalities: list[Modality]
    """Registry entries, in the order of the panels."""


class ModelsDrawing(Drawing):
    """Scores of some models."""

    models: list[str] | None = None
    """Labels of the models; all when null."""
    paper: PaperNumbers | None = None
    """The paper's numbers, to show beside one's own."""


class DifferencesDrawing(Drawing):
    """Scores of models less those of one of them."""

    models: list[str]
    """Labels of the models."""
    references: list[str]
    """Labels of what is subtracted: for each target the first of these that has it."""


class PairsDrawing(Drawing):
    """Models against one another."""

    rows: list[list[Annotated[list[str], Field(min_length=2, max_length=2)]]]
    """The pairs of labels (ours, other) of each row of panels."""
    paper: PaperNumbers | None = None
    """The paper's numbers, to show beside one's own."""


class CurvesDrawing(Drawing):
    """Scores against an amount of data."""

    curves: list[dict[str, str]]
    """Of each curve the label of the model with each amount."""


class PretrainingSizeDrawing(CurvesDrawing):
    """Scores against the number of pretraining sessions."""

    sets: dict[str, list[str]]
    """EIDs of each pretraining set."""


class RegionEncodingDrawing(Drawing):
    """How well units are predicted, by region."""

    model: str
    """Label of the model whose inputs are shown apart."""
    min_units: int = 5
    """Regions with fewer units are left out."""
    task: RegionTask = "encoding"
    """Of which the scores are."""


class RegionsDrawing(Settings):
    """Regions told from embeddings."""

    regions: RegionSettings
    paper: float | None = None
    """Accuracy that the paper reports."""


class OverviewDrawing(Drawing):
    """Masking schemes and network."""

    modes: list[ModeName] = Field(min_length=1)
    model: ModelSettings = Field(default_factory=ModelSettings)
    maskings: dict[ModeName, MaskingSettings]
    """Of each mode."""
    n_bins: int | None = Field(None, ge=1)
    """Bins of a trial; null where aligned files say it."""
    n_context: int = Field(0, ge=0)
    """Bins before these that the network reads."""


class AblationTable(Drawing):
    """Variants of an ablation beside the unchanged model."""

    title: str
    variants: list[str]
    """Their names, in the order of the rows."""
    paper_rows: list[PaperRow] = []
    """Numbers to add in rows of their own."""


class BudgetPart(Settings):
    """Jobs that a model cost."""

    column: Literal["search", "pretraining", "training"]
    times: list[str]
    """Records of their times, with {eid} and {seed}; several, of the views of sessions, count by their mean."""


class ModelBudget(Settings):
    """What a model cost."""

    model: str
    """Its label."""
    parts: list[BudgetPart]
    members: int = 1
    """Models whose predictions are averaged, each of a seed."""
    trials: int | None = None
    """Of its searches of hyper-parameters; null without."""
    candidates: int | None = None
    """Of which validation chooses one, for each target of a baseline; null where there is no choice."""


class BudgetsDrawing(Settings):
    """What the models cost."""

    budgets: list[ModelBudget]
    """Of each model."""
    seeds: list[int]
    models: list[str] = []
    """Of each checkpoint its model's label."""
