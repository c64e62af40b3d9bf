"""Smooth random manifolds as spike times (Zenke & Vogels 2021), as their published code has them.

    y_i(x) = prod_d sum_k s_k A_idk sin(2 pi (k x_d B_idk + C_idk))      k = 0 ... cutoff - 1

theta = (A, B, C) is [units, D, 3, cutoff], uniform on [0, 1). Frequencies count from 0,
amplitudes s_k = 1 / (k + 1)^alpha from 1 (spectrum 'power'), or 1 / (|k + 1 - beta|^alpha + 1)
('peak', of the torch form); A_id0 = 0 unless there is a bias.
"""

from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]


def cutoff(alpha: float, precision: float = 1e-3, most: int = 1000) -> int:
    """How many frequencies count."""
    return min(ceil(float(np.power(precision, -1 / alpha))), most)


def parameters(
    random: np.random.Generator, units: int, dimensions: int, alpha: float, bias: bool = False
) -> NDArray[np.float64]:
    """theta of one manifold."""
    theta = random.random((units, dimensions, 3, cutoff(alpha)))
    if not bias:
        theta[:, :, 0, 0] = 0
    return theta


def manifold(
    x: Numbers,
    theta: Numbers,
    alpha: float,
    spectrum: Literal["power", "peak"] = "power",
    beta: float = 0.0,
) -> NDArray[np.float64]:
    """y [N, units] at the points x [N, D]."""
    k = np.arange(theta.shape[-1])
    s = 1 / (k + 1.0) ** alpha
    if spectrum == "peak":
        s = 1 / (np.abs(k + 1.0 - beta) ** alpha + 1)
    a, b, c = (theta[:, :, i] for i in range(3))  # [units, D, K] each
    phase = 2 * np.pi * (k * np.asarray(x, np.float64)[:, None, :, None] * b + c)
    waves: NDArray[np.float64] = (s * a * np.sin(phase)).sum(-1).prod(-1)
    return waves


def standardised(y: Numbers) -> NDArray[np.float64]:
    """Each unit's y [N, units] over its range in the samples of a class, [0, 1)."""
    low, high = y.min(0), y.max(0)
    return np.asarray((y - low) / (high - low + 1e-7), np.float64)


def spike_steps(
    y: Numbers, steps: int, fraction: float = 1.0, offset: float = 0.0
) -> NDArray[np.int64]:
    """The step of each unit's spike for y in [0, 1]: the first `fraction` of the steps, from
    `offset` of them on."""
    when = np.floor(steps * (fraction * (1 - offset) * y + offset))
    return np.asarray(when, np.int64)
