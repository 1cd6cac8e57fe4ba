"""The software and the machine that results were made with."""

import platform
from importlib.metadata import distributions

import pandas as pd

from neds.files.atomic import write_csv
from neds.files.roles import InputFile, OutputFile


def software_versions() -> pd.DataFrame:
    """Name and version of Python, of the system, and of every installed package, by name."""
    machine = [("Python", platform.python_version()), ("system", platform.platform())]
    packages = {found.metadata["Name"]: found.version for found in distributions()}
    table = [*machine, *sorted(packages.items(), key=lambda item: item[0].lower())]
    return pd.DataFrame(table, columns=["software", "version"])


def write_software(*, scores: InputFile, output: OutputFile) -> None:
    """List the versions of all installed software.

    Args:
        scores: table of scores, which these versions made.
        output: CSV to write.
    """
    write_csv(output, software_versions())
