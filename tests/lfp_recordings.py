"""LFP recordings written for tests, in the files that SpikeGLX and the IBL's compression leave.

Shapes: n samples, C channels.
"""

from pathlib import Path

import numpy as np
import spikeglx

RATE_HZ = 2500.0
MICROVOLTS_PER_STEP = 0.6 / 512 / 250 * 1e6
NAME = "_spikeglx_ephysData_g0_t0.imec0"


def write_lfp(
    folder: Path, microvolts: np.ndarray, *, start_s: float = 0.0, drift: float = 0.0, compressed: bool = True
) -> Path:
    """Write a recording (n, C) of a Neuropixels 1.0 probe, a silent sync channel, and its clock; the path of the first.

    Args:
        start_s, drift: sample i was taken at start_s + (1 + drift) i / RATE_HZ seconds of the session.
    """
    folder.mkdir(parents=True, exist_ok=True)
    n_samples, n_channels = microvolts.shape
    steps = np.zeros((n_samples, n_channels + 1), np.int16)
    steps[:, :-1] = np.round(microvolts / MICROVOLTS_PER_STEP)
    recording = folder / f"{NAME}.lf.bin"
    steps.tofile(recording)
    _write_meta(recording.with_suffix(".meta"), n_samples, n_channels)
    at = np.array([0, 12 * n_samples])
    np.save(folder / f"{NAME}.timestamps.npy", np.column_stack([at, start_s + (1 + drift) * at / (12 * RATE_HZ)]))
    if not compressed:
        return recording
    with spikeglx.Reader(recording) as reader:
        return Path(reader.compress_file(keep_original=False, check_after_compress=False, n_threads=1))


def _write_meta(path: Path, n_samples: int, n_channels: int) -> None:
    channels = range(n_channels)
    lines = {
        "typeThis": "imec",
        "imDatPrb_type": 0,
        "imDatPrb_port": 1,
        "imDatPrb_slot": 2,
        "imSampRate": f"{RATE_HZ:g}",
        "imAiRangeMax": 0.6,
        "imAiRangeMin": -0.6,
        "nSavedChans": n_channels + 1,
        "snsApLfSy": f"0,{n_channels},1",
        "fileSizeBytes": 2 * n_samples * (n_channels + 1),
        "fileTimeSecs": n_samples / RATE_HZ,
        "~imroTbl": f"(0,{n_channels})" + "".join(f"({c} 0 0 500 250 1)" for c in channels),
        "~snsShankMap": "(1,2,480)" + "".join(f"(0:{c % 2}:{c // 2}:1)" for c in channels),
    }
    path.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
