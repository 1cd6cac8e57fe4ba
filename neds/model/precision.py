"""The precision that a network computes in: fp32, or bf16 where the device is faster in it."""

import time
from functools import cache
from typing import Literal

import torch

from neds.device import bf16_is_native
from neds.model.settings import ModelSettings
from neds.model.transformer import Encoder

Precision = Literal["fp32", "bf16"]
LEAST_GAIN = 1.4
"""How many times faster bf16 must be on a CPU to be chosen. Less is not worth results unlike those of other CPUs, and gains
of 1.2, as measured on a busy machine, differ by a tenth from one measurement to the next: noise must not decide."""
LEAST_DIM = 128
"""Narrower networks were slower in bf16 on every CPU that was tried; their steps are too short to be measured in passing."""
_MOST_TOKENS = 2000
_REPEATS = 3


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which a network computes on a device."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def faster_precision(
    device: torch.device, settings: ModelSettings, *, n_trials: int, n_tokens: int
) -> tuple[Precision, str]:
    """The precision in which a network of this size is trained faster, and why.

    Args:
        n_trials: of a batch.
        n_tokens: of a trial.
    """
    if device.type == "cuda":
        native = bf16_is_native(device)
        return ("bf16", "the GPU computes in it") if native else ("fp32", "the GPU does not compute in bf16 itself")
    if settings.dim < LEAST_DIM:
        return "fp32", f"on a CPU a network narrower than {LEAST_DIM} is slower in bf16"
    gain = bf16_gain(settings, min(n_trials, max(1, _MOST_TOKENS // n_tokens)), n_tokens)
    measured = f"bf16 takes {1 / gain:.2f} of the time of fp32 on this CPU at this size"
    return ("bf16" if gain >= LEAST_GAIN else "fp32"), measured


@cache
def bf16_gain(settings: ModelSettings, n_trials: int, n_tokens: int) -> float:
    """How many times faster a training step of one layer is in bf16 than in fp32 on the CPU, in the processor's time.

    It is the least of several measurements, so that one that something disturbed chooses nothing.

    Random numbers are drawn from a generator of their own: those of the caller are left as they are.
    """
    times_s: dict[Precision, list[float]] = {"fp32": [], "bf16": []}
    with torch.random.fork_rng(devices=[]):
        encoder = Encoder(settings.model_copy(update={"layers": 1}))
        x_BPD, times = torch.randn(n_trials, n_tokens, settings.dim), torch.arange(n_tokens)
        for _ in range(1 + _REPEATS):
            for precision, taken_s in times_s.items():
                started_s = time.process_time()
                with autocast(x_BPD.device, precision):
                    encoder(x_BPD, times).sum().backward()
                taken_s.append(time.process_time() - started_s)
    # The first step of each prepares buffers and kernels.
    return min(fp32_s / bf16_s for fp32_s, bf16_s in zip(times_s["fp32"][1:], times_s["bf16"][1:], strict=True))
