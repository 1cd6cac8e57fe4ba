"""NEDS: neural encoding and decoding at scale, as a library that the workflow's stages are built from.

`load_session`, `load_model` and `plot` are imported when they are first used, so that `import neds` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neds.api import plot as plot
    from neds.api.model import Model as Model
    from neds.api.model import load_model as load_model
    from neds.api.session import load_session as load_session

__version__ = "0.2.0"
__all__ = ["Model", "__version__", "load_model", "load_session", "plot"]

_PLACES = {
    "Model": ("neds.api.model", "Model"),
    "load_model": ("neds.api.model", "load_model"),
    "load_session": ("neds.api.session", "load_session"),
    "plot": ("neds.api.plot", ""),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    found = import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return __all__
