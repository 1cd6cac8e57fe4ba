"""The conversion stage: one session's file of another format becomes a raw file, with its names mapped.

Shapes: N units, K trials.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path

import numpy as np

from neds.conversion.mapped import Mapped, in_file
from neds.conversion.session_file import SessionFile, file_record, session_file
from neds.conversion.settings import MAPPINGS, ConvertRun, FormatName
from neds.conversion.source import SourceSession
from neds.errors import UserError
from neds.files.raw import RawSession, write_raw
from neds.files.roles import InputFile, InputFiles, OutputFile
from neds.validation import validated

_log = logging.getLogger(__name__)
Reader = Callable[..., AbstractContextManager[SourceSession]]


def convert(
    *,
    format: FormatName,
    eid: str,
    settings: ConvertRun,
    output: OutputFile,
    file: InputFile | None = None,
    address: str = "",
    etag: str = "",
    linked: InputFiles = (),
) -> None:
    """Read one session from `file` or `address` and write it to the raw file `output`.

    Args:
        format: of the file.
        eid: session id.
        settings: `modalities` (list of registry entries, of which those of one value per trial count) and `mapping`
            (config block nwb or brainsets).
        output: raw session file to write.
        file: the session's file.
        address: of the session's file on a server, https:// or s3://, in the place of `file`; what is read of it is fetched.
        etag: the mark that the server must give the file; empty for any.
        linked: other files that links in an NWB file may lead to.

    Raises:
        UserError: a file that cannot be read, a mapping that does not fit it, or linked files of another format than NWB.
    """
    others = [Path(other) for other in linked]
    if file is not None:
        refuse_folder(Path(file))
    with (
        session_file(Path(file) if file else None, address=address, etag=etag) as path,
        opened(path, format=format, settings=settings, linked=others) as converted,
    ):
        source, mapping = converted.source, converted.mapping
        traces, problems = converted.traces(settings.units())
        trials, no_trials = converted.trials(settings.per_trial())
        spikes = source.spikes()
        duration_s = np.ptp(spikes.times) if len(spikes.times) else 1.0
        rates_hz = np.bincount(spikes.units, minlength=source.n_units) / max(duration_s, 1e-9)
        units = converted.units(eid).assign(firing_rate_hz=rates_hz)
        datasets = [file_record(read) for read in (path, *others)]
    for name, told in converted.readings.items():
        _log.info("%s: %s read as %s", path, name, told)
    write_raw(
        output,
        RawSession(
            eid=eid,
            subject=source.subject,
            lab=source.lab,
            date=source.date,
            spike_times=spikes.times,
            spike_units=spikes.units,
            units=units,
            trials=trials,
            traces=traces,
            provenance={
                "datasets": datasets,
                "mapping": mapping.model_dump(),
                "mapped": [*(mapping.series or {}), *(mapping.trials or {})],
                "problems": problems | no_trials,
                "remarks": ({"spikes": "; ".join(spikes.remarks)} if spikes.remarks else {}) | converted.remarks,
                "readings": converted.readings,
            },
            recorded=source.recorded,
            intervals=source.intervals,
        ),
    )


@contextmanager
def opened(
    path: SessionFile, *, format: FormatName, settings: ConvertRun, linked: Sequence[Path] = ()
) -> Iterator[Mapped]:
    """A session's file, seen through its mapping for as long as the block runs.

    Raises:
        UserError: a file that cannot be read, or linked files of another format than NWB.
    """
    if linked and format != "nwb":
        raise UserError(f"{path}: only NWB files have linked files, not {format}; leave these out")
    given = validated(MAPPINGS[format], settings.mapping, where="mapping")
    # A reader is imported only where it is used: pynwb takes long to.
    reader: Reader = import_module(f"neds.conversion.{format}").opened
    with reader(path, given.filled(), **({"linked": linked} if linked else {})) as source:
        yield Mapped(path, format, in_file(given, source), source)


def refuse_folder(path: Path) -> None:
    """Refuse a folder in the place of a session's file.

    Raises:
        UserError: it is one.
    """
    if path.is_dir():
        is_zarr = any((path / mark).exists() for mark in (".zgroup", ".zattrs", ".zmetadata", "zarr.json"))
        what = "a Zarr folder; of NWB, HDF5 files are read: export it to one" if is_zarr else "a folder, not a file"
        raise UserError(f"{path}: is {what}")
