"""How every part of a submission ends: checked as the server checks it, and with a table of what of it was predicted."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from neds.benchmark.check import require_sound
from neds.benchmark.tables import COVERAGE
from neds.files.atomic import write_csv

log = logging.getLogger(__name__)


def finish(
    submissions: Iterable[Path], ground_truth: Path, *, coverage: Path, rows: Sequence[dict[str, object]]
) -> None:
    """Check archives that were written, and write and log what they cover.

    Args:
        submissions: zips of predictions.
        ground_truth: zip of what they are scored by.
        coverage: CSV to write.
        rows: of the CSV, one for each file of the archives, with the columns `COVERAGE`.

    Raises:
        UserError: a file that the benchmark's server would refuse.
    """
    for path in submissions:
        require_sound(path, ground_truth)
    write_csv(coverage, pd.DataFrame(rows, columns=COVERAGE))
    for row in rows:
        log.info(
            "%(task)s, seed %(seed)s: %(n_predicted)s of %(n_scored)s %(of)s, %(n_filled)s filled with the mean", row
        )
