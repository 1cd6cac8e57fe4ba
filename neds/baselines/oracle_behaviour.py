"""The ceiling of encoding: the true rates, less what no behaviour shows of them.

Synthetic rates also follow fluctuations of which neither task nor behaviour tells anything: those of single units, those
that units share, the gain of each trial's responses. Here the rates are averaged over these, given all else that they
follow, also what a model is not told (contrast, the mouse's belief and arousal). So a model that is given recorded
behaviours can come near this score, and exceeds it by chance alone.
"""

from neds.baselines.fitting import Given
from neds.baselines.oracle import predict_oracle
from neds.baselines.registry import Baseline
from neds.evaluation.results import Predicted
from neds.files.aligned import AlignedSession

BASELINE = Baseline(
    name="oracle-behaviour",
    rank=101,
    title="oracle (given behaviour)",
    color="#777777",
    summary="true rates with what no behaviour shows averaged out; source synthetic alone",
    needs="truth",
    decodes_classes=False,
    is_reference=True,
    of_spikes=True,
)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Encoding of the test trials by the mean of the true rates, given task and behaviour.

    Raises:
        UserError: no true rates.
    """
    return predict_oracle(session, given, name=BASELINE.name, rates="rate_given_behaviour_hz")
