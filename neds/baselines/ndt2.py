"""NDT2 of one session (`neds.baselines.networks.ndt2`)."""

from neds.baselines.fitting import Given
from neds.baselines.networks.ndt2_fit import predict_ndt2
from neds.baselines.registry import Baseline
from neds.evaluation.results import Predicted
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="ndt2",
    rank=5,
    title="NDT2 single-session",
    color="#B0A84A",
    summary="NDT2: self-supervised training on spikes, then a decoder of each behaviour",
    settings="ndt2",
    of_spikes=True,
)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Decoding of the test trials."""
    return predict_ndt2(session, given)
