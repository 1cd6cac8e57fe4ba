"""This machine's limits: the rate of a large product of matrices, and the bandwidth of its memory.

    python -m benchmarks.machine

The best of many tries, with as many threads as torch takes: what is measured is what the machine can do, whatever else it
does.
"""

import platform
from functools import cache
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from benchmarks.measurement import Measurement, report, seconds

Shape = tuple[int, ...]

_TRIES = 30
_WIDTH = 2048
_COPIED = 64 * 1024 * 1024
"""Numbers; with 4 bytes each they fit no cache."""


@cache
def matrix_flops() -> float:
    """Floating-point operations per second of a product of two square 32-bit matrices."""
    a, b = torch.randn(2, _WIDTH, _WIDTH)
    return 2 * _WIDTH**3 / min(seconds(lambda: a @ b) for _ in range(_TRIES))


@cache
def memory_bytes() -> float:
    """Bytes per second that are read and written by a copy."""
    source = torch.ones(_COPIED)
    target = torch.empty_like(source)
    return 2 * 4 * _COPIED / min(seconds(lambda: target.copy_(source)) for _ in range(_TRIES))


def flop_counter() -> FlopCounterMode:
    """A counter of the operations of products of matrices; torch's own does not know the CPU's fused attention."""

    def forward(query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> int:
        return sdpa_flop_count(query, key, value)

    def backward(gradient: Shape, query: Shape, key: Shape, value: Shape, *_: object, **__: object) -> int:
        return sdpa_backward_flop_count(gradient, query, key, value)

    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    fused_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    return FlopCounterMode(display=False, custom_mapping={fused: forward, fused_backward: backward})


def processor() -> str:
    """Its name, where the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Report both."""
    section = "This machine"
    report(Measurement(section=section, what="product of matrices", further={"GFLOP/s": matrix_flops() / 1e9}))
    report(Measurement(section=section, what="copy in memory", further={"GB/s": memory_bytes() / 1e9}))


if __name__ == "__main__":
    main()
