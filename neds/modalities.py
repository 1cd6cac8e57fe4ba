"""The registry of modalities: what each one is. Tokens, losses, metrics and figures follow from `kind` alone.

Adding a modality that the partition stage can compute from a raw file is one entry here (plus its recipe in
`neds/partition/behaviour.py`); a modality of a user's own aligned arrays is one entry under `custom_modalities` in the
config.
"""

import re
from collections.abc import Iterable
from typing import Literal

from pydantic import Field, model_validator

from neds.errors import UserError
from neds.settings import Settings

Kind = Literal["counts", "continuous", "categorical", "scalar"]
Group = Literal["neural", "behaviour"]


_TAKEN_BY_TORCH = {
    *("T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "clear"),
    *("compile", "cpu", "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward"),
    *("get_buffer", "get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "items", "keys"),
    *("load_state_dict", "modules", "mtia", "named_buffers", "named_children", "named_modules"),
    *("named_parameters", "parameters", "pop", "register_buffer", "register_module", "register_parameter"),
    *("requires_grad_", "set_extra_state", "set_submodule", "share_memory", "state_dict", "to", "to_empty"),
    *("train", "training", "type", "update", "values", "xpu", "zero_grad"),
}
"""A network's parts are called as modalities are, and `torch.nn.ModuleDict` has attributes of these names."""


class Modality(Settings):
    """One measured variable of a trial.

    The arrays of K trials and T bins are, by kind: counts (K, T, N) integers, one column per unit of the session;
    continuous (K, T, width) floats; categorical (K,) class indices, -1 where unknown; scalar (K,) floats, NaN where unknown.
    """

    name: str
    kind: Kind
    group: Group = "behaviour"
    """Encoding predicts the neural group from the behaviour group, decoding the reverse."""
    width: int | None = Field(1, ge=1)
    """Values per bin of a continuous modality; null: many, of which each session keeps as principal components as many as it
    needs. Unused by the other kinds."""
    classes: list[str] = []
    """Names of a categorical modality's classes, in the order of their indices."""
    label: str = ""
    """Name in figures; the modality's name when empty."""
    unit: str = ""
    """Physical unit of the stored values."""

    @model_validator(mode="after")
    def _check_name(self) -> "Modality":
        # It stands in paths within files, in dotted keys and in names of tasks.
        if not re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_-]*", self.name):
            raise ValueError("the name of a modality may hold letters, digits, - and _ only, and may not begin with -")
        if self.name in _TAKEN_BY_TORCH or self.name.startswith("register_"):
            raise ValueError("torch keeps this name for itself; call the modality otherwise, e.g. trial_type for type")
        return self

    @model_validator(mode="after")
    def _check_classes(self) -> "Modality":
        if self.kind == "categorical" and len(set(self.classes)) < 2:
            raise ValueError("kind categorical needs the names of two or more classes")
        return self

    @model_validator(mode="after")
    def _check_width(self) -> "Modality":
        if self.kind == "scalar" and self.width != 1:
            raise ValueError("kind scalar has one value per trial; remove width, or make each value a modality")
        if self.kind in ("counts", "categorical") and self.width != 1:
            raise ValueError(f"width is for kind continuous; remove it from this modality of kind {self.kind}")
        return self

    @property
    def per_trial(self) -> bool:
        """Whether there is one value per trial, which is one fact: a model sees all of it or nothing."""
        return self.kind in ("categorical", "scalar")

    @property
    def title(self) -> str:
        return self.label or self.name.replace("_", " ")

    @property
    def n_columns(self) -> int:
        """`width`, once the sessions' data has settled how many columns there are."""
        assert self.width is not None
        return self.width


CLASSES = {
    "choice": ["right", "left"],
    "block": ["0.2", "0.5", "0.8"],
    "reward": ["no", "yes"],
    "stimulus_contrast": ["0", "0.0625", "0.125", "0.25", "1"],
    "contrast": ["-1", "-0.25", "-0.125", "-0.0625", "0", "0.0625", "0.125", "0.25", "1"],
}
"""Of the IBL's modalities that are computed from numbers. They stand apart from the registry, whose labels and other entries
change no result."""
BUILT_IN = {
    modality.name: modality
    for modality in (
        Modality(name="spikes", kind="counts", group="neural", label="spikes", unit="spikes per bin"),
        Modality(name="wheel_speed", kind="continuous", label="wheel speed", unit="rad/s"),
        Modality(name="whisker_motion_energy", kind="continuous", label="whisker motion energy", unit="a.u."),
        Modality(name="choice", kind="categorical", classes=CLASSES["choice"], label="choice"),
        Modality(name="block", kind="categorical", classes=CLASSES["block"], label="block prior p(left)"),
        Modality(name="wheel_velocity", kind="continuous", label="wheel velocity", unit="rad/s"),
        Modality(name="pupil_diameter", kind="continuous", label="pupil diameter", unit="px"),
        Modality(name="left_paw_speed", kind="continuous", label="left paw speed", unit="px/s"),
        Modality(name="right_paw_speed", kind="continuous", label="right paw speed", unit="px/s"),
        Modality(name="licks", kind="counts", label="licks", unit="licks per bin"),
        Modality(name="lfp", kind="continuous", group="neural", width=None, label="LFP band power", unit="dB"),
        Modality(name="reward", kind="categorical", classes=CLASSES["reward"], label="reward"),
        Modality(
            name="contrast",
            kind="categorical",
            classes=CLASSES["contrast"],
            label="signed contrast (right positive)",
        ),
        Modality(
            name="stimulus_contrast",
            kind="categorical",
            classes=CLASSES["stimulus_contrast"],
            label="contrast of the stimulus",
        ),
    )
}
PAPER = {name: BUILT_IN[name] for name in ("spikes", "wheel_speed", "whisker_motion_energy", "choice", "block")}
"""Those of the paper."""


def by_name(modalities: Iterable[Modality]) -> dict[str, Modality]:
    return {modality.name: modality for modality in modalities}


def resolve(names: list[str], custom: dict[str, Modality]) -> dict[str, Modality]:
    """The modalities called `names`, in that order, from the built-in registry and the user's own entries.

    Raises:
        UserError: a name that neither defines, or a name that both define.
    """
    clash = sorted(BUILT_IN.keys() & custom.keys())
    if clash:
        raise UserError(f"custom_modalities: {', '.join(clash)} is built in already; choose another name")
    known = BUILT_IN | custom
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f"modalities: no modality is called {', '.join(unknown)}; "
            f"known are {', '.join(known)}, others are defined under custom_modalities"
        )
    return {name: known[name] for name in names}
