"""The oracle of synthetic sessions: the true rates, whose bits per spike no model can exceed but by chance."""

from dataclasses import replace

from neds.baselines.fitting import Given
from neds.baselines.registry import Baseline
from neds.errors import UserError
from neds.evaluation.results import Predicted
from neds.evaluation.tasks import Task, predicted_part
from neds.files.aligned import AlignedSession
from neds.synthetic.truth import Rates, expected_counts

BASELINE = Baseline(
    name="oracle",
    rank=100,
    title="oracle (true rates)",
    color="#000000",
    summary="true rates; source synthetic alone",
    needs="truth",
    decodes_classes=False,
    predicts_units=True,
    is_reference=True,
    of_spikes=True,
)


def predict(session: AlignedSession, given: Given) -> list[Predicted]:
    """Every task of spikes on the test trials, by the rates that generated them.

    Raises:
        UserError: no true rates.
    """
    (encoding,) = predict_oracle(session, given, name=BASELINE.name, rates="rate_hz")
    tasks = [replace(task, observed=encoding.task.observed) for task in given.tasks_of_units(session)]
    from_units = [Predicted(task, {"spikes": predicted_part(encoding.values["spikes"], task)}) for task in tasks]
    return [encoding, *from_units]


def predict_oracle(session: AlignedSession, given: Given, *, name: str, rates: Rates) -> list[Predicted]:
    """Encoding of the test trials by rates of the truth file.

    Raises:
        UserError: no true rates.
    """
    if given.truth is None:
        raise UserError(f"baseline {name}: true rates are known of source synthetic only; remove it from `baselines`")
    counts = expected_counts(
        given.truth,
        uuids=session.units["uuid"].tolist(),
        align_times_s=session.trials["align_time_s"].to_numpy()[session.trials_of("test")],
        window_start_s=session.window_start_s,
        bin_s=session.bin_s,
        n_bins=session.n_bins,
        rates=rates,
    )
    return [Predicted(Task("encoding", ("true_rate",), ("spikes",)), {"spikes": counts})]
