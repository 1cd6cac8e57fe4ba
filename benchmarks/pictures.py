"""Pictures of the documentation, from a finished run of the default configuration: python -m benchmarks.pictures [results].

docs/model.png is its overview of masking and network; docs/three_figures.png has three of its figures below one another.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parents[1] / "docs"
_GAP = 30
"""Pixels between two figures."""


def write_pictures(results: Path, *, docs: Path = DOCS) -> None:
    """Write both pictures from the figures in a folder of results."""
    figures = results / "figures"
    # Any session serves as an example: the first.
    session = min(path.parent for path in figures.glob("*/traces.png"))
    _below_one_another([figures / "overview.png"]).save(docs / "model.png", optimize=True)
    three = [figures / "metrics.png", session / "psths.png", session / "traces.png"]
    _below_one_another(three).save(docs / "three_figures.png", optimize=True)


def _below_one_another(paths: Sequence[Path]) -> Image.Image:
    """Images on white. Few colours are enough for figures, and take a third of the space."""
    images = [Image.open(path).convert("RGB") for path in paths]
    height = sum(image.height for image in images) + _GAP * (len(images) - 1)
    page = Image.new("RGB", (max(image.width for image in images), height), "white")
    top = 0
    for image in images:
        page.paste(image, ((page.width - image.width) // 2, top))
        top += image.height + _GAP
    return page.quantize(256, dither=Image.Dither.NONE)


if __name__ == "__main__":
    write_pictures(Path(sys.argv[1] if len(sys.argv) > 1 else "results"))
