"""The training loop of the networks among the baselines."""

import logging
import math
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from neds.baselines.networks.settings import NetworkSettings

log = logging.getLogger(__name__)

Drawn = TypeVar("Drawn")
_CONSTANT = 0.75
"""Share of the steps after which the learning rate falls."""


def fit(
    network: nn.Module,
    settings: NetworkSettings,
    *,
    batches: Callable[[np.random.Generator], Iterable[Drawn]],
    loss: Callable[[Drawn], Tensor],
    validation: Callable[[], float],
    what: str,
    lr: float | None = None,
) -> float:
    """Train a network in place; it is left with the weights of its best validation, in evaluation mode.

    Args:
        batches: the batches of an epoch, as many in each.
        validation: a score, higher is better; NaN where there is none. It is called in evaluation mode, without gradients.
        what: what is trained, for the log.
        lr: in the place of `settings.lr`.

    Returns:
        The best score; NaN where no validation has one: the last weights stay then.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr or settings.lr, weight_decay=settings.weight_decay)
    rng = np.random.default_rng(settings.seed)
    per_epoch = len(list(batches(np.random.default_rng(0))))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _factor(settings.epochs * per_epoch))
    best, best_epoch, kept = math.nan, 0, {}
    for epoch in range(1, settings.epochs + 1):
        network.train()
        for batch in batches(rng):
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()
            schedule.step()
        if epoch % settings.validate_every and epoch < settings.epochs:
            continue
        network.eval()
        with torch.inference_mode():
            score = validation()
        if score > best or (math.isnan(best) and not math.isnan(score)):
            best, best_epoch = score, epoch
            kept = {name: tensor.clone() for name, tensor in _tensors(network).items()}
    if kept:
        with torch.no_grad():
            for name, tensor in _tensors(network).items():
                tensor.copy_(kept[name])
    else:
        log.warning("%s: nothing in the validation trials can be scored, so the last weights stay", what)
    log.info("%s: best validation %.4f after epoch %d of %d", what, best, best_epoch, settings.epochs)
    network.eval()
    return best


def n_parameters(network: nn.Module) -> int:
    """Numbers that training sets."""
    return sum(parameter.numel() for parameter in network.parameters())


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def _factor(n_steps: int) -> Callable[[int], float]:
    """Learning rate, relative to the largest, by step."""
    falls_after = int(_CONSTANT * n_steps)

    def factor(step: int) -> float:
        if step <= falls_after:
            return 1.0
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - falls_after) / (n_steps - falls_after)))

    return factor
