"""POYO+ pretrained on the sessions of role train, and fine-tuned on one (`neds.baselines.networks.poyo`)."""

from collections.abc import Sequence
from pathlib import Path

from neds.baselines.fitting import Given
from neds.baselines.networks.poyo_fit import predict_poyo, pretrain_poyo
from neds.baselines.registry import Baseline
from neds.evaluation.results import Predicted
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="poyo-multi",
    rank=8,
    title="POYO+ multi-session",
    color="#004488",
    summary="the same, pretrained on the sessions of role train; left out where there is none",
    needs="others",
    settings="poyo",
    reads_spike_times=True,
    is_pretrained=True,
    of_spikes=True,
)


def pretrain(sessions: Sequence[AlignedSession], given: Given, output: Path) -> None:
    """Train one network on all sessions."""
    pretrain_poyo(sessions, given, output)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Decoding of the test trials.

    Raises:
        UserError: the session's test trials were pretrained on.
    """
    given.refuse_seen(session, by=f"baseline {BASELINE.name}")
    return predict_poyo(session, given)
