"""`neds completion`: what the shell needs to complete commands and their options."""

from contextlib import suppress
from typing import Literal

from neds.commands.table import all_commands
from neds.errors import UserError


def completion(*, shell: Literal["bash", "zsh", "fish"] | None = None, install: bool = False) -> str:
    """Print the shell's completion script, or install it.

    Args:
        shell: which shell; by default the one that runs this.
        install: write it where the shell finds it, and name that place.

    Raises:
        UserError: the shell cannot be told.
    """
    # Here, because the program knows this command and not the other way round.
    from neds.commands.cli import function_of, program

    available = []
    for command in all_commands().values():
        # Environments of single stages lack what others need.
        with suppress(ImportError):
            function_of(command)
            available.append(command)
    app = program(*available)
    try:
        if not install:
            return app.generate_completion(shell=shell)
        return f"{app.install_completion(shell=shell)}: installed; it works in new shells"
    except ValueError as error:
        raise UserError(f"--shell: {error}; name it") from None
