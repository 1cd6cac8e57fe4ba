"""Settings of a submission to BrainWideBench. Light: importing this imports no stage."""

from typing import Literal

from neds.evaluation.settings import UnitTaskName
from neds.settings import NameText, Seed, Settings, key

FEWEST_SEEDS = 3


class BenchmarkSettings(Settings):
    """A submission to BrainWideBench (docs/benchmark.md)."""

    label: NameText | None = key(None, when="to make a submission; it is then called so")
    """Name of the submission, results/benchmark/<label>.zip; null for none."""
    model: str | None = key(None, when="when several kinds of models are trained")
    """Which model is submitted, by its label in the tables, e.g. neds-mm-finetuned-all; null for the multi-session one, or
    the single-session one where there is no other."""
    missing: Literal["error", "mean"] = key(
        "error", when="mean where the benchmark scores a trial of which not all was recorded"
    )
    """What to do with a trial that the benchmark scores and that is not among the test trials of the session, or with a unit
    whose region it scores and that has no embedding: error refuses the submission and names it; mean submits the mean of the
    predictions, and counts it in the table of coverage."""


class SubmittedRun(Settings):
    """A model of one view of a recording, whose predictions are submitted."""

    view: str
    seed: Seed


class DecodingRun(Settings):
    """Everything but the files that determines what is submitted of a recording to the first suite."""

    label: str
    eid: str
    """Of the recording."""
    views: dict[str, str]
    """View of each task."""
    runs: list[SubmittedRun]
    """Models, in the order of the files of their predictions."""
    missing: Literal["error", "mean"]


class UnitTasksSubmission(Settings):
    """Everything but the files that determines what is submitted of a recording to the second suite."""

    label: str
    eid: str
    """Of the recording."""
    view: str
    """That has the windows of the suite."""
    tasks: list[UnitTaskName]
    seeds: list[Seed]
    """Of the models, in the order of their files."""


class RegionsSubmission(Settings):
    """Everything but the files that determines a submission to the third suite."""

    label: str
    eids: list[str]
    """Of the recordings whose units are scored, in the order of their files."""
    view: str
    """Of the sessions that the models are of."""
    seeds: list[Seed]
    """Of the models, in the order of the pretrained ones. Those of a seed have their recordings in the order of `eids`."""
    missing: Literal["error", "mean"]


class ScoresRun(Settings):
    """Everything but the files that determines a table of scores."""

    label: str
    model: str
    """Label of the model in the table of our own scores."""
    views: dict[str, str]
    """View of each task of the first suite."""
