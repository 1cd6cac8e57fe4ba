"""What a training says of its progress: rows of its log, and a line or a bar for who watches."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from neds.training.settings import TrainingSettings
from neds.training.state import TrainingState

log = logging.getLogger(__name__)


class Report:
    """Progress of one training, which its first process reports."""

    def __init__(
        self,
        description: str,
        settings: TrainingSettings,
        *,
        on_validation: Callable[[list[dict]], None],
        is_first: bool,
    ):
        """
        Args:
            description: name of the run.
            on_validation: called with all rows of the log after each validation, in the first process.
        """
        self.description = description
        self._epochs = settings.epochs
        self._on_validation = on_validation
        self._is_first = is_first
        self._n_trials, self._seconds = 0.0, 0.0

    @contextmanager
    def bar(self, state: TrainingState) -> Iterator[None]:
        """A bar over the epochs, where there is a terminal."""
        silent = None if self._is_first else True
        begun = state.progress.epoch
        self._bar = tqdm(total=self._epochs, initial=begun, unit="epoch", desc=self.description, disable=silent)
        yield
        self._bar.close()

    @contextmanager
    def epoch(self, n_trials: float) -> Iterator[None]:
        """Time the training of so many trials."""
        started_s = time.monotonic()
        yield
        self._seconds += time.monotonic() - started_s
        self._n_trials += n_trials
        self._bar.update()

    def validated(self, state: TrainingState, losses: dict[str, float], scores: dict[str, float]) -> None:
        """Add a row to the log, and say how it stands."""
        progress = state.progress
        speed = round(self._n_trials / self._seconds, 1)
        self._n_trials, self._seconds = 0.0, 0.0
        progress.log.append(
            {"epoch": progress.epoch, "step": progress.step, "seconds": round(progress.seconds, 2)}
            | {"trials_per_second": speed}
            | state.learning_rates()
            | losses
            | {f"val_{key}": value for key, value in scores.items()}
        )
        if self._is_first:
            self._on_validation(progress.log)
            self._say(state)

    def _say(self, state: TrainingState) -> None:
        """The latest scores, on the bar where there is a terminal, as a line of the log where there is none."""
        progress, row = state.progress, state.progress.log[-1]
        scores = f"loss {row['loss']:.3f}, validation {row['val_score']:.3f} (best at epoch {progress.best_epoch})"
        if not self._bar.disable:
            self._bar.set_postfix_str(scores)
            return
        minutes = progress.seconds / progress.epoch * (self._epochs - progress.epoch) / 60
        done, speed = f"epoch {progress.epoch}/{self._epochs}", row["trials_per_second"]
        log.info("%s: %s, %s, %.0f trials/s, %.1f min left", self.description, done, scores, speed, minutes)
