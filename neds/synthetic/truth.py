"""The truth file: the firing rates behind every unit's spikes, which the oracle baselines integrate over bins.

It holds two for each unit: the true rate (`rate_hz`), and its mean over the fluctuations that neither task nor behaviour
shows (`rate_given_behaviour_hz`).

Shapes: N units, G grid bins, K trials, T bins of a trial.
"""

from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from neds.errors import UserError
from neds.files import hdf5
from neds.files.atomic import replacing

FORMAT, VERSION = "neds-truth", 2
Rates = Literal["rate_hz", "rate_given_behaviour_hz"]


def write_truth(path: Path, *, uuids: list[str], rates: dict[Rates, np.ndarray], start_s: float, dt_s: float) -> None:
    """Write the rates, each (N, G) in Hz, of the units `uuids`.

    Bin g of the grid covers [start_s + g dt_s, start_s + (g + 1) dt_s).
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as handle:
        handle.attrs.update(format=FORMAT, format_version=VERSION, start_s=start_s, dt_s=dt_s)
        handle.create_dataset("uuids", data=np.array(uuids, object), dtype=h5py.string_dtype("utf-8"))
        for name, rate_hz in rates.items():
            handle.create_dataset(
                name,
                data=rate_hz.astype(np.float32),
                chunks=(1, rate_hz.shape[1]),
                compression="lzf",
                shuffle=True,
            )


def expected_counts(
    path: Path,
    *,
    uuids: list[str],
    align_times_s: np.ndarray,
    window_start_s: float,
    bin_s: float,
    n_bins: int,
    rates: Rates = "rate_hz",
) -> np.ndarray:
    """Expected spike counts (K, T, N): the integral of each unit's rate over each bin.

    Bin t of trial k covers [align_times_s[k] + window_start_s + t bin_s, ... + (t + 1) bin_s). The rate is 0 outside
    the recording; a trial with NaN as its time gives NaN.

    Raises:
        UserError: the file is missing or damaged, or knows nothing of one of `uuids`.
    """
    with hdf5.opened(path, file_format=FORMAT, version=VERSION) as handle:
        start_s, dt_s = float(handle.attrs["start_s"]), float(handle.attrs["dt_s"])
        row_of = {uuid: row for row, uuid in enumerate(handle["uuids"].asstr()[:])}
        unknown = [uuid for uuid in uuids if uuid not in row_of]
        if unknown:
            raise UserError(
                f"{path}: no true rate of unit {unknown[0]} and {len(unknown) - 1} others; "
                "the session was made with other synthetic settings, run snakemake again"
            )
        rate_hz = handle[rates][:][[row_of[uuid] for uuid in uuids]]

    n_grid = rate_hz.shape[1]
    cumulative = np.zeros((len(uuids), n_grid + 1))
    np.cumsum(rate_hz, axis=1, dtype=np.float64, out=cumulative[:, 1:])
    edges_s = np.asarray(align_times_s, float)[:, None] + window_start_s + bin_s * np.arange(n_bins + 1)
    position = np.clip((edges_s - start_s) / dt_s, 0, n_grid)
    known = np.isfinite(position)
    cell = np.minimum(np.where(known, position, 0).astype(int), n_grid - 1)
    until_edge = cumulative[:, cell] + rate_hz[:, cell] * (position - cell)
    return np.moveaxis(np.diff(until_edge, axis=2) * dt_s, 0, 2)
