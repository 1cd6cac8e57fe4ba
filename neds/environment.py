"""The software and the machine that results were made with."""

import platform
from importlib.metadata import distributions

import pandas as pd


def software_versions() -> pd.DataFrame:
    """Name and version of Python, of the system, and of every installed package, by name."""
    machine = [("Python", platform.python_version()), ("system", platform.platform())]
    packages = {found.metadata["Name"]: found.version for found in distributions()}
    table = [*machine, *sorted(packages.items(), key=lambda item: item[0].lower())]
    return pd.DataFrame(table, columns=["software", "version"])
