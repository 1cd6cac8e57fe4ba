"""Numbers as text. What rounds to zero has no sign: "-0.00" would claim one."""


def rounded(value: float, digits: int) -> str:
    """`value` with so many decimals."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def signed(value: float, digits: int) -> str:
    """Likewise, with its sign."""
    value = round(value, digits) + 0.0
    return f"{value:+.{digits}f}" if value else f"{value:.{digits}f}"
