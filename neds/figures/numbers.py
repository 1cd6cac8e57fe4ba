"""Numbers as text. What rounds to zero has no sign: "-0.00" would claim one."""


def over_seeds(n_seeds: int) -> str:
    """What a value of a session is, behind "sessions"; empty where there is nothing to be averaged."""
    return " (mean over seeds)" if n_seeds > 1 else ""


def rounded(value: float, digits: int) -> str:
    """`value` with so many decimals."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def signed(value: float, digits: int) -> str:
    """Likewise, with its sign; a minus is as long as a plus."""
    value = round(value, digits) + 0.0
    return f"{value:+.{digits}f}".replace("-", "−") if value else f"{value:.{digits}f}"


def in_short(number: int) -> str:
    """A large number with two or three digits, e.g. "82 k" or "12.3 M"."""
    if number < 1000:
        return str(number)
    scaled, unit = (number / 1e3, "k") if number < 999_500 else (number / 1e6, "M")
    return f"{scaled:.0f} {unit}" if scaled >= 20 else f"{scaled:.1f} {unit}"
