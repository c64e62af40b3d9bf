"""Average and sum pools as one operation of autograd, the same bits as torch's.

Windows that lie side by side are pooled by the loops of `pool_loops` where the input is worth it;
torch pools whatever else there is.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor, nn

from ..spike_bytes import PLAIN
from . import threads
from .choice import followed, installed, mode
from .layout import at, written

WORTH = 1 << 15  # values of an input; a smaller one is not worth a compilation


class Window(NamedTuple):
    """Height and width, which are the stride too, and what its sum is divided by."""

    high: int
    wide: int
    divisor: int


def pooled(layer: nn.AvgPool2d, x: Tensor) -> Tensor:
    """What torch's average pool makes of x [N, C, H, W]."""
    window = window_of(layer)
    if window is None or not fused(x, window):
        how = layer.kernel_size, layer.stride, layer.padding, layer.ceil_mode
        return F.avg_pool2d(x, *how, layer.count_include_pad, layer.divisor_override)
    out: Tensor = _Pool.apply(x, window)  # type: ignore[no-untyped-call]
    return out


def window_of(layer: nn.AvgPool2d) -> Window | None:
    """The layer's window; None where windows overlap, lie apart or reach over the border."""
    high, wide = pair(layer.kernel_size)
    beside = layer.stride is None or pair(layer.stride) == (high, wide)
    if not beside or pair(layer.padding) != (0, 0) or layer.ceil_mode:
        return None
    divisor = high * wide if layer.divisor_override is None else layer.divisor_override
    return Window(high, wide, divisor) if divisor else None


def pair(size: Any) -> tuple[int, int]:
    """(height, width) of what torch takes as one number or two."""
    high, wide = size if isinstance(size, tuple | list) else (size, size)
    return int(high), int(wide)


def fused(x: Tensor, window: Window) -> bool:
    """Whether the loops pool x [N, C, H, W]."""
    if mode() == "eager" or x.numel() < WORTH or followed():
        return False
    if x.dtype not in (torch.float32, torch.float64) or not installed("numba"):
        return False
    if x.device.type != "cpu" or type(x) not in PLAIN or not x.is_contiguous():
        return False
    return x.shape[2] >= window.high and x.shape[3] >= window.wide


class _Pool(torch.autograd.Function):
    """x [N, C, H, W] -> [N, C, H', W']."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, window: Window) -> Tensor:
        from . import pool_loops  # brings numba, which not every use of a model needs

        x = written(x)
        ctx.window, ctx.shape = window, x.shape
        high, wide = x.shape[2] // window.high, x.shape[3] // window.wide
        y = x.new_empty(*x.shape[:2], high, wide)
        _run(pool_loops.forward(*window, x.dtype == torch.float64), x, y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _Spread.apply(grad, ctx.window, ctx.shape), None  # type: ignore[no-untyped-call]


class _Spread(torch.autograd.Function):
    """The gradient of [N, C, H', W'] -> that of x [N, C, H, W]; its own gradient is a pool."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, window: Window, shape: torch.Size) -> Tensor:
        from . import pool_loops

        ctx.window = window
        grad = written(grad).contiguous()
        to_x = grad.new_empty(shape)
        _run(pool_loops.backward(*window, grad.dtype == torch.float64), to_x, grad)
        return to_x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _Pool.apply(grad.contiguous(), ctx.window), None, None  # type: ignore[no-untyped-call]


def _run(loop: Any, wide: Tensor, narrow: Tensor) -> None:
    """A loop over planes of an input and of a pool's output, on all threads."""
    planes = wide.shape[0] * wide.shape[1]
    given = planes, *wide.shape[2:], *at(wide, narrow)
    threads.run(loop, given, planes, wide.numel())
