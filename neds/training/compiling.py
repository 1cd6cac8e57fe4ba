"""Whether the layers of a network are compiled for its training."""

import logging

import torch

from neds.errors import UserError
from neds.model.network import NEDS
from neds.training.settings import MemorySettings

log = logging.getLogger(__name__)

WORTH_COMPILING = 2e16
"""Floating-point operations from which a training is compiled by itself. An H200 did them in three minutes as they are and
in two when compiled, which took it up to half a minute; slower GPUs gain more."""


def compiles(
    memory: MemorySettings, model: NEDS, device: torch.device, *, n_trials: int, description: str, is_first: bool
) -> bool:
    """Whether to train with compiled layers.

    Args:
        n_trials: that go through the network in all, in all epochs.
        description: name of the run in its messages.
        is_first: whether this process reports.

    Raises:
        UserError: it is asked for, and cannot be done here.
    """
    wanted = memory.compile
    if wanted == "auto":
        wanted = device.type == "cuda" and training_operations(model, n_trials) >= WORTH_COMPILING
    if not wanted:
        return False
    if fault := compiler_fault(device):
        if memory.compile != "auto":
            raise UserError(
                f"{description}: training.compile is true, but torch.compile fails here ({fault}); set it to auto or false"
            )
        if is_first:
            log.warning("%s: trains slower than it could, because torch.compile fails here: %s", description, fault)
        return False
    if is_first:
        log.info("%s: compiles its layers, which takes up to a minute (training.compile)", description)
    return True


def training_operations(model: NEDS, n_trials: int) -> float:
    """Floating-point operations of the encoder for `n_trials` trials, forward and backward: 6 for each weight and token, and
    12 D for each pair of tokens in each layer.
    """
    settings, n_tokens = model.design.settings, model.layout.n_tokens
    weights = sum(p.numel() for p in model.encoder.parameters())
    return n_trials * n_tokens * (6.0 * weights + 12.0 * settings.layers * settings.dim * n_tokens)


def compiler_fault(device: torch.device) -> str:
    """Why nothing can be compiled here, in a line; empty where it can."""
    try:
        torch.compile(_compiled_in_trial)(torch.ones(8, device=device))
    # Whatever part of torch, Triton or a C compiler fails has an exception of its own.
    except Exception as error:
        return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return ""


def _compiled_in_trial(x: torch.Tensor) -> torch.Tensor:
    return x.sin() + 1
