"""Sums over synapses by events: rows of weights are added up where something arrived.

Every sum is exact: the caller has bounded it. Work grows with the number of events, not with the
size of the layer. Sums are kept in int16 as far as their bound allows, since twice as many fit a
vector register.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

AHEAD = 8  # rows added up at once: one load and store of the sum for all of them
i32 = np.int32


@cache
def dense(binary: bool, kind: Any) -> Callable[..., None]:
    """Products of matrices. binary: nothing but 0 and 1 arrives. kind: what rows are added up in,
    `group` of them at a time before they go on in int32."""
    if binary:

        @numba.njit(inline="always")
        def times(s: Any, w: Any) -> Any:
            return w
    else:

        @numba.njit(inline="always")
        def times(s: Any, w: Any) -> Any:
            return kind(s * w)

    @numba.njit(cache=True, nogil=True)
    def run(x: Any, weight: Any, out: Any, group: int) -> None:
        """x [M, N] whole numbers, weight [N, O] -> out int32 [M, O]."""
        count, size = x.shape
        wide = weight.shape[1]
        at = np.empty(size + 1, np.int64)
        s = np.empty(size + 1, kind)
        total = np.empty(wide, kind)
        for m in range(count):
            found = 0
            for i in range(size):
                at[found] = i
                s[found] = x[m, i]
                found += x[m, i] != 0
            for o in range(wide):
                out[m, o] = 0
            k = 0
            while k < found:
                end = min(k + group, found)
                for o in range(wide):
                    total[o] = 0
                while k + AHEAD <= end:
                    a, b, c, d = at[k], at[k + 1], at[k + 2], at[k + 3]
                    e, f, g, h = at[k + 4], at[k + 5], at[k + 6], at[k + 7]
                    sa, sb, sc, sd = s[k], s[k + 1], s[k + 2], s[k + 3]
                    se, sf, sg, sh = s[k + 4], s[k + 5], s[k + 6], s[k + 7]
                    for o in range(wide):
                        ab = kind(times(sa, weight[a, o]) + times(sb, weight[b, o]))
                        cd = kind(times(sc, weight[c, o]) + times(sd, weight[d, o]))
                        ef = kind(times(se, weight[e, o]) + times(sf, weight[f, o]))
                        gh = kind(times(sg, weight[g, o]) + times(sh, weight[h, o]))
                        total[o] = kind(total[o] + kind(kind(ab + cd) + kind(ef + gh)))
                    k += AHEAD
                while k < end:
                    a, sa = at[k], s[k]
                    for o in range(wide):
                        total[o] = kind(total[o] + times(sa, weight[a, o]))
                    k += 1
                for o in range(wide):
                    out[m, o] = i32(out[m, o] + total[o])

    return run


@cache
def conv(binary: bool, kind: Any) -> Callable[..., None]:
    """Convolutions. binary: nothing but 0 and 1 arrives. kind: of the sums, which it holds."""
    if binary:

        @numba.njit(inline="always")
        def times(s: Any, w: Any) -> Any:
            return w
    else:

        @numba.njit(inline="always")
        def times(s: Any, w: Any) -> Any:
            return kind(s * w)

    @numba.njit(cache=True, nogil=True)
    def run(
        x: Any,
        weight: Any,
        out: Any,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
    ) -> None:
        """x [M, H, W, C] whole numbers, weight [ky, kx, C, O] -> out [M, H', W', O] of `kind`."""
        count, height, width, channels = x.shape
        rows, columns, wide = out.shape[1:]
        tall, broad = weight.shape[:2]
        at = np.empty(channels + 1, np.int64)
        s = np.empty(channels + 1, kind)
        for m in range(count):
            out[m] = 0
            for y in range(height):
                for z in range(width):
                    found = 0
                    for c in range(channels):
                        at[found] = c
                        s[found] = x[m, y, z, c]
                        found += x[m, y, z, c] != 0
                    if found == 0:
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
                            k = 0
                            while k + 4 <= found:
                                a, b, c, d = at[k], at[k + 1], at[k + 2], at[k + 3]
                                sa, sb, sc, sd = s[k], s[k + 1], s[k + 2], s[k + 3]
                                for o in range(wide):
                                    ab = kind(
                                        times(sa, weight[ky, kx, a, o])
                                        + times(sb, weight[ky, kx, b, o])
                                    )
                                    cd = kind(
                                        times(sc, weight[ky, kx, c, o])
                                        + times(sd, weight[ky, kx, d, o])
                                    )
                                    out[m, oy, ox, o] = kind(out[m, oy, ox, o] + kind(ab + cd))
                                k += 4
                            while k < found:
                                a, sa = at[k], s[k]
                                for o in range(wide):
                                    out[m, oy, ox, o] = kind(
                                        out[m, oy, ox, o] + times(sa, weight[ky, kx, a, o])
                                    )
                                k += 1

    return run


@cache
def pool(kind: Any) -> Callable[..., None]:
    """Sums of k x k neighbours, without padding. kind: of the sums, which it holds."""

    @numba.njit(cache=True, nogil=True)
    def run(x: Any, out: Any, size: tuple[int, int], stride: tuple[int, int]) -> None:
        """x [M, H, W, C] whole numbers -> out [M, H', W', C] of `kind`."""
        rows, columns, channels = out.shape[1:]
        for m in range(len(x)):
            for y in range(rows):
                for z in range(columns):
                    for c in range(channels):
                        out[m, y, z, c] = 0
                    for ky in range(size[0]):
                        for kx in range(size[1]):
                            for c in range(channels):
                                out[m, y, z, c] = kind(
                                    out[m, y, z, c]
                                    + kind(x[m, y * stride[0] + ky, z * stride[1] + kx, c])
                                )

    return run
