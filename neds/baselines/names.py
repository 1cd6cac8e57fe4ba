"""Names of the baselines as configurations and commands take them."""

from typing import TYPE_CHECKING, Literal

from neds.baselines.registry import baselines

# Each baseline says its own name, so that no list of them can be written here.
if TYPE_CHECKING:
    BaselineName = str
else:
    BaselineName = Literal[*baselines()]
