"""The identity of a result: what it was made from and by, whatever the files are called and wherever they lie."""

import hashlib
import json
from collections.abc import Mapping, Sequence


def identity(
    command: str,
    values: Mapping[str, object],
    code: str,
    inputs: Mapping[str, Sequence[str]],
    output: str = "",
) -> str:
    """32 hexadecimal digits, known before the result is made.

    Args:
        values: JSON-able, all that the result depends on; the order of keys does not matter, that of lists does. One that
            is None, False or empty counts as not given.
        code: digest of the code that `command` reaches.
        inputs: by the name of the command's parameter, in their order: the identity of each file that the workflow made,
            the SHA-256 of each other file.
        output: which of the command's outputs it is, where there are several.
    """
    given = {name: value for name, value in values.items() if value not in (None, False, "", [], {})}
    read = {name: list(keys) for name, keys in inputs.items() if keys}
    made = {"command": command, "values": given, "code": code, "inputs": read, "output": output}
    return digest_of(made)[:32]


def digest_of(value: object) -> str:
    """SHA-256 of a JSON-able value; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
