"""Physical units as people write them, and by how much one of them is another."""

import re
from dataclasses import dataclass

_UNKNOWN = {
    "",
    "unknown",
    "n/a",
    "na",
    "none",
    "nan",
    "a.u.",
    "au",
    "a.u",
    "arb",
    "arbitrary",
    "arbitrary units",
    "unitless",
}
_PREFIXES = {"": 1.0, "k": 1e3, "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_LONG_PREFIXES = {"": "", "kilo": "k", "deci": "d", "centi": "c", "milli": "m", "micro": "u", "nano": "n"}
_SCALED = {"m": "length", "s": "time", "V": "voltage", "A": "current", "g": "mass", "L": "volume", "Hz": "frequency"}
"""Symbols that take prefixes."""
_WORDS = {"meter": "m", "metre": "m", "second": "s", "sec": "s", "volt": "V", "ampere": "A", "amp": "A", "gram": "g"}
_WORDS |= {"liter": "L", "litre": "L", "hertz": "Hz"}
_PLAIN = {
    **dict.fromkeys(("rad", "radian"), ("angle", 1.0)),
    **dict.fromkeys(("deg", "degree", "°"), ("angle", 0.017453292519943295)),
    **dict.fromkeys(("rev", "revolution", "turn"), ("angle", 6.283185307179586)),
    **dict.fromkeys(("min", "minute"), ("time", 60.0)),
    **dict.fromkeys(("h", "hour"), ("time", 3600.0)),
    **dict.fromkeys(("px", "pixel"), ("pixels", 1.0)),
    **dict.fromkeys(("%", "percent"), ("share", 0.01)),
    "frame": ("frames", 1.0),
    "dB": ("level", 1.0),
}


@dataclass(frozen=True)
class Unit:
    """A product of powers.

    Attributes:
        factor: of the unit to that without prefixes.
        powers: of each dimension that occurs, as (name, exponent) in order of the names.
    """

    factor: float
    powers: tuple[tuple[str, int], ...]


def is_known(text: str) -> bool:
    """Whether a unit says anything."""
    return text.strip().lower() not in _UNKNOWN


def parsed(text: str) -> Unit | None:
    """A unit such as "cm/s", "meters per second", "m s^-1", "deg"; None where it is not understood. Hz is s^-1."""
    factor, powers = 1.0, dict[str, int]()
    text = re.sub(
        r"\bper\b", "/", text.strip().replace("µ", "u").replace("μ", "u").replace("²", "^2").replace("⁻¹", "^-1")
    )
    for part_number, part in enumerate(re.sub(r"\s*/\s*", "/", text).split("/")):
        for word in re.split(r"[\s*·.]+", part):
            matched = re.fullmatch(r"([^\d^-]+)(?:\^|\*\*)?(-?\d+)?", word)
            found = _symbol(matched[1]) if matched else None
            if matched is None or found is None:
                return None
            dimension, scale = found
            exponent = int(matched[2] or 1) * (-1 if part_number else 1)
            factor *= scale**exponent
            if dimension == "frequency":
                dimension, exponent = "time", -exponent
            powers[dimension] = powers.get(dimension, 0) + exponent
    return Unit(factor, tuple(sorted((name, power) for name, power in powers.items() if power)))


def _symbol(word: str) -> tuple[str, float] | None:
    """Dimension and factor of a single unit."""
    for one in (word, word.lower()):
        for singular in (one, one.removesuffix("s")):
            if singular in _PLAIN:
                return _PLAIN[singular]
            for long, prefix in _LONG_PREFIXES.items():
                if singular.startswith(long) and (symbol := _WORDS.get(singular.removeprefix(long))):
                    return _scaled(prefix + symbol)
    return _scaled(word)


def _scaled(symbol: str) -> tuple[str, float] | None:
    """Likewise of a symbol that may have a prefix."""
    for base, dimension in _SCALED.items():
        prefix = symbol.removesuffix(base)
        if symbol.endswith(base) and prefix in _PREFIXES:
            return dimension, _PREFIXES[prefix]
    return None


def conversion(given: str, wanted: str) -> float | None:
    """By how much values of one unit are to be multiplied to be of another; None where that is not certain.

    Raises:
        ValueError: they are of different things, such as a length and an angle.
    """
    if " ".join(given.split()) == " ".join(wanted.split()):
        return 1.0
    one, other = parsed(given), parsed(wanted)
    if one is None or other is None:
        return None
    if one.powers != other.powers:
        raise ValueError(f"{given} is no {wanted}")
    return one.factor / other.factor
