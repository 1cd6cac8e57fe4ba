"""What the paper reports of its ablations, in the terms of this project."""

import yaml

from neds.figures.paper import FACTS, N_SESSIONS
from neds.settings import Settings

UNCHANGED = "unchanged"
"""Name of the model that the variants are compared with."""

_ROWS = {
    "schemes": (
        "table_2_scheme_removed",
        {"none": UNCHANGED, "cross-modal": "without-cross-modal", "within-modality": "without-within-modality"},
    ),
    "size": ("table_9_size", {"3M": UNCHANGED, "12M": "deeper"}),
    "embeddings": (
        "table_11_embeddings",
        {
            "single-session": UNCHANGED,
            "without modality": "without-modality-embedding",
            "without temporal": "without-temporal-embedding",
            "without both": "without-both-embeddings",
        },
    ),
}


class PaperRow(Settings):
    """A row of one of the paper's ablation tables: means and standard errors over its ten test sessions."""

    name: str
    """Variant as it is called here, or "unchanged"."""
    target: str
    metric: str
    mean: float
    sem: float


def paper_rows(ablation: str) -> list[PaperRow]:
    """Rows of the paper's table of an ablation; none of one's own variants. Errors are standard errors."""
    if ablation not in _ROWS:
        return []
    facts = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
    table, names = _ROWS[ablation]
    rows = []
    for key, name in names.items():
        row = facts[table][key]
        errors = row["sem"] if "sem" in row else [sd / N_SESSIONS**0.5 for sd in row["sd"]]
        for column, mean, error in zip(facts["columns"], row["mean"], errors, strict=True):
            rows.append(PaperRow(name=name, **column, mean=mean, sem=error))
    return rows
