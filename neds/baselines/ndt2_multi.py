"""NDT2 pretrained on the sessions of role train, and fine-tuned on one (`neds.baselines.networks.ndt2`)."""

from collections.abc import Sequence
from pathlib import Path

from neds.baselines.fitting import Given
from neds.baselines.networks.ndt2_fit import predict_ndt2, pretrain_ndt2
from neds.baselines.registry import Baseline
from neds.evaluation.results import Predicted
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="ndt2-multi",
    rank=6,
    title="NDT2 multi-session",
    color="#6B641C",
    summary="the same, pretrained on the sessions of role train; left out where there is none",
    needs="others",
    settings="ndt2",
    is_pretrained=True,
    of_spikes=True,
)


def pretrain(sessions: Sequence[AlignedSession], given: Given, output: Path) -> None:
    """Train one network on all sessions."""
    pretrain_ndt2(sessions, given, output)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Decoding of the test trials.

    Raises:
        UserError: the session's test trials were pretrained on.
    """
    given.refuse_seen(session, by=f"baseline {BASELINE.name}")
    return predict_ndt2(session, given)
