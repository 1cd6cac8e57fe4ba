"""Views: several windows of each session, every one around an event of its own and with models of its own."""

from neds.partition.settings import PartitionSettings
from neds.settings import Settings, key


class ViewSettings(Settings):
    """A window, and what is known in it."""

    align: str
    """As partition.align."""
    window_start_s: float
    """As partition.window_start_s."""
    window_end_s: float
    """As partition.window_end_s."""
    modalities: list[str] | None = key(None, when="when other modalities matter in another window")
    """Those of `modalities` that models of this view deal with; null: all."""

    def cutting(self, partition: PartitionSettings) -> PartitionSettings:
        """The settings of the partition with the window of the view.

        Raises:
            ValidationError: they do not fit together.
        """
        window = self.model_dump(exclude={"modalities"})
        return PartitionSettings.model_validate(partition.model_dump() | window)
