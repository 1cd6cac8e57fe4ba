"""The device that a process computes on."""

import logging
import os
from collections.abc import Mapping

import torch
from torch import Tensor

log = logging.getLogger(__name__)

_GIVEN = ("SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES")
_NONE = ("", "-1", "NoDevFiles")


def computing_device(environment: Mapping[str, str] = os.environ) -> torch.device:
    """The GPU if there is one. A job that was given one and does not see it computes on the CPU, and says so.

    Args:
        environment: in which SLURM, Ray or the user say which GPUs this process has.
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    hidden = environment.get("CUDA_VISIBLE_DEVICES") in _NONE
    given = [f"{name}={environment[name]}" for name in _GIVEN if environment.get(name, "") not in _NONE]
    if given and not hidden:
        log.warning(
            "a GPU was given (%s), but torch %s sees none: computing on the CPU; see what `nvidia-smi` says on this node, "
            "and whether torch was built for its driver's CUDA",
            *(given[0], torch.__version__),
        )
    return torch.device("cpu")


def bf16_is_native(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself: GPUs do from Ampere on, older ones emulate it slowly."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of main memory on the device. A GPU gets it from pinned memory, so that this process need not wait."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
