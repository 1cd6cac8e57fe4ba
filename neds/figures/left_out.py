"""What the user reads about figures and tables that a configuration leaves out."""

from collections.abc import Sequence

from neds.files.atomic import write_text
from neds.files.roles import OutputFile


def write_left_out(*, messages: Sequence[str] = (), output: OutputFile) -> None:
    """Say which figures and tables are left out, and why.

    Args:
        messages: a sentence each; none where nothing is left out.
        output: text to write, a line per sentence.
    """
    write_text(output, "\n".join(messages or ["nothing"]) + "\n")
