"""What a trained model knows of the sessions that it was trained on, so that it can be used without their files."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from neds.files.aligned import SPLITS, AlignedSession
from neds.modalities import Modality

log = logging.getLogger(__name__)

_TIME_TOLERANCE_S = 1e-6


@dataclass(frozen=True, kw_only=True)
class KnownSession:
    """A session that a model was trained on, as JSON has it.

    Attributes:
        eid, subject, lab: identity.
        sha256: `session_digest` of what it was trained on.
        n_trials: by split.
        bin_s: bin width in seconds.
        window_start_s: start of the first bin from the alignment event, in seconds.
        units: a row for each unit, by column.
        statistics: of the training trials, by modality and name; with them values were standardised.
        components: of each modality that was reduced to principal components, a digest of these.
        n_context: bins before the window that it read.
    """

    eid: str
    subject: str
    lab: str
    sha256: str
    n_trials: dict[str, int]
    bin_s: float
    window_start_s: float
    units: dict[str, list[Any]]
    statistics: dict[str, dict[str, list[float]]]
    components: dict[str, str]
    n_context: int = 0

    def described(self, modalities: Mapping[str, Modality]) -> AlignedSession:
        """The session without its values."""
        return AlignedSession(
            eid=self.eid,
            subject=self.subject,
            lab=self.lab,
            bin_s=self.bin_s,
            window_start_s=self.window_start_s,
            modalities=dict(modalities),
            units=pd.DataFrame(self.units),
        )

    def without_trials(self, like: AlignedSession) -> AlignedSession:
        """The session as one of no trials, of the modalities and bins of another that the model was trained on."""
        statistics = {
            name: {key: np.asarray(values, np.float64) for key, values in own.items()}
            for name, own in self.statistics.items()
        }

        def none_of(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            shapes = {
                name: () if array.ndim == 1 else (array.shape[1], len(statistics[name]["mean"]))
                for name, array in arrays.items()
                if name in statistics
            }
            return {name: np.zeros((0, *shape), arrays[name].dtype) for name, shape in shapes.items()}

        return replace(
            self.described(like.modalities),
            values=none_of(like.values),
            context=none_of(like.context),
            context_known={name: known[:0] for name, known in like.context_known.items()},
            statistics=statistics,
            split=np.zeros(0, np.uint8),
        )


def known_session(session: AlignedSession) -> KnownSession:
    """What a model that is trained on the session knows of it."""
    return KnownSession(
        eid=session.eid,
        subject=session.subject,
        lab=session.lab,
        sha256=session_digest(session),
        n_trials={split: len(session.trials_of(split)) for split in SPLITS},
        bin_s=session.bin_s,
        window_start_s=session.window_start_s,
        units={str(column): values.tolist() for column, values in session.units.items()},
        statistics={
            name: {key: values.tolist() for key, values in own.items()} for name, own in session.statistics.items()
        },
        components=_components(session),
        n_context=session.n_context,
    )


def session_digest(session: AlignedSession) -> str:
    """SHA-256 of a session's values and its split into training, validation and test trials, whatever file they are in."""
    digest = hashlib.sha256(session.eid.encode())
    before = {f"context of {name}": values for name, values in session.context.items()}
    for name, values in sorted((session.values | before).items()):
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        # Trial by trial, for counts that stay in their file.
        for trial in range(values.shape[0]):
            digest.update(values[np.array([trial])].tobytes())
    digest.update(session.split.astype(np.uint8).tobytes())
    return digest.hexdigest()


class Binned(Protocol):
    """What says when the bins of a session, or of all sessions of a model, were."""

    @property
    def bin_s(self) -> float: ...

    @property
    def window_start_s(self) -> float: ...


def bins_fault(known: Sequence[Binned], n_bins: int, n_context: int, session: AlignedSession) -> str:
    """How the bins of a session differ from the `n_bins`, and the `n_context` before these, that a model was trained on;
    empty where they do not.
    """
    first = known[0] if known else None
    alike = (session.n_bins, session.n_context) == (n_bins, n_context) and (
        first is None
        or (
            np.isclose(session.bin_s, first.bin_s, rtol=0, atol=_TIME_TOLERANCE_S)
            and np.isclose(session.window_start_s, first.window_start_s, rtol=0, atol=_TIME_TOLERANCE_S)
        )
    )
    if alike:
        return ""
    trained = f"{n_bins} bins" + (f" of {first.bin_s:g} s from {first.window_start_s:g} s" if first else "")
    own = f"{session.n_bins} of {session.bin_s:g} s from {session.window_start_s:g} s"
    if (session.n_context, n_context) != (0, 0):
        trained, own = f"{trained} after {n_context} of context", f"{own} after {session.n_context}"
    return f"the model was trained on {trained}, session {session.eid} has {own}"


def as_trained(known: KnownSession, session: AlignedSession) -> tuple[AlignedSession, str]:
    """Further trials of a known session, standardised as those that the model was trained on, and what is in the way.

    Units must be the same in the same order, by their uuid, or where there is none by their probe, channel and region;
    where nothing tells them apart, as many, which is warned of.

    Returns:
        The session with the statistics of training, and why it cannot be used; empty where it can.
    """
    n_trained = len(next(iter(known.units.values()), []))
    if n_trained != session.n_units:
        return session, f"it has {session.n_units} units, the model was trained on {n_trained}"
    if differ := _unlike_units(known, session):
        return (
            session,
            f"{differ} of its {session.n_units} units are not those that the model was trained on, or in another order",
        )
    components = _components(session)
    unlike = [name for name, digest in known.components.items() if components.get(name) != digest]
    if unlike:
        return session, f"its principal components of {unlike[0]} are others than the model was trained on"
    statistics = {
        name: {key: np.asarray(known.statistics[name][key], values.dtype) for key, values in own_statistics.items()}
        for name, own_statistics in session.statistics.items()
        if name in known.statistics
    }
    return replace(session, statistics=statistics), ""


def _unlike_units(known: KnownSession, session: AlignedSession) -> int:
    """How many units of a session are not those that are known, in their order."""
    for names in (["uuid"], ["probe", "channel", "acronym"]):
        both = [name for name in names if name in known.units and name in session.units]
        theirs = list(zip(*(map(str, known.units[name]) for name in both), strict=True))
        own = list(zip(*(session.units[name].astype(str) for name in both), strict=True))
        if theirs != own:
            return sum(one != other for one, other in zip(theirs, own, strict=True))
        if len(set(own)) == session.n_units:
            return 0
    log.warning(
        "session %s: its unit table has units that nothing tells apart; they are taken for those that the model was trained "
        "on, in the same order (a column uuid would tell)",
        session.eid,
    )
    return 0


def _components(session: AlignedSession) -> dict[str, str]:
    return {
        name: hashlib.sha256(one.mean.tobytes() + one.weights.tobytes()).hexdigest()
        for name, one in session.components.items()
    }
