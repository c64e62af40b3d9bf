"""What is minimised. Outputs O are [T, B, C], one set of logits per step; labels y [B] are int64.

    SDT   CE(mean_t O(t), y)            standard direct training      (TET eq. 7)
    TET   mean_t CE(O(t), y)            temporal efficient training   (TET eq. 9)
    MSE   mean (O - target)^2           keeps every step's output near V_th (TET eq. 12)
    total (1 - mse_weight) L + mse_weight MSE                         (TET eq. 13)

TET is never below SDT (cross-entropy is convex in the logits; Jensen).
"""

from typing import Literal

import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor

from .readouts import logits


def sdt(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the mean output."""
    return F.cross_entropy(logits(outputs), labels)


def tet(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean over steps of each step's cross-entropy."""
    return F.cross_entropy(outputs.flatten(0, 1), labels.repeat(len(outputs)))


def mse(outputs: Tensor, target: float = 1.0) -> Tensor:
    """Mean squared distance of every output from one number, the threshold."""
    return (outputs - target).square().mean()


def total(
    outputs: Tensor,
    labels: Tensor,
    loss: Literal["sdt", "tet"] = "tet",
    mse_weight: float = 0.0,
    mse_target: float = 1.0,
) -> Tensor:
    """The loss with its regulariser."""
    value = (tet if loss == "tet" else sdt)(outputs, labels)
    if not mse_weight:
        return value
    return (1 - mse_weight) * value + mse_weight * mse(outputs, mse_target)
