"""What every model cost: time of its jobs, parameters, and how much there was to choose from on validation."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from neds.errors import UserError
from neds.evaluation.summary import n_text
from neds.evaluation.tables import metrics_table
from neds.figures.drawing import BudgetPart, BudgetsDrawing, ModelBudget
from neds.figures.names import in_order, labels_of, model_title
from neds.files.roles import InputFile, InputFiles, Operational, TableStem
from neds.files.tables import read_csv
from neds.model.header import read_header
from neds.run import Run
from neds.tables.write import MeansTable, write_table

_ALL, _SHARED = "parameters: all (M)", "parameters: shared (M)"
_TRIALS, _CANDIDATES = "search: trials", "validation: candidates"
_CLOCKS = {"wall": "s", "CPU": "cpu_time"}
"""Column of Snakemake's records by what it measures."""
_COLUMNS = [
    *(_ALL, _SHARED, _CANDIDATES, _TRIALS),
    *(f"{part}: {clock} (s)" for part in ("search", "pretraining", "training") for clock in _CLOCKS),
]
_CAPTION = (
    "Times are of one seed and test session, of an ensemble of all its seeds; a search and a pretraining serve several "
    "models. They are those of whole jobs, with start, reading and writing, of baselines also scoring; of an interrupted "
    "job its last try. CPU time is summed over cores and leaves GPUs out; it is sampled, so that of a long job up to the "
    "last 30 s lack. Shared: what a pretrained model hands on. Candidates: points of the grid that validation chooses from, "
    "for each target."
)


def budgets_table(
    metrics: pd.DataFrame,
    budgets: Sequence[ModelBudget],
    *,
    seeds: Sequence[int],
    sizes: pd.DataFrame,
    times: Path | None = None,
) -> MeansTable:
    """A row per model that has scores: means over its sessions, and their standard errors where sessions differ.

    Args:
        metrics: the metrics table of all evaluations.
        sizes: of `read_sizes`.
        times: folder of Snakemake's records; a cell whose record is not there is empty.
    """
    scored = metrics.assign(model=labels_of(metrics)).groupby("model")["eid"].unique()
    found = {budget.model: budget for budget in budgets if budget.model in scored}
    cells = [
        {"row": model_title(model), "column": column, "eid": eid, "value": value}
        for model, budget in found.items()
        for eid in scored[model]
        for column, value in _cells(budget, eid, seeds=seeds, sizes=sizes, times=times)
    ]
    values = pd.DataFrame(cells, columns=["row", "column", "eid", "value"]).dropna(subset="value")
    entries = values.groupby(["row", "column"], as_index=False, sort=False).agg(
        mean=("value", "mean"), sem=("value", "sem"), n_sessions=("eid", "nunique")
    )
    # What sessions have in common has no error.
    entries["sem"] = entries["sem"].where(entries["sem"] > 0)
    devices = Counter(sizes["device"])
    of_devices = ", ".join(f"{device} ({number})" for device, number in sorted(devices.items()))
    trained_on = f" Networks of NEDS, by the device that they were trained on: {of_devices}." if devices else ""
    columns = [column for column in _COLUMNS if column in set(entries["column"])]
    return MeansTable(
        entries,
        [model_title(model) for model in in_order(found)],
        columns,
        "model",
        "What the models cost",
        f"Mean ± s.e.m. over {n_text(entries, 'test session')}. {_CAPTION}{trained_on}",
        digits={_ALL: 3, _SHARED: 3, _TRIALS: 0, _CANDIDATES: 0},
    )


def read_sizes(checkpoints: Sequence[Path], models: Sequence[str]) -> pd.DataFrame:
    """Columns model (label), eid, stitchers, shared (numbers of parameters) and device; no row where training was skipped.

    Raises:
        UserError: a checkpoint that is missing or damaged.
    """
    rows = []
    for path, model in zip(checkpoints, models, strict=True):
        header = read_header(path)
        if not header["skipped"]:
            record = header["record"]
            (eid,) = record["training_sessions"]
            rows.append({"model": model, "eid": eid, **record["parameters"], "device": record["device"]})
    return pd.DataFrame(rows, columns=["model", "eid", "stitchers", "shared", "device"])


def _cells(
    budget: ModelBudget, eid: str, *, seeds: Sequence[int], sizes: pd.DataFrame, times: Path | None
) -> Iterator[tuple[str, float | None]]:
    """Column and value of what a model of a session cost; values that are not known are None or NaN."""
    run = Run.parse(budget.model)
    if run:
        member = run.label.removesuffix("-ensemble")
        own = sizes[(sizes["model"] == member) & (sizes["eid"] == eid)]
        for _, size in own.iterrows():
            yield _ALL, budget.members * (size["stitchers"] + size["shared"]) / 1e6
            if run.regime == "finetuned":
                yield _SHARED, budget.members * size["shared"] / 1e6
    yield _TRIALS, budget.trials
    yield _CANDIDATES, budget.candidates
    for name in dict.fromkeys(part.column for part in budget.parts):
        parts = [part for part in budget.parts if part.column == name]
        seconds = [_seconds(part, eid, seeds=seeds, members=budget.members, times=times) for part in parts]
        yield from zip((f"{name}: {clock} (s)" for clock in _CLOCKS), np.sum(seconds, axis=0), strict=True)


def _seconds(part: BudgetPart, eid: str, *, seeds: Sequence[int], members: int, times: Path | None) -> np.ndarray:
    """Wall and CPU time (2,) of one of a part's jobs, or for all `members` together where each has its own."""
    paths = {pattern.format(eid=eid, seed=seed) for pattern in part.times for seed in seeds}
    factor = members if any("{seed}" in pattern for pattern in part.times) else 1
    return factor * _mean(_read_times(times / path) for path in sorted(paths) if times)


def _mean(records: Iterable[np.ndarray]) -> np.ndarray:
    """Over records (2,); NaN where one of them is, so that no mean is of some seeds alone."""
    found = list(records)
    return np.mean(found, axis=0) if found else np.full(len(_CLOCKS), np.nan)


def _read_times(path: Path) -> np.ndarray:
    """Wall and CPU time (2,) of a job, NaN where Snakemake has not measured them.

    Raises:
        UserError: the record is damaged.
    """
    if not path.is_file():
        return np.full(len(_CLOCKS), np.nan)
    return read_csv(path, sep="\t")[list(_CLOCKS.values())].iloc[-1].to_numpy(float)


def tabulate_budgets(
    *,
    metrics: InputFile,
    settings: BudgetsDrawing,
    output: TableStem,
    checkpoints: InputFiles = (),
    times: Operational[Path | None] = None,
) -> None:
    """Tabulate what every model cost: parameters, search, choices on validation, time of its jobs.

    Args:
        metrics: metrics table of all evaluations, CSV.
        settings: `budgets` (of each model its jobs, trials and candidates), `seeds`, `models` (label of each checkpoint).
        output: files to write, without .csv, .md, .tex and .html.
        checkpoints: models of one seed, for their sizes.
        times: folder of Snakemake's records of times; without it there are none.

    Raises:
        UserError: a damaged file, or not a label for each checkpoint.
    """
    if len(checkpoints) != len(settings.models):
        raise UserError("--settings: name under models the label of each of --checkpoints")
    table = budgets_table(
        metrics_table([metrics]),
        settings.budgets,
        seeds=settings.seeds,
        sizes=read_sizes(checkpoints, settings.models),
        times=times,
    )
    write_table(table, output)
