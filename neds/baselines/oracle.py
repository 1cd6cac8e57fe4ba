"""The oracle of synthetic sessions: the true rates, whose bits per spike no model can exceed but by chance."""

from pathlib import Path

from neds.baselines.fitting import Given
from neds.baselines.registry import Baseline
from neds.errors import UserError
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task
from neds.files.aligned import AlignedSession
from neds.synthetic.truth import expected_counts

BASELINE = Baseline(
    name="oracle",
    rank=100,
    title="oracle (true rates)",
    color="#000000",
    summary="true rates; source synthetic alone",
    needs="truth",
    decodes_classes=False,
    is_reference=True,
)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """As `predict_oracle`.

    Raises:
        UserError: no true rates.
    """
    if given.truth is None:
        raise UserError("baseline oracle: true rates are known of source synthetic only; remove it from `baselines`")
    return predict_oracle(session, given.truth)


def predict_oracle(session: AlignedSession, truth: Path) -> list[Predicted]:
    """Encoding of the test trials by the rates that generated them."""
    rates = expected_counts(
        truth,
        uuids=session.units["uuid"].tolist(),
        align_times_s=session.trials["align_time_s"].to_numpy()[session.trials_of("test")],
        window_start_s=session.window_start_s,
        bin_s=session.bin_s,
        n_bins=session.n_bins,
    )
    return [Predicted(Task("encoding", ("true_rate",), ("spikes",)), {"spikes": rates})]
