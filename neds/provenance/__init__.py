"""What a result depends on: digests of code and data, and the stamp inside every output that says what made it."""

from neds.provenance.code import code_digest, reached
from neds.provenance.identity import digest_of, identity
from neds.provenance.stamp import (
    InputRecord,
    SourceRecord,
    Stamp,
    can_hold,
    content_digest,
    metadata_path,
    read_stamp,
    software_in_use,
    source_record,
    threads_in_use,
    write_metadata,
    write_stamp,
)

__all__ = [
    "InputRecord",
    "SourceRecord",
    "Stamp",
    "can_hold",
    "code_digest",
    "content_digest",
    "digest_of",
    "identity",
    "metadata_path",
    "reached",
    "read_stamp",
    "software_in_use",
    "source_record",
    "threads_in_use",
    "write_metadata",
    "write_stamp",
]
