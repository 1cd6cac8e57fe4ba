"""Other programs that show how a training goes: TensorBoard, and Weights & Biases. Off unless asked for."""

import os
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

LoggerName = Literal["tensorboard", "wandb"]
Rows = list[dict[str, Any]]
_PROJECT = "neds"


def row_loggers(
    names: Iterable[LoggerName], folder: Path, *, description: str, settings: Mapping[str, Any]
) -> Callable[[Rows], None]:
    """A function that takes all rows of a training's log, after each validation, and gives the latest to the loggers.

    What they keep lies in a folder of their name in `folder`. Weights & Biases writes there alone and sends nothing, unless
    the environment says otherwise (WANDB_MODE=online).

    Args:
        description: name of the training.
        settings: of the training, to be shown beside.

    Raises:
        ModuleNotFoundError: a logger is not installed.
    """
    opened = [_OPEN[name](folder / name, description, settings) for name in names]

    def log(rows: Rows) -> None:
        latest = {key: value for key, value in rows[-1].items() if key != "epoch"}
        for each in opened:
            each(latest, int(rows[-1]["epoch"]))

    return log


def _tensorboard(
    folder: Path, description: str, settings: Mapping[str, Any]
) -> Callable[[Mapping[str, Any], int], None]:
    writer = import_module("tensorboardX").SummaryWriter(str(folder))
    writer.add_text("settings", "\n".join(f"    {key}: {value}" for key, value in settings.items()))

    def log(row: Mapping[str, Any], epoch: int) -> None:
        for key, value in row.items():
            writer.add_scalar(key, value, epoch)
        writer.flush()

    return log


def _wandb(folder: Path, description: str, settings: Mapping[str, Any]) -> Callable[[Mapping[str, Any], int], None]:
    folder.mkdir(parents=True, exist_ok=True)
    mode = os.environ.get("WANDB_MODE", "offline")
    run = import_module("wandb").init(
        project=_PROJECT, name=description, dir=str(folder), config=dict(settings), mode=mode
    )

    def log(row: Mapping[str, Any], epoch: int) -> None:
        run.log(dict(row), step=epoch)

    return log


_OPEN: dict[LoggerName, Callable[..., Callable[[Mapping[str, Any], int], None]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}
