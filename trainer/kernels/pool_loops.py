"""Average and sum pools of windows that lie side by side, forward and backward, in numba.

The same bits as torch's: a window is added up row by row from 0 and divided once, and its gradient
is divided once and added to 0. torch divides places of memory to find each window, where this goes
from window to window; the height, the width and the divisor of a window are constants of the
compilation. A thread does some of the planes [H, W].
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba


@cache
def forward(high: int, wide: int, divisor: int) -> Callable[..., None]:
    """Pools planes."""

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def run(
        x: Any,  # [planes, H, W]
        y: Any,  # [planes, H // high, W // wide]
        first: int,  # plane, of those that this thread does
        end: int,
    ) -> None:
        zero, parts = x.dtype.type(0), x.dtype.type(divisor)
        for plane in range(first, end):
            for row in range(y.shape[1]):
                for column in range(y.shape[2]):
                    total = zero
                    for i in range(high):
                        for j in range(wide):
                            total += x[plane, row * high + i, column * wide + j]
                    y[plane, row, column] = total / parts

    return run


@cache
def backward(high: int, wide: int, divisor: int) -> Callable[..., None]:
    """Spreads the gradients of windows; what is in no window gets 0."""

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def run(
        grad: Any,  # [planes, H // high, W // wide]
        to_x: Any,  # [planes, H, W]
        first: int,  # plane, of those that this thread does
        end: int,
    ) -> None:
        zero, parts = grad.dtype.type(0), grad.dtype.type(divisor)
        rows, columns = grad.shape[1], grad.shape[2]
        for plane in range(first, end):
            for row in range(rows):
                for i in range(high):
                    for column in range(columns):
                        share = zero + grad[plane, row, column] / parts
                        for j in range(wide):
                            to_x[plane, row * high + i, column * wide + j] = share
                    to_x[plane, row * high + i, columns * wide :] = zero
            to_x[plane, rows * high :] = zero

    return run
