"""The configuration: its schema, how files become one, its checks, and the reference that is generated from it.

Importing this imports no numpy, pandas or torch: every job reads the configuration.
"""

from neds.config.load import COMMAND_LINE, Loaded, check_config, load_config
from neds.config.overrides import RunSettings, Stage
from neds.config.schema import Config
from neds.config.yaml_files import command_line_values

__all__ = [
    "COMMAND_LINE",
    "Config",
    "Loaded",
    "RunSettings",
    "Stage",
    "check_config",
    "command_line_values",
    "load_config",
]
