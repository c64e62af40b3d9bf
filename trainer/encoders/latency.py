"""Latency codes: a brighter pixel spikes earlier, and once at most. x is in [0, 1].

    charge   t = tau ln(x / (x - threshold)), when a leaky neuron driven by x reaches the
             threshold; none at or below it (Zenke & Vogels 2021)
    linear   t = round((T - 1) (1 - x)); black pixels spike at the last step
    log      t = round(T - 1 - ln(alpha x + 1)), alpha = e^(T - 1) - 1; they too

Rounding is to even. Steps are whole: int(t) in the first form.
"""

import numpy as np
from numpy.typing import NDArray

from ...core.errors import ConfigError, DataError

Numbers = NDArray[np.floating]
Steps = NDArray[np.int64]  # the step of each pixel's spike; NEVER: none
NEVER = -1
MOST = 700  # steps; e^(T - 1) is still a float64


def charge(x: Numbers, steps: int, tau: float = 20.0, threshold: float = 0.2) -> Steps:
    """tau in steps; a spike after the last step is none."""
    x = in_range(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = tau * np.log(x / (x - threshold))
    fires = (x > threshold) & (t < steps)
    return np.where(fires, np.where(fires, t, 0).astype(np.int64), NEVER)


def linear(x: Numbers, steps: int) -> Steps:
    """Every pixel spikes once."""
    return np.asarray(np.rint((steps - 1) * (1 - in_range(x))), np.int64)


def logarithmic(x: Numbers, steps: int) -> Steps:
    """Every pixel spikes once. ConfigError for more steps than e^T has numbers for."""
    if steps > MOST:
        raise ConfigError(
            f"the logarithmic latency code has {steps} steps; {MOST} are the most that float64 "
            "holds, so lower data.steps or take latency-linear"
        )
    alpha = np.exp(steps - 1) - 1
    return np.asarray(np.rint(steps - 1 - np.log(alpha * in_range(x) + 1)), np.int64)


def at_steps(when: Steps, steps: int) -> NDArray[np.float32]:
    """Spikes [T, *shape] from the step of each."""
    t = np.arange(steps).reshape(-1, *(1,) * when.ndim)
    return np.asarray(t == when, np.float32)


def in_range(x: Numbers) -> NDArray[np.float64]:
    """x as float64. DataError if it leaves [0, 1]."""
    exact = np.asarray(x, np.float64)
    if exact.size and (exact.min() < 0 or exact.max() > 1):
        raise DataError(
            f"a latency code takes inputs from 0 to 1, and these run from {exact.min():g} to "
            f"{exact.max():g}; scale them"
        )
    return exact
