"""Average and sum pools of windows that lie side by side, forward and backward, in numba.

The same bits as torch's: a window is added up row by row from 0 and divided once, and its gradient
is divided once and added to 0. torch divides places of memory to find each window, where this goes
from window to window; the height, the width and the divisor of a window are constants of the
compilation. A block of a job is some planes [H, W].
"""

from functools import cache
from typing import Any

import numba

from .jobs import GIVEN, JOB, KINDS, NEXT, SOURCES, memory, taken, told

PLANES = 8  # of a block


@cache
def forward(high: int, wide: int, divisor: int, double: bool) -> Any:
    """Pools planes of float32, or double."""
    kind, sources = KINDS[double], SOURCES

    @numba.cfunc(JOB, cache=True, error_model="numpy")
    def run(job: Any) -> None:
        given = told(job, sources)
        planes, rows, columns = given[GIVEN], given[GIVEN + 1], given[GIVEN + 2]  # of x
        x = memory(given[GIVEN + 3], (planes, rows, columns), kind)
        y = memory(given[GIVEN + 4], (planes, rows // high, columns // wide), kind)
        zero, parts = x.dtype.type(0), x.dtype.type(divisor)
        while True:
            first = taken(job, NEXT, 1) * PLANES
            if first >= planes:
                break
            for plane in range(first, min(first + PLANES, planes)):
                for row in range(y.shape[1]):
                    for column in range(y.shape[2]):
                        total = zero
                        for i in range(high):
                            for j in range(wide):
                                total += x[plane, row * high + i, column * wide + j]
                        y[plane, row, column] = total / parts

    return run


@cache
def backward(high: int, wide: int, divisor: int, double: bool) -> Any:
    """Spreads the gradients of windows; what is in no window gets 0."""
    kind, sources = KINDS[double], SOURCES

    @numba.cfunc(JOB, cache=True, error_model="numpy")
    def run(job: Any) -> None:
        given = told(job, sources)
        planes, high_x, wide_x = given[GIVEN], given[GIVEN + 1], given[GIVEN + 2]
        rows, columns = high_x // high, wide_x // wide
        to_x = memory(given[GIVEN + 3], (planes, high_x, wide_x), kind)
        grad = memory(given[GIVEN + 4], (planes, rows, columns), kind)
        zero, parts = grad.dtype.type(0), grad.dtype.type(divisor)
        while True:
            first = taken(job, NEXT, 1) * PLANES
            if first >= planes:
                break
            for plane in range(first, min(first + PLANES, planes)):
                for row in range(rows):
                    for i in range(high):
                        for column in range(columns):
                            share = zero + grad[plane, row, column] / parts
                            for j in range(wide):
                                to_x[plane, row * high + i, column * wide + j] = share
                        to_x[plane, row * high + i, columns * wide :] = zero
                to_x[plane, rows * high :] = zero

    return run
