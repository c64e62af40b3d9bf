"""Whole numbers forward, the real numbers' gradient backward: the straight-through estimator
(Y. Bengio, N. Leonard and A. Courville, arXiv:1308.3432, 2013)."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Slope = float | Tensor


class _Through(torch.autograd.Function):
    """formula(x) forward, slope * gradient backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, formula: Callable[[Tensor], Tensor], slope: Slope) -> Tensor:
        ctx.slope = slope
        return formula(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad * ctx.slope, None, None


def through(formula: Callable[[Any], Any], slope: Slope = 1.0) -> Callable[[Any], Any]:
    """One of the chip's rules (`core.loihi`), as a map that gradients pass with this slope: the
    derivative that the rule would have if nothing were rounded, wrapped or cut off."""

    def passed(x: Any) -> Any:
        return _Through.apply(x, formula, slope) if isinstance(x, Tensor) else formula(x)  # type: ignore[no-untyped-call]

    return passed
