"""Sums over synapses by events: rows of weights are added up where something arrived.

Every sum is exact in int32: the caller has bounded it. Work grows with the number of events, not
with the size of the layer.
"""

from typing import Any

import numba
import numpy as np

i32 = np.int32


@numba.njit(parallel=True, cache=True, nogil=True)
def dense(x: Any, weight: Any, out: Any) -> None:
    """x [M, N] whole numbers, weight [N, O] -> out int32 [M, O]."""
    samples, size = x.shape
    wide = weight.shape[1]
    for m in numba.prange(samples):
        at = np.empty(size, np.int32)
        found = 0
        for i in range(size):
            if x[m, i] != 0:
                at[found] = i
                found += 1
        for o in range(wide):
            out[m, o] = 0
        k = 0
        while k < found:
            a, s = at[k], i32(x[m, at[k]])
            if s == 1 and k + 3 < found:
                b, c, d = at[k + 1], at[k + 2], at[k + 3]
                if x[m, b] == 1 and x[m, c] == 1 and x[m, d] == 1:
                    for o in range(wide):  # four rows at once: one load and store of the sum
                        first = i32(i32(weight[a, o]) + i32(weight[b, o]))
                        second = i32(i32(weight[c, o]) + i32(weight[d, o]))
                        out[m, o] = i32(out[m, o] + i32(first + second))
                    k += 4
                    continue
            for o in range(wide):
                out[m, o] = i32(out[m, o] + i32(s * i32(weight[a, o])))
            k += 1


@numba.njit(parallel=True, cache=True, nogil=True)
def conv(
    x: Any,
    weight: Any,
    out: Any,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
) -> None:
    """x [M, H, W, C] whole numbers, weight [C, ky, kx, O] -> out int32 [M, H', W', O]."""
    samples, height, width, channels = x.shape
    rows, columns, wide = out.shape[1:]
    tall, broad = weight.shape[1:3]
    for m in numba.prange(samples):
        for y in range(rows):
            for z in range(columns):
                for o in range(wide):
                    out[m, y, z, o] = 0
        for y in range(height):
            for z in range(width):
                for c in range(channels):
                    s = i32(x[m, y, z, c])
                    if s == 0:
                        continue
                    for ky in range(tall):
                        top = y + padding[0] - ky * dilation[0]
                        oy = top // stride[0]
                        if top < 0 or oy >= rows or oy * stride[0] != top:
                            continue
                        for kx in range(broad):
                            left = z + padding[1] - kx * dilation[1]
                            ox = left // stride[1]
                            if left < 0 or ox >= columns or ox * stride[1] != left:
                                continue
                            for o in range(wide):
                                added = i32(s * i32(weight[c, ky, kx, o]))
                                out[m, oy, ox, o] = i32(out[m, oy, ox, o] + added)
