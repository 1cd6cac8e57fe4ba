"""Exceptions that are no bugs: what the user can mend, and what was interrupted."""


class UserError(Exception):
    """A mistake in the user's input. The message names the file or key, says what is wrong and what to do.

    Commands print it as a single line without a traceback; anything else that is raised is a bug and keeps its traceback.
    """


class Interrupted(Exception):
    """A job was asked to stop and did, its state saved; started again it goes on. The message says where it stood."""
