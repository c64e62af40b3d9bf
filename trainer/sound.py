"""What ends a run: a loss, gradients or weights that are no numbers."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ..core.errors import TrainingError
from ..core.settings import Train


def check_loss(value: float, where: str, out: Path, train: Train) -> None:
    """TrainingError if it is neither small nor large but no number; where: epoch and step."""
    if value - value != 0:  # neither for nan nor for infinity
        raise TrainingError(
            f"the loss is {value} in {where}; {last_good(out)}. Lower {rates(train)} or set "
            "train.clip"
        )


def check_gradient(length: Tensor | None, where: str, out: Path, train: Train) -> None:
    """The same of the gradient's norm."""
    if length is not None and not bool(torch.isfinite(length)):
        raise TrainingError(
            f"the gradient's norm is {float(length)} in {where}; {last_good(out)}. Lower "
            f"{rates(train)} or the surrogate's scale"
        )


def check_weights(net: nn.Module, epoch: int, out: Path, train: Train) -> None:
    """The same of weights and moments."""
    if not all(bool(torch.isfinite(v).all()) for v in net.state_dict().values()):
        raise TrainingError(
            f"weights are no longer finite after epoch {epoch}; {last_good(out)}. "
            f"Lower {rates(train)} or set train.clip"
        )


def rates(train: Train) -> str:
    """The learning rates, those that stages have of their own with them."""
    own = [stage.lr for stage in train.before if stage.lr]
    stages = f", and {', '.join(map(str, own))} in train.before" if own else ""
    return f"train.lr (now {train.lr}{stages})"


def last_good(out: Path) -> str:
    """What is left when training fails."""
    there = (out / "last.ckpt").exists()
    return f"{out / 'last.ckpt'} is good" if there else "there is no checkpoint yet"
