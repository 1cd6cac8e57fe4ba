"""Settings of the figures and tables."""

from pydantic import Field

from neds.settings import Settings


class FiguresSettings(Settings):
    """Choices about what figures show; none of them changes a score."""

    paper_numbers: bool = False
    """Draw the paper's numbers beside one's own, with plain accuracy, which the paper reports, for categorical targets."""
    region_min_units: int = Field(5, ge=1)
    """Brain regions with fewer units are left out of the figure of encoding by region."""
