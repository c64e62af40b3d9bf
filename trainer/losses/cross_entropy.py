"""Cross-entropies. Outputs O are [T, B, C], one set of logits per step; labels y [B] are int64.

    SDT   CE(mean_t O(t), y)            standard direct training      (TET eq. 7)
    TET   mean_t CE(O(t), y)            temporal efficient training   (TET eq. 9)
    MSE   mean (O - target)^2           keeps every step's output near V_th (TET eq. 12)
    max   CE(max_t O(t), y)             each class at its own best step (Zenke & Vogels 2021)
    sum   CE(sum_t O(t), y)

TET is never below SDT (cross-entropy is convex in the logits; Jensen).
"""

import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor

from ..readouts import logits


def sdt(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the mean output."""
    return F.cross_entropy(logits(outputs), labels)


def tet(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean over steps of each step's cross-entropy."""
    return F.cross_entropy(outputs.flatten(0, 1), labels.repeat(len(outputs)))


def max_over_time(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each class's highest output."""
    return F.cross_entropy(logits(outputs, "max_t"), labels)


def sum_over_time(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the summed output."""
    return F.cross_entropy(logits(outputs, "sum_t"), labels)


def first_spike(outputs: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of minus the step of the first spike, of outputs that are spikes."""
    return F.cross_entropy(logits(outputs, "first_spike"), labels)


def mse(outputs: Tensor, target: float = 1.0) -> Tensor:
    """Mean squared distance of every output from one number, the threshold."""
    return (outputs - target).square().mean()
