"""Batch norms over time: one mean and one variance per channel over T, batch and space.

    y = weight * factor * (x - mean) / sqrt(var + eps) + bias

The variance is the biased one in the forward pass and goes unbiased into `running_var` (momentum
0.1). factor is 1 for batch norm and alpha * V_th for tdBN (Zheng et al. 2021), where it stays in
the forward pass instead of in the initial weight. In eval mode the running moments are used, so
the whole is one affine map per channel and can be folded into the layer before it.
"""

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..layers import is_static, over_time
from . import together

MOMENTUM = 0.1
EPS = 1e-5


class BatchNorm1d(nn.BatchNorm1d):
    """[T, B, N], statistics over T and B."""

    factor = 1.0

    def __init__(self, num_features: int, eps: float = EPS) -> None:
        super().__init__(num_features, eps, MOMENTUM)

    def forward(self, input: Tensor) -> Tensor:
        return _normalised(self, input, self.factor, axes=1)


class BatchNorm2d(nn.BatchNorm2d):
    """[T, B, C, H, W], statistics over T, B, H and W."""

    factor = 1.0

    def __init__(self, num_features: int, eps: float = EPS) -> None:
        super().__init__(num_features, eps, MOMENTUM)

    def forward(self, input: Tensor) -> Tensor:
        return _normalised(self, input, self.factor, axes=3)


class TdBatchNorm1d(BatchNorm1d):
    """Threshold-dependent batch norm. alpha: 1, or 1/sqrt(2) where two branches are added."""

    def __init__(
        self, num_features: int, threshold: float = 1.0, alpha: float = 1.0, eps: float = EPS
    ) -> None:
        super().__init__(num_features, eps)
        self.factor = alpha * threshold


class TdBatchNorm2d(BatchNorm2d):
    """Threshold-dependent batch norm. alpha: 1, or 1/sqrt(2) where two branches are added."""

    def __init__(
        self, num_features: int, threshold: float = 1.0, alpha: float = 1.0, eps: float = EPS
    ) -> None:
        super().__init__(num_features, eps)
        self.factor = alpha * threshold


def _normalised(norm: _BatchNorm, x: Tensor, factor: float, axes: int) -> Tensor:
    """x [T, B, C, ...] normalised; in training the running moments move."""
    if not norm.training:
        return _apply(norm, x, factor, axes, norm.running_var)
    if norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
    if not is_static(x):
        return _apply(norm, x, factor, axes, norm.running_var)
    own = x[0].numel() // x.shape[2] if x.ndim > 2 else 0  # values per channel and step
    once = int(together.count(own, x)) if together.shared() else own
    if once == 1:  # one value has no variance, its T copies have: 0
        return _apply(norm, x.contiguous(), factor, axes, norm.running_var)
    assert norm.running_var is not None
    var = norm.running_var.clone()
    y = _apply(norm, x, factor, axes, var)
    with torch.no_grad():
        kept = (1 - (norm.momentum or 0.0)) * norm.running_var
        norm.running_var.copy_(_of_copies(var, kept, once, len(x)))
    return y


def _apply(norm: _BatchNorm, x: Tensor, factor: float, axes: int, var: Tensor | None) -> Tensor:
    """torch's batch norm on all steps at once, with `var` as the running variance."""

    def per_sample(values: Tensor) -> Tensor:
        weight = norm.weight if factor == 1 else norm.weight * factor
        how = norm.training, norm.momentum or 0.0, norm.eps
        if norm.training and together.shared():
            running = norm.running_mean, var
            return together.batch_norm(values, running, weight, norm.bias, *how[1:])
        return F.batch_norm(values, norm.running_mean, var, weight, norm.bias, *how)

    return over_time(per_sample, x, axes)


def _of_copies(moved: Tensor, kept: Tensor, once: int, steps: int) -> Tensor:
    """The running variance that T copies would have left, from the one that one copy left.

    kept: what is in it of earlier batches. The moments of T copies are those of one; only the
    n / (n - 1) of the unbiased variance tells them apart. Written as a small correction, so
    that nothing cancels.
    """
    n = once * steps
    ratio = n / (n - 1) * (once - 1) / once
    return moved + (moved - kept) * (ratio - 1)
