"""The units of one recording, as the benchmark's third suite asks for them: which count, where they lie, and in what region.

Shapes: N units.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from neds.benchmark.protocol import REGIONS
from neds.benchmark.recording import opened
from neds.conversion.session_file import session_file
from neds.files.atomic import write_parquet
from neds.files.reading import damaged
from neds.files.roles import InputFile, OutputFile
from neds.files.tables import read_parquet
from neds.words import counted

_TEXTS = {
    "uuid": "id",
    "region": "region_cosmos",
    "probe": "probe_id",
    "qc": "qc_neural",
    "qc_alignment": "qc_neural_alignment",
}
_NUMBERS = {"depth_um": "depths", "label": "label", "rate_hz": "firing_rate"}
_BUILD = ("unit_filtering", "dataset_version")


def write_region_units(
    *, eid: str, output: OutputFile, recording: InputFile | None = None, address: str = "", etag: str = ""
) -> None:
    """Write the units of a recording, with what the third suite of BrainWideBench asks of them.

    Args:
        eid: of the recording.
        output: table (Parquet) to write.
        recording: the recording's file, as the benchmark publishes it.
        address: of that file on a server, in the place of `recording`.
        etag: the mark that the server must give it; empty for any.

    Raises:
        UserError: a file of another build of the benchmark, of another recording, or none of its files.
    """
    with session_file(recording, address=address, etag=etag) as file, opened(file) as found:
        found.require_selected()
        found.refuse_other(eid)
        columns = {name: found.texts_of_units(column) for name, column in _TEXTS.items()}
        numbers = {name: found.numbers_of_units(column).astype(float) for name, column in _NUMBERS.items()}
        write_parquet(output, pd.DataFrame({"eid": eid} | columns | numbers | found.header()))


def region_units(paths: Sequence[Path], *, of_scored: bool) -> tuple[pd.DataFrame, str]:
    """Units that count: of recordings that are scored only those of probes that passed, of others all but those that failed.

    Of both those that are well isolated, fire more than once a second and lie in a region that is a class.

    Args:
        paths: files of `write_region_units`.

    Returns:
        A row for each unit: uuid, region, probe, depth_um and the build of its file among its columns. And how many of all
        units these are, with what the others lack and the recordings that have none.

    Raises:
        UserError: a file is missing or damaged, or two have a unit in common.
    """
    units = pd.concat(map(_read, paths), ignore_index=True)
    lacks = {
        "its probe's quality": (units["qc"] != "PASS") if of_scored else (units["qc"] == "FAIL"),
        "its probe's alignment": units["qc_alignment"] != "PASS",
        "isolation (label 1)": units["label"] != 1.0,
        "more than 1 spike/s": ~(units["rate_hz"] > 1.0),
        "a region that is a class": ~units["region"].isin(REGIONS),
    }
    reasons = pd.Series("", index=units.index)
    for reason, is_lacking in lacks.items():
        reasons[is_lacking & (reasons == "")] = reason
    counting = units[reasons == ""].reset_index(drop=True)
    why = ", ".join(f"{number} lack {reason}" for reason, number in reasons[reasons != ""].value_counts().items())
    empty = sorted({path.stem for path in paths} - set(counting["eid"]))
    none = f"; none of {', '.join(empty)}" if empty else ""
    kind = "scored" if of_scored else "pretrained on"
    return counting, f"regions: {len(counting)} of {counted(len(units), 'unit')} that are {kind} count" + (
        f" ({why}{none})" if why or none else ""
    )


def builds_of(units: pd.DataFrame) -> list[dict[str, str]]:
    """What the files of units say of their build, each once."""
    return units[list(_BUILD)].drop_duplicates().astype(str).to_dict("records")


def _read(path: Path) -> pd.DataFrame:
    units = read_parquet(path)
    if absent := [name for name in ("eid", *_TEXTS, *_NUMBERS, *_BUILD) if name not in units]:
        raise damaged(path, f"it has no column {absent[0]}")
    return units
