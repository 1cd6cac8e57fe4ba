"""Settings of the figures and tables."""

from neds.settings import Settings, key


class FiguresSettings(Settings):
    """Choices about what figures show; none of them changes a score."""

    paper_numbers: bool = key(False, when="true to compare with the paper")
    """Draw the paper's numbers beside one's own, with plain accuracy, which the paper reports, for categorical targets."""
    region_min_units: int = key(5, ge=1, when="higher for steadier bars")
    """Brain regions with fewer units are left out of the figure of encoding by region."""
