"""Which trials of a recording are kept.

Shapes: K0 trials in the recording.
"""

import numpy as np
import pandas as pd

from neds.errors import UserError
from neds.partition.settings import PartitionSettings
from neds.partition.unusable import Unusable

KNOWN_COLUMNS = ("stimOn_times", "choice", "feedback_times", "probabilityLeft", "firstMovement_times", "feedbackType")
REACTION_S = {"neds": (0.0, 10.0), "bwm": (0.08, 2.0)}
MAX_FEEDBACK_DELAY_S = 10.0
VALID = "is_valid"


def keep_trials(trials: pd.DataFrame, settings: PartitionSettings) -> tuple[np.ndarray, dict[str, int]]:
    """Apply the trial rule of the settings.

    Args:
        trials: (K0 rows) with the columns of the ALF trials table, times in seconds.

    Returns:
        Mask (K0,) of the trials kept, and the number dropped by reason.

    Raises:
        Unusable: the table lacks a column that the rule needs.
        UserError: the alignment event holds no times.
    """
    if settings.trial_rule == "valid":
        return _keep_valid(trials, settings)
    of_task = settings.trial_rule != "all"
    known = dict.fromkeys((settings.align, *(KNOWN_COLUMNS if of_task else ())))
    missing = [column for column in (*known, *(["goCue_times"] if of_task else [])) if column not in trials]
    if missing:
        there = "" if of_task else f"; it has {', '.join(trials.columns)}"
        there = "; trial_rule: all needs none of the IBL's" if of_task and len(missing) > 1 else there
        raise Unusable(f"trials table without column {', '.join(missing)}{there}")
    if trials[settings.align].dtype.kind not in "iuf":
        raise UserError(f"partition.align: column {settings.align} of the trials holds no times; name one that does")
    tests = {f"no {column}": (trials[column].isna() | (trials[column] == "")).to_numpy() for column in known}
    if not of_task:
        return drop_by_first_reason(tests, len(trials), prefix="trials")
    tests["no choice made"] = (trials["choice"] == 0).to_numpy()
    reaction_s = (trials["firstMovement_times"] - trials["stimOn_times"]).to_numpy()
    low, high = REACTION_S[settings.trial_rule]
    tests[f"first movement not {low:g} to {high:g} s after the stimulus"] = (reaction_s < low) | (reaction_s > high)
    if settings.trial_rule == "neds":
        delay_s = (trials["feedback_times"] - trials["goCue_times"]).to_numpy()
        tests[f"feedback later than {MAX_FEEDBACK_DELAY_S:g} s after the go cue"] = delay_s > MAX_FEEDBACK_DELAY_S
    return drop_by_first_reason(tests, len(trials), prefix="trials")


def _keep_valid(trials: pd.DataFrame, settings: PartitionSettings) -> tuple[np.ndarray, dict[str, int]]:
    missing = [column for column in (settings.align, VALID) if column not in trials]
    if missing:
        raise Unusable(f"trials table without column {', '.join(missing)}; it has {', '.join(trials.columns)}")
    unknown = trials[settings.align].isna().to_numpy()
    tests = {"not valid by the file": trials[VALID].to_numpy() != 1, f"no {settings.align}": unknown}
    return drop_by_first_reason(tests, len(trials), prefix="trials")


def drop_by_first_reason(tests: dict[str, np.ndarray], n: int, *, prefix: str) -> tuple[np.ndarray, dict[str, int]]:
    """Mask (n,) of what no test drops, and the number dropped by "prefix: reason", each under its first reason.

    Args:
        tests: mask (n,) of what is dropped, by reason.
    """
    kept = np.ones(n, bool)
    dropped = {}
    for reason, fails in tests.items():
        if count := int(np.count_nonzero(kept & fails)):
            dropped[f"{prefix}: {reason}"] = count
        kept &= ~fails
    return kept, dropped
