"""The baselines: each is a file of this folder that says what it is (`BASELINE`) and does it (`predict`).

What they say is read from their source, because a plan, which every job reads, must load none of their code.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

NEDS_RANK = 100
"""The place of NEDS in every legend."""
SAID = "neds.baselines.*:BASELINE"
"""What all baselines say of themselves, as a digest of code follows it (`neds.provenance.code`)."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a baseline is.

    Attributes:
        name: in configurations, tables and paths.
        rank: place in every legend, from 0; NEDS comes after those below `NEDS_RANK`.
        title: what figures call it.
        color: in figures.
        summary: what it is, in a few words.
        needs: conditions: trials of task conditions; truth: true rates; others: sessions of role train to fit with.
        settings: of a network, its block under `rivals`.
        of_spikes: whether it reads or predicts spikes, in whose place it takes no other neural activity.
        reads_spike_times: whether it reads raw files where the source has any.
        is_pretrained: whether its file also has `pretrain`, which trains one network on the sessions of role train, from
            which every test session's starts.
        decodes_classes: whether it gives probabilities of classes.
        predicts_units: whether it does co-smoothing and forecasting, where they are asked for.
        is_reference: whether figures show it as a line that the others are measured by.
        candidates: points of the grid that the validation trials choose from, for each target; 0: it has none.
    """

    name: str
    rank: int
    title: str
    color: str
    summary: str
    needs: Literal["", "conditions", "truth", "others"] = ""
    settings: str = ""
    of_spikes: bool = False
    reads_spike_times: bool = False
    is_pretrained: bool = False
    decodes_classes: bool = True
    predicts_units: bool = False
    is_reference: bool = False
    candidates: int = 0


@cache
def baselines() -> dict[str, Baseline]:
    """All baselines by name, in the order of their ranks."""
    folder = Path(__file__).parent
    found = [said for path in sorted(folder.glob("*.py")) if (said := _said_in(path))]
    return {baseline.name: baseline for baseline in sorted(found, key=lambda baseline: baseline.rank)}


def shown_baselines(said: str) -> dict[str, Baseline]:
    """As `baselines`, for code whose results show what they say of themselves, titles and colours.

    Args:
        said: `SAID`. A digest of the code that gives it changes with what it names.
    """
    return baselines() if said == SAID else {}


def module_of(name: str) -> str:
    """The module of a baseline, below `neds.baselines`."""
    return name.replace("-", "_")


def _said_in(path: Path) -> Baseline | None:
    """What the file assigns to BASELINE; None where it assigns nothing."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign) or ast.unparse(node.targets[0]) != "BASELINE":
            continue
        if isinstance(node.value, ast.Call):
            return Baseline(**{word.arg: ast.literal_eval(word.value) for word in node.value.keywords if word.arg})
    return None
