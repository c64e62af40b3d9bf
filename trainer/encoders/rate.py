"""Rate codes: a pixel's chance of a spike at each step. u is uniform on [0, 1)."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]


def poisson(x: Numbers, u: Numbers) -> NDArray[np.float32]:
    """1 where u <= x: rate x for x in [0, 1]. u [T, *x.shape]."""
    return (u <= x).astype(np.float32)


def signed_poisson(x: Numbers, u: Numbers, scale: float = 2.0) -> NDArray[np.float32]:
    """sign(x) where scale u <= |x|: for inputs of both signs (BNTT, with scale 2)."""
    return (np.sign(x) * (scale * u <= np.abs(x))).astype(np.float32)
