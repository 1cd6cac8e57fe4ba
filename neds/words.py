"""Numbers of things in messages."""


def counted(number: int, thing: str, things: str = "") -> str:
    """E.g. "1 trial", "0 trials", "2 stretches".

    Args:
        things: the plural, where it is not the singular and "s", or "es" after a hissing sound.
    """
    if number == 1:
        return f"1 {thing}"
    return f"{number} {things or thing + ('es' if thing.endswith(('s', 'x', 'ch', 'sh')) else 's')}"
