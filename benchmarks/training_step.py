"""A training step, as the training loop takes it, beside one of torch's own encoder over as many tokens.

    python -m benchmarks.training_step

Between any two steps of the loop a step of the plain way is timed: `torch.nn.TransformerEncoder` with dropout, as the public
code has it, over a token for every bin of every modality, without stitchers and readouts; decoding alone needs the tokens of
spikes and no others. The limit is the time that the loop's own arithmetic takes at the rate of a large product of matrices,
in fp32 both. With the plain steps between, a step finds no cache warm and takes longer than in a training.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import flop_counter, matrix_flops
from benchmarks.measurement import Measurement, report, seconds
from benchmarks.noise import noise_session
from neds.errors import Interrupted
from neds.files.aligned import write_aligned
from neds.modalities import PAPER
from neds.model.modes import ModeName
from neds.model.settings import ModelSettings
from neds.training.settings import TrainingRun, TrainingSettings
from neds.training.stage import run_training

BATCH, N_UNITS, N_BINS, STEPS = 16, 200, 100, 3
PAPER_SIZE = ModelSettings(dim=256, layers=5, heads=8, mlp=512)
MODES: tuple[ModeName, ...] = ("mm", "encoding", "decoding")
DROPOUT = 0.4
"""The paper's."""


@dataclass
class Steps:
    """Told of every step that ends (`should_stop` of a training): times them, and a call of `between` after each."""

    wanted: int
    between: Callable[[], object] = lambda: None
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    between_s: list[float] = field(default_factory=list)
    counter: FlopCounterMode = field(default_factory=flop_counter)
    _began: tuple[float, float] = (0.0, 0.0)

    def __call__(self) -> bool:
        """Whether there were enough. The first step, in which operations are counted, is not timed."""
        now = time.perf_counter(), time.process_time()
        if self._began == (0.0, 0.0):
            self.counter.__exit__(None, None, None)
        else:
            self.wall_s.append(now[0] - self._began[0])
            self.cpu_s.append(now[1] - self._began[1])
        self.between_s.append(seconds(self.between))
        self._began = time.perf_counter(), time.process_time()
        return len(self.wall_s) == self.wanted


def time_steps(run: TrainingRun, aligned: list[Path], steps: Steps) -> None:
    """Train until there were enough steps."""
    with tempfile.TemporaryDirectory() as folder:
        best, last, log_csv = (Path(folder, name) for name in ("best", "last", "log.csv"))
        steps.counter.__enter__()
        try:
            run_training(run=run, aligned=aligned, best=best, last=last, log_csv=log_csv, should_stop=steps)
        except Interrupted:
            return
    raise AssertionError("the training ended before there were enough steps")


def training_run(mode: ModeName, size: ModelSettings) -> TrainingRun:
    """The default training of a network of that size in fp32, in batches of `BATCH`."""
    return TrainingRun(
        mode=mode,
        modalities=list(PAPER),
        model=size,
        training=TrainingSettings(batch_size=BATCH, precision="fp32"),
        seed=0,
    )


def plain_step(settings: ModelSettings) -> Callable[[], None]:
    """A step of torch's own encoder."""
    sizes = settings.dim, settings.heads, settings.mlp
    layer = nn.TransformerEncoderLayer(*sizes, DROPOUT, activation="gelu", batch_first=True, norm_first=True)
    model = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    tokens = torch.randn(BATCH, len(PAPER) * N_BINS, settings.dim)

    def step() -> None:
        optimizer.zero_grad()
        model(tokens).square().mean().backward()
        optimizer.step()

    return step


def main() -> None:
    """Report a step of every mode, at the paper's size of one session and at the default one."""
    with tempfile.TemporaryDirectory() as folder:
        aligned = Path(folder, "session.h5")
        write_aligned(aligned, noise_session(0, N_UNITS, n_bins=N_BINS, n_train=BATCH * (STEPS + 2), n_val=BATCH))
        for name, size in (("paper's size", PAPER_SIZE), ("default size", ModelSettings())):
            shape = f"L{size.layers} D{size.dim}"
            for mode in MODES:
                steps = Steps(STEPS, between=plain_step(size))
                time_steps(training_run(mode, size), [aligned], steps)
                report(
                    Measurement(
                        section=f"A training step ({BATCH} trials, {N_UNITS} units, {N_BINS} bins)",
                        what=f"{mode}, {name} ({shape})",
                        value=median(steps.wall_s),
                        unit="s",
                        limit=steps.counter.get_total_flops() / matrix_flops(),
                        limited_by="matrix rate",
                        plain=median(steps.between_s[1:]),
                        plain_way="nn.TransformerEncoder with dropout",
                        further={"CPU s": median(steps.cpu_s)},
                    )
                )


if __name__ == "__main__":
    main()
