"""The split of a session's trials into training, validation and test.

Shapes: K trials, B boundaries between blocks of different splits.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from neds.files.aligned import SPLITS
from neds.partition.settings import PartitionSettings
from neds.partition.trials import drop_by_first_reason
from neds.partition.unusable import Unusable
from neds.signals.stretches import meets, merged

_CLOCK_S = 1e-6
"""Windows that meet may overlap by rounding."""


def split_trials(
    spans_s: np.ndarray, *, eid: str, settings: PartitionSettings, intervals: Mapping[str, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Split trials as the settings say, by their times, the EID and the seed alone.

    Args:
        spans_s: (K, 2) first and last moment of each trial's window, in seconds.
        intervals: (m, 2) stretches that the source's file has by a name.

    Returns:
        Index (K,) into SPLITS, mask (K,) of the trials kept, and the number dropped by reason.

    Raises:
        Unusable: windows of different splits overlap, and the settings refuse that; or the file has no stretches of a split.
    """
    if settings.split == "file":
        split, tests = assign_stretches(
            spans_s,
            stretches_of_splits({str(name): own for name, own in settings.split_intervals.items()}, intervals or {}),
        )
        return split, *drop_by_first_reason(tests, len(spans_s), prefix="trials")
    if settings.split == "blocks":
        split, near = assign_blocks(
            spans_s,
            eid=eid,
            seed=settings.split_seed,
            fractions=settings.split_fractions,
            n_blocks=settings.split_blocks,
            gap_s=settings.split_gap_s,
        )
        reason = f"less than {settings.split_gap_s / 2:g} s from a boundary between splits"
        return split, *drop_by_first_reason({reason: near}, len(spans_s), prefix="trials")
    split = assign_split(len(spans_s), eid=eid, seed=settings.split_seed, fractions=settings.split_fractions)
    return split, *without_overlap(spans_s, split, settings)


def stretches_of_splits(names: Mapping[str, list[str]], intervals: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The stretches (m, 2) of each of SPLITS, of the first of its names that a file has.

    Raises:
        Unusable: it has none of them. Of the test alone that is no fault: the session is then to train and validate on.
    """
    found = []
    for split in SPLITS:
        wanted = names.get(split, [])
        there = next((name for name in wanted if name in intervals), None)
        if there is None and split == "test":
            found.append(np.zeros((0, 2)))
            continue
        if there is None:
            listed = ", ".join(intervals) or "none"
            raise Unusable(
                f"the file has no stretches {' or '.join(wanted) or '(split_intervals names none)'} for "
                f"{split}; it has {listed}"
            )
        found.append(merged(intervals[there]))
    return found


def assign_stretches(spans_s: np.ndarray, stretches: list[np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Split by the stretches (m, 2) of each of SPLITS.

    Returns:
        Index (K,) into SPLITS, and masks (K,) of the trials to be dropped, by reason.
    """
    met = np.column_stack([meets(spans_s, own) for own in stretches])
    number = met.sum(axis=1)
    reasons = {"in no split of the file": number == 0, "in two splits of the file": number > 1}
    return met.argmax(axis=1).astype(np.uint8), reasons


def without_overlap(
    spans_s: np.ndarray, split: np.ndarray, settings: PartitionSettings
) -> tuple[np.ndarray, dict[str, int]]:
    """Deal with windows of different splits that share time, as `settings.overlap` says.

    Args:
        spans_s: (K, 2) first and last moment of each window, NaN where unknown.
        split: (K,) index into SPLITS.

    Returns:
        Mask (K,) of the trials kept, and the number dropped by reason.

    Raises:
        Unusable: windows overlap and are to be refused.
    """
    kept = np.ones(len(spans_s), bool)
    if settings.overlap == "allow":
        return kept, {}
    train, val, test = range(len(SPLITS))
    reasons = {}
    for own, others in ((val, [test]), (train, [val, test])):
        hit = _overlaps(spans_s, spans_s[np.isin(split, others) & kept]) & (split == own)
        names = " or ".join(SPLITS[other] for other in others)
        reasons[f"window of {SPLITS[own]} overlaps one of {names}"] = hit
        kept &= ~hit
    if settings.overlap == "refuse" and not kept.all():
        raise Unusable(
            f"windows that overlap one of another split: {np.count_nonzero(~kept)} of {len(kept)}; choose "
            "split: blocks, shorter windows, or partition.overlap: drop or allow"
        )
    return drop_by_first_reason(reasons, len(kept), prefix="trials")


def _overlaps(spans_s: np.ndarray, others_s: np.ndarray) -> np.ndarray:
    """Whether each span (K, 2) shares time with one of the others (M, 2); all are equally long."""
    others_s = np.sort(others_s[np.isfinite(others_s).all(axis=1), 0])
    if not len(others_s):
        return np.zeros(len(spans_s), bool)
    length_s = spans_s[:, 1] - spans_s[:, 0] - _CLOCK_S
    before = np.searchsorted(others_s, spans_s[:, 0] - length_s, side="right")
    nearest = others_s[before.clip(max=len(others_s) - 1)]
    return (before < len(others_s)) & (nearest < spans_s[:, 0] + length_s)


def assign_split(n_trials: int, *, eid: str, seed: int, fractions: list[float]) -> np.ndarray:
    """Draw the split trial by trial: index (n_trials,) into SPLITS.

    It depends on the EID, the seed and the number of trials alone, so that adding a session or a modality changes no
    other session's split. With three trials or more, each part has at least one.
    """
    order = _generator(eid, seed).permutation(n_trials)
    train_end = min(max(round(fractions[0] * n_trials), 1), max(n_trials - 2, 1))
    val_end = min(max(round((fractions[0] + fractions[1]) * n_trials), train_end + 1), n_trials - 1)
    split = np.full(n_trials, SPLITS.index("test"), np.uint8)
    split[order[:val_end]] = SPLITS.index("val")
    split[order[:train_end]] = SPLITS.index("train")
    return split


def assign_blocks(
    spans_s: np.ndarray, *, eid: str, seed: int, fractions: list[float], n_blocks: int, gap_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Split into contiguous blocks of trials, `n_blocks` of each split.

    The trials in the order of time are cut into `n_blocks` stretches with equally many trials. Each stretch holds one block
    of every split, as long as the split's fraction, in an order drawn from the EID and the seed: so every split has
    early and late trials.

    Args:
        spans_s: (K, 2) first and last moment of each trial's window, in seconds.
        gap_s: least time between windows of different splits.

    Returns:
        Index (K,) into SPLITS, and mask (K,) of the trials whose window comes closer than half of `gap_s` to a boundary
        between blocks of different splits, which lies halfway between the windows on its sides.
    """
    n_trials = len(spans_s)
    generator = _generator(eid, seed)
    split_of_block = np.concatenate([generator.permutation(len(SPLITS)) for _ in range(n_blocks)])
    ends = np.round(np.cumsum(np.array(fractions)[split_of_block]) / n_blocks * n_trials).astype(int)
    order = np.argsort(spans_s[:, 0], kind="stable")
    ordered = split_of_block[np.searchsorted(ends, np.arange(n_trials), side="right").clip(max=len(ends) - 1)]
    split = np.empty(n_trials, np.uint8)
    split[order] = ordered
    last = np.flatnonzero(np.diff(ordered))
    boundaries_s = (spans_s[order[last], 1] + spans_s[order[last + 1], 0]) / 2
    reach_s = gap_s / 2 - _CLOCK_S
    reaches = (spans_s[:, :1] < boundaries_s + reach_s) & (spans_s[:, 1:] > boundaries_s - reach_s)
    return split, reaches.any(axis=1)


def _generator(eid: str, seed: int) -> np.random.Generator:
    key = hashlib.sha256(f"{eid}/{seed}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "big")))
