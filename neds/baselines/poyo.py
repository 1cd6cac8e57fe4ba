"""POYO+ of one session (`neds.baselines.networks.poyo`)."""

from neds.baselines.fitting import Given
from neds.baselines.networks.poyo_fit import predict_poyo
from neds.baselines.registry import Baseline
from neds.evaluation.results import Predicted
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="poyo",
    rank=7,
    title="POYO+ single-session",
    color="#6699CC",
    summary="POYO+ by torch_brain, which decodes from spike times",
    settings="poyo",
    reads_spike_times=True,
    of_spikes=True,
)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Decoding of the test trials."""
    return predict_poyo(session, given)
