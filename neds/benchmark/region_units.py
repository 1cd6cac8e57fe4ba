"""The units of one recording, as the benchmark's third suite asks for them: which count, where they lie, and in what region.

Shapes: N units.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from neds.benchmark.protocol import REGIONS
from neds.benchmark.recording import opened
from neds.conversion.session_file import session_file
from neds.files.atomic import write_parquet
from neds.files.reading import damaged
from neds.files.roles import InputFile, OutputFile
from neds.files.tables import read_parquet

_COLUMNS = {
    "uuid": "id",
    "region": "region_cosmos",
    "probe": "probe_id",
    "depth_um": "depths",
    "qc": "qc_neural",
    "qc_alignment": "qc_neural_alignment",
    "label": "label",
    "rate_hz": "firing_rate",
}
_BUILD = ("unit_filtering", "dataset_version")


def write_region_units(
    *, output: OutputFile, recording: InputFile | None = None, address: str = "", etag: str = ""
) -> None:
    """Write the units of a recording, with what the third suite of BrainWideBench asks of them.

    Args:
        output: table (Parquet) to write.
        recording: the recording's file, as the benchmark publishes it.
        address: of that file on a server, in the place of `recording`.
        etag: the mark that the server must give it; empty for any.

    Raises:
        UserError: a file of another build of the benchmark, or none of its files.
    """
    with session_file(recording, address=address, etag=etag) as file, opened(file) as found:
        found.require_selected()
        columns = {name: found.of_units(column) for name, column in _COLUMNS.items()}
        write_parquet(output, pd.DataFrame(columns).assign(**found.header()))


def region_units(paths: Iterable[Path], *, of_scored: bool) -> pd.DataFrame:
    """Units that count: of recordings that are scored only those of probes that passed, of others all but those that failed.

    Of both those that are well isolated, fire more than once a second and lie in a region that is a class.

    Args:
        paths: files of `write_region_units`.

    Returns:
        A row for each unit: uuid, region, probe, depth_um and the build of its file among its columns.

    Raises:
        UserError: a file is missing or damaged.
    """
    units = pd.concat(map(_read, paths), ignore_index=True)
    counts = (units["qc"] == "PASS") if of_scored else (units["qc"] != "FAIL")
    counts &= (units["qc_alignment"] == "PASS") & (units["label"] == 1.0) & (units["rate_hz"] > 1.0)
    return units[counts & units["region"].isin(REGIONS)].reset_index(drop=True)


def builds_of(units: pd.DataFrame) -> list[dict[str, str]]:
    """What the files of units say of their build, each once."""
    return units[list(_BUILD)].drop_duplicates().astype(str).to_dict("records")


def _read(path: Path) -> pd.DataFrame:
    units = read_parquet(path)
    if absent := [name for name in (*_COLUMNS, *_BUILD) if name not in units]:
        raise damaged(path, f"it has no column {absent[0]}")
    return units
