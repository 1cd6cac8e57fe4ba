"""Names of the baselines, apart from their code so that reading a configuration loads none of it."""

from typing import Literal

BaselineName = Literal["psth", "linear", "rrr", "rrr-multi", "oracle"]
