"""The paper's numbers (`paper_results.yaml`), in the terms of this project's tables, to draw beside a user's own."""

from pathlib import Path

import yaml

from neds.settings import Settings

FACTS = Path(__file__).with_name("paper_results.yaml")

N_SESSIONS = 10
"""Test sessions of the paper."""

PAPER_ROWS_NOTE = " (paper): as published, over ten IBL sessions (other data)."
PAPER_NOTE = "Diamonds: means ± s.e.m. of the paper, over its ten IBL sessions (other data)."

_TABLES = {
    "table_10_multi_session": {
        "RRR": "rrr-multi",
        "NDT2": "ndt2-multi",
        "POYO+": "poyo-multi",
        "NEDS": "neds-mm-finetuned",
    },
    "single_session": {"NEDS": "neds-mm-scratch"},
}


class PaperMean(Settings):
    """Mean and standard error over the paper's ten test sessions."""

    mean: float
    sem: float


class PaperScore(PaperMean):
    """One score of one model."""

    label: str
    """Model family as it is called here (`neds.figures.names.model_family`)."""
    target: str
    metric: str


class PaperNumbers(Settings):
    """What the paper says of a model, where a figure or table here says the same of the user's; empty to leave it out."""

    scores: list[PaperScore] = []
    gain_percent: dict[str, float] = {}
    """Mean relative gain of the multi-session over the single-session model, by target."""
    encoding_by_input: dict[str, PaperMean] = {}
    """Bits per spike of the multi-session model that sees one behaviour alone, or "all"."""

    def score(self, family: str, target: str, metric: str) -> PaperScore | None:
        """The score of a model family; None where the paper has none."""
        found = [s for s in self.scores if (s.label, s.target, s.metric) == (family, target, metric)]
        return found[0] if found else None


def read_region_accuracy() -> float:
    """Accuracy with which the paper tells five regions from the embeddings of its multi-session model."""
    return yaml.safe_load(FACTS.read_text(encoding="utf-8"))["figure_4_region_accuracy_multi_session"]


def read_paper_numbers() -> PaperNumbers:
    """All that the shipped file says of models which this project draws or tabulates by the same score."""
    facts = yaml.safe_load(FACTS.read_text(encoding="utf-8"))
    scores = []
    for table, labels in _TABLES.items():
        for name, label in labels.items():
            row = facts[table][name]
            for column, mean, sem in zip(facts["columns"], row["mean"], row["sem"], strict=True):
                if mean is not None:
                    scores.append(PaperScore(label=label, mean=mean, sem=sem, **column))
    return PaperNumbers(
        scores=scores,
        gain_percent=facts["figure_2b_gain_of_multi_over_single_percent"],
        encoding_by_input={name: PaperMean(**value) for name, value in facts["table_1_encoding_by_input"].items()},
    )
