"""The one exception that means "the user can mend this", as opposed to a bug."""


class UserError(Exception):
    """A mistake in the user's input. The message names the file or key, says what is wrong and what to do.

    Commands print it as a single line without a traceback; anything else that is raised is a bug and keeps its traceback.
    """
