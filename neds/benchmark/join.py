"""The suites and recordings of a submission as one zip."""

import logging

import pandas as pd

from neds.benchmark.archive import read_archive, write_archive
from neds.benchmark.check import require_sound
from neds.benchmark.protocol import evaluation_sessions
from neds.files.atomic import write_csv
from neds.files.roles import InputFiles, OutputFile
from neds.files.tables import read_csv
from neds.words import counted

log = logging.getLogger(__name__)


def join_submission(
    *,
    parts: InputFiles,
    ground_truths: InputFiles,
    coverages: InputFiles,
    eids: list[str],
    submission: OutputFile,
    ground_truth: OutputFile,
    coverage: OutputFile,
) -> None:
    """Put the suites and recordings of a submission into one zip, and check it whole.

    Args:
        parts: zips of predictions.
        ground_truths: zips of true values.
        coverages: for each of them, how many of what is scored was predicted.
        eids: recordings that are evaluated.
        submission: zip to write, which can be uploaded.
        ground_truth: zip of all true values to write.
        coverage: CSV of all of `coverages` to write.

    Raises:
        UserError: something that the benchmark's server refuses.
    """
    for output, zips in ((ground_truth, ground_truths), (submission, parts)):
        write_archive(output, (entry for path in zips for entry in read_archive(path)))
    require_sound(submission, ground_truth)
    if absent := evaluation_sessions() - set(eids):
        log.warning(
            "%d of the benchmark's %s are no sessions of role test here, and its server takes a submission of all alone",
            len(absent),
            counted(len(evaluation_sessions()), "session"),
        )
    table = pd.concat([read_csv(path) for path in coverages], ignore_index=True)
    write_csv(coverage, table)
    filled = counted(int(table["n_filled"].sum()), "prediction")
    size_mb = submission.stat().st_size / 1e6
    log.info("%s, %.1f MB, %s filled with the mean", counted(len(table), "file"), size_mb, filled)
