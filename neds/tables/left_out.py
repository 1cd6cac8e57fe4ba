"""The list of what a configuration leaves out."""

from neds.files.atomic import write_text
from neds.files.roles import OutputFile


def write_left_out(*, messages: list[str], output: OutputFile) -> None:
    """List the figures and tables that this configuration cannot fill.

    Args:
        messages: a line for each, with what would fill it.
        output: text file to write.
    """
    write_text(output, "\n".join([*messages, ""]))
