"""A stand-in for Lava's convolution, which loops over pairs of channels.

Same sums in another order: whole numbers give the same bits, real numbers differ in rounding
only. Installed once it has been shown equal on cases that take every path.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from lava.proc.conv import utils

from .wire import Array

NAME = "im2col in place of lava.proc.conv.utils.conv_scipy"
CASES = (  # kernel, stride, padding, dilation, groups; as (x, y)
    ((3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((3, 2), (2, 1), (0, 2), (1, 2), 2),
    ((1, 4), (2, 3), (1, 0), (2, 1), 4),
)
lavas_own: Callable[..., Array] = utils.conv_scipy
_flat: dict[int, tuple[Array, list[Array]]] = {}  # weight's id -> (the weight, its matrices)


def conv(
    x: Array, weight: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Array:
    """True convolution; x [W, H, C], weight [O, kW, kH, C / groups] -> [W', H', O] of float64."""
    (kx, ky), (sx, sy), (px, py), (dx, dy) = (
        (int(a), int(b)) for a, b in (kernel, stride, padding, dilation)
    )
    padded = np.pad(x.astype(np.float64), ((px, px), (py, py), (0, 0)))
    reach = (dx * (kx - 1) + 1, dy * (ky - 1) + 1)
    seen = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(0, 1))
    seen = seen[::sx, ::sy, :, ::dx, ::dy]  # [W', H', C, kW, kH]
    each = x.shape[2] // int(groups)
    columns, rows = seen.shape[:2]
    parts = []
    for group, matrix in enumerate(matrices(weight, int(groups))):
        part = seen[:, :, group * each : (group + 1) * each]
        parts.append(part.reshape(columns * rows, -1) @ matrix)
    return np.concatenate(parts, axis=1).reshape(columns, rows, weight.shape[0])


def matrices(weight: Array, groups: int) -> list[Array]:
    """The weight as one matrix [C / groups * kW * kH, O / groups] for each group."""
    known = _flat.get(id(weight))
    if known is None or known[0] is not weight:
        turned = weight[:, ::-1, ::-1].transpose(0, 3, 1, 2).astype(np.float64)
        flat = turned.reshape(groups, weight.shape[0] // groups, -1)
        known = weight, [np.ascontiguousarray(m.T) for m in flat]
        _flat[id(weight)] = known
    return known[1]


def forget() -> None:
    """Drop the weights that were turned into matrices."""
    _flat.clear()


def works() -> bool:
    """Whether it computes the same."""
    random = np.random.default_rng(7)
    good = all(same(random, *case) for case in CASES)
    forget()
    return good


def install(wanted: bool) -> None:
    """Put it in Lava's place, or Lava's own back."""
    utils.conv_scipy = conv if wanted else lavas_own


def same(random: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> bool:
    """Whether both give the same bits on whole numbers of one geometry."""
    x = random.integers(-3, 4, (9, 8, 8))
    weight = random.integers(-256, 256, (8, *kernel, 8 // groups))
    told = (x, weight, kernel, stride, padding, dilation, groups)
    return bool(np.array_equal(lavas_own(*told), conv(*told)))
