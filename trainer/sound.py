"""What ends a run: a loss, gradients or weights that are no numbers."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ..core.errors import TrainingError


def check_loss(value: float, where: str, out: Path, lr: float) -> None:
    """TrainingError if it is neither small nor large but no number; where: epoch and step."""
    if value - value != 0:  # neither for nan nor for infinity
        raise TrainingError(
            f"the loss is {value} in {where}; {last_good(out)}. Lower train.lr (now {lr}) or set "
            "train.clip"
        )


def check_gradient(length: Tensor | None, where: str, out: Path, lr: float) -> None:
    """The same of the gradient's norm."""
    if length is not None and not bool(torch.isfinite(length)):
        raise TrainingError(
            f"the gradient's norm is {float(length)} in {where}; {last_good(out)}. Lower train.lr "
            f"(now {lr}) or the surrogate's scale"
        )


def check_weights(net: nn.Module, epoch: int, out: Path, lr: float) -> None:
    """The same of weights and moments."""
    if not all(bool(torch.isfinite(v).all()) for v in net.state_dict().values()):
        raise TrainingError(
            f"weights are no longer finite after epoch {epoch}; {last_good(out)}. "
            f"Lower train.lr (now {lr}) or set train.clip"
        )


def last_good(out: Path) -> str:
    """What is left when training fails."""
    there = (out / "last.ckpt").exists()
    return f"{out / 'last.ckpt'} is good" if there else "there is no checkpoint yet"
