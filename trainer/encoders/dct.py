"""Frequencies one after the other (DCT-SNN, Garg et al. 2021), [B, C, H, W] -> [T, B, C, H', W'].

Every 4 x 4 block X, `stride` apart, has coefficients Q X Q^T with the orthonormal DCT Q. Step t
shows coefficient zigzag[t mod 16] times its basis, so that 16 steps add up to the image (of
overlapping blocks, side by side). With thresholds, a value above the upper one is a spike of 1
and below the lower one a spike of -1.
"""

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError

SIZE = 4
ZIGZAG = tuple(  # along the anti-diagonals, up and down in turn
    (i, s - i)
    for s in range(2 * SIZE - 1)
    for i in (range(SIZE) if s % 2 else reversed(range(SIZE)))
    if 0 <= s - i < SIZE
)
QUANTILES = (0.065, 0.935)  # of what the thresholds are
TO_YCBCR = np.array(  # ITU-R BT.601, inputs and outputs in [0, 1]
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
Numbers = NDArray[np.floating]


def matrix(size: int = SIZE) -> NDArray[np.float64]:
    """Q [size, size]: row k is the k-th cosine."""
    n = np.arange(size)
    q: NDArray[np.float64] = np.sqrt(2 / size) * np.cos(
        np.pi * (2 * n + 1) * n[:, None] / (2 * size)
    )
    q[0] = np.sqrt(1 / size)
    return q


def frames(x: Numbers, steps: int, stride: int = SIZE) -> NDArray[np.float64]:
    """The values of every step. DataError if no block fits into the image."""
    shape = output_shape(x.shape[1:], stride)
    q = matrix()
    blocks = np.lib.stride_tricks.sliding_window_view(
        np.asarray(x, np.float64), (SIZE, SIZE), axis=(2, 3)
    )[:, :, ::stride, ::stride]  # [B, C, Y, X, 4, 4]
    coefficients = q @ blocks @ q.T
    out = np.empty((steps, len(x), *shape))
    for t in range(steps):
        i, j = ZIGZAG[t % len(ZIGZAG)]
        shown = coefficients[..., i, j, None, None] * np.outer(q[i], q[j])
        out[t] = shown.swapaxes(3, 4).reshape(len(x), *shape)
    return out


def output_shape(shape: tuple[int, ...], stride: int) -> tuple[int, ...]:
    """[C, H', W'] for samples [C, H, W]."""
    if len(shape) != 3 or min(shape[1:]) < SIZE:
        raise DataError(
            f"the DCT code takes images [C, H, W] of at least {SIZE} x {SIZE}, not {list(shape)}"
        )
    rows, columns = ((n - SIZE) // stride + 1 for n in shape[1:])
    return shape[0], rows * SIZE, columns * SIZE


def ycbcr(x: Numbers) -> NDArray[np.float64]:
    """RGB [B, 3, H, W] in [0, 1] as luma and two chromas, those around 0.5."""
    mixed: NDArray[np.float64] = np.einsum("kc,bcyx->bkyx", TO_YCBCR, x)
    mixed += np.array([0, 0.5, 0.5])[:, None, None]
    return mixed


def thresholds(values: Numbers) -> tuple[float, float]:
    """(lower, upper): the quantiles of a set of values, to be kept."""
    low, high = np.quantile(values, QUANTILES)
    return float(low), float(high)


def signed_spikes(values: Numbers, low: float, high: float) -> NDArray[np.float32]:
    """1 above `high`, -1 below `low`, else 0."""
    return ((values > high).astype(np.float32) - (values < low)).astype(np.float32)
