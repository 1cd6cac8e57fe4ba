"""The configuration in use as a table."""

import pandas as pd

from neds.files.atomic import write_csv
from neds.files.roles import OutputFile
from neds.settings import Settings


class ConfigurationRows(Settings):
    """The configuration in use."""

    rows: list[list[str]]
    """Key, value and origin of every value."""


def write_configuration(*, settings: ConfigurationRows, output: OutputFile) -> None:
    """List the whole configuration in use, a row per key.

    Args:
        settings: rows of key, value and origin.
        output: CSV to write.
    """
    write_csv(output, pd.DataFrame(settings.rows, columns=["key", "value", "origin"]))
