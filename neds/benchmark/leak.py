"""No model is submitted that was pretrained on a session that the benchmark evaluates."""

from collections.abc import Iterable
from pathlib import Path

from neds.benchmark.protocol import evaluation_sessions
from neds.errors import UserError
from neds.model.header import read_header


def refuse_leak(checkpoint: Path, eid: str, views: Iterable[str]) -> None:
    """
    Args:
        checkpoint: a model, perhaps fine-tuned from others.
        eid: the recording that it is evaluated on.
        views: of the recordings.

    Raises:
        UserError: it was pretrained on one of them.
    """
    record = read_header(checkpoint)["record"]
    names = list(views)
    pretrained_on = {recording_of(other, names).lower() for other in record.get("trained_before", {})}
    if leaked := sorted(pretrained_on & (evaluation_sessions() | {eid.lower()})):
        raise UserError(
            f"{checkpoint}: was pretrained on {', '.join(leaked[:3])}{', ...' if len(leaked) > 3 else ''}, which the "
            "benchmark evaluates; take them off the sessions of role train and pretrain again"
        )


def recording_of(eid: str, views: Iterable[str]) -> str:
    """The EID of the recording that a session is a view of."""
    view = next((name for name in views if name and eid.endswith(f"_{name}")), "")
    return eid.removesuffix(f"_{view}") if view else eid
