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


def percent(share: float) -> str:
    """A share with a decimal where it is no whole percentage, e.g. "25 %" or "12.5 %", so that shares add up."""
    return f"{round(100 * share, 1):g} %"
