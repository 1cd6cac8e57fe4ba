"""The conversion stage: one session's file of another format becomes a raw file, with its names mapped.

Shapes: N units, K trials.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path

from neds.conversion.mapped import Mapped, in_file
from neds.conversion.settings import MAPPINGS, ConvertRun, FormatName
from neds.conversion.source import SourceSession
from neds.errors import UserError
from neds.files.md5 import md5_of
from neds.files.raw import RawSession, write_raw
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.validation import validated

_log = logging.getLogger(__name__)
Reader = Callable[..., AbstractContextManager[SourceSession]]


def convert(
    *,
    format: FormatName,
    file: InputFile,
    eid: str,
    settings: ConvertRun,
    output: OutputFile,
    linked: InputFiles = (),
) -> None:
    """Read one session from `file` and write it to the raw file `output`.

    Args:
        format: of the file.
        file: the session's file.
        eid: session id.
        settings: `modalities` (list of registry entries, of which those of one value per trial count) and `mapping`
            (config block nwb or brainsets).
        output: raw session file to write.
        linked: other files that links in an NWB file may lead to.

    Raises:
        UserError: a file that cannot be read, a mapping that does not fit it, or linked files of another format than NWB.
    """
    path = Path(file)
    with opened(path, format=format, settings=settings, linked=list(map(Path, linked))) as converted:
        source, mapping = converted.source, converted.mapping
        traces, problems = converted.traces(settings.units())
        trials, no_trials = converted.trials(settings.per_trial())
        units = converted.units(eid)
    for name, told in converted.readings.items():
        _log.info("%s: %s read as %s", path, name, told)
    write_raw(
        output,
        RawSession(
            eid=eid,
            subject=source.subject,
            lab=source.lab,
            date=source.date,
            spike_times=source.spike_times,
            spike_units=source.spike_units,
            units=units,
            trials=trials,
            traces=traces,
            provenance={
                "datasets": [
                    {"name": file.name, "size": file.stat().st_size, "hash": md5_of(file)}
                    for file in (path, *map(Path, linked))
                ],
                "mapping": mapping.model_dump(),
                "mapped": [*(mapping.series or {}), *(mapping.trials or {})],
                "problems": problems | no_trials,
                "remarks": source.remarks | converted.remarks,
                "readings": converted.readings,
            },
            recorded=source.recorded,
            intervals=source.intervals,
        ),
    )


@contextmanager
def opened(path: Path, *, format: FormatName, settings: ConvertRun, linked: Sequence[Path] = ()) -> Iterator[Mapped]:
    """A session's file, seen through its mapping for as long as the block runs.

    Raises:
        UserError: a file that cannot be read, or linked files of another format than NWB.
    """
    if linked and format != "nwb":
        raise UserError(f"{path}: only NWB files have linked files, not {format}; leave these out")
    if path.is_dir():
        is_zarr = any((path / mark).exists() for mark in (".zgroup", ".zattrs", ".zmetadata", "zarr.json"))
        what = "a Zarr folder; of NWB, HDF5 files are read: export it to one" if is_zarr else "a folder, not a file"
        raise UserError(f"{path}: is {what}")
    if not path.is_file():
        raise UserError(f"{path}: no such file; correct the path in the sessions sheet")
    given = validated(MAPPINGS[format], settings.mapping, where="mapping")
    # A reader is imported only where it is used: pynwb takes long to.
    reader: Reader = import_module(f"neds.conversion.{format}").opened
    with reader(path, given.filled(), **({"linked": linked} if linked else {})) as source:
        yield Mapped(path, format, in_file(given, source), source)
