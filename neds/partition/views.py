"""Views: several windows of each session, every one around an event of its own and with models of its own."""

from neds.partition.settings import PartitionSettings, SplitName
from neds.settings import Settings, key


def in_view(name: str, view: str) -> str:
    """What a session, or a set of sessions, is called in one view; its own name where there are no views."""
    return f"{name}_{view}" if view else name


class ViewSettings(Settings):
    """A window, and what is known in it."""

    align: str
    """As partition.align."""
    window_start_s: float
    """As partition.window_start_s."""
    window_end_s: float
    """As partition.window_end_s."""
    window_step_s: float | None = key(None, when="with align none")
    """As partition.window_step_s, which holds where this is null."""
    window_intervals: list[str] | None = key(None, when="with align none")
    """As partition.window_intervals, which holds where this is null."""
    split_intervals: dict[SplitName, list[str]] | None = key(
        None, when="when the file has splits of its own for the window"
    )
    """As partition.split_intervals, which holds where this is null."""
    modalities: list[str] | None = key(None, when="when other modalities matter in another window")
    """Those of `modalities` that models of this view deal with; null: all."""

    def cutting(self, partition: PartitionSettings) -> PartitionSettings:
        """The settings of the partition with the window of the view.

        Raises:
            ValidationError: they do not fit together.
        """
        window = self.model_dump(exclude={"modalities"}, exclude_none=True)
        return PartitionSettings.model_validate(partition.model_dump() | window)
