"""Numbers of things in messages and figures."""


def counted(number: int, thing: str, things: str = "") -> str:
    """E.g. "1 trial", "0 trials", "2 stretches".

    Args:
        things: the plural, where it is not the singular and "s", or "es" after a hissing sound.
    """
    if number == 1:
        return f"1 {thing}"
    return f"{number} {things or thing + ('es' if thing.endswith(('s', 'x', 'ch', 'sh')) else 's')}"


def in_short(number: int) -> str:
    """A large number with two or three digits, e.g. "82 k" or "12.3 M"."""
    if number < 1000:
        return str(number)
    scaled, unit = (number / 1e3, "k") if number < 999_500 else (number / 1e6, "M")
    return f"{scaled:.0f} {unit}" if scaled >= 20 else f"{scaled:.1f} {unit}"
