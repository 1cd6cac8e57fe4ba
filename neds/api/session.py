"""Sessions in Python."""

from os import PathLike
from pathlib import Path

from neds.errors import UserError
from neds.files.aligned import AlignedSession, read_aligned


def load_session(path: str | PathLike[str]) -> AlignedSession:
    """Read an aligned session: `results/aligned/<eid>.h5` of a run, or what `neds import-arrays` writes.

    Returns:
        The session. `values` holds an array for each modality, with K trials, T bins and N units: counts (K, T, N) spikes
        per bin; continuous (K, T, width) in the unit of `modalities[name].unit`; categorical (K,) indices of
        `modalities[name].classes`, -1 where unknown; scalar (K,). `units` has N rows, `trials` K rows; `bin_s` is the bin
        width in seconds.

    Raises:
        UserError: the file is missing, damaged or of another format, or the session cannot be used.
    """
    session = read_aligned(Path(path))
    if not session.usable:
        raise UserError(f"{path}: session {session.eid} cannot be used: {session.reason}")
    return session
