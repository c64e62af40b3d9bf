"""An event camera's events -> frames [T, P, H, W], by time or by number.

    by time      bin = floor(t / duration * T): equal times
    by number    bin = floor(i / N * T) of the i-th of N events: equal counts

An event is (t, x, y, p) in order of t. Frames count events; `once` counts several at one pixel
as one and `scaled` divides each frame by its largest value, as TET's released preprocessing did.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...core.errors import DataError


@dataclass(frozen=True, eq=False)
class Events:
    """Arrays [N] each: t in any unit, not falling; whole x, y and polarity p from 0."""

    t: ArrayLike
    x: ArrayLike
    y: ArrayLike
    p: ArrayLike

    def __post_init__(self) -> None:
        lengths = {len(np.asarray(a)) for a in (self.t, self.x, self.y, self.p)}
        if len(lengths) != 1:
            raise DataError(f"events have t, x, y and p of lengths {sorted(lengths)}")
        if (np.diff(np.asarray(self.t, np.float64)) < 0).any():
            raise DataError("events are not in order of time; sort them")


def bins_by_time(t: ArrayLike, steps: int, duration: float) -> NDArray[np.int64]:
    """The frame of each event. DataError outside of [0, duration)."""
    times = np.asarray(t, np.float64)
    if times.size and not 0 <= times.min() <= times.max() < duration:
        raise DataError(
            f"events run from t = {times.min():g} to {times.max():g}; they must lie in "
            f"[0, {duration:g})"
        )
    return np.minimum(np.floor(times / duration * steps).astype(np.int64), steps - 1)


def bins_by_number(count: int, steps: int) -> NDArray[np.int64]:
    """The frame of each of `count` events."""
    return np.arange(count) * steps // max(count, 1)


def by_time(
    events: Events,
    steps: int,
    shape: tuple[int, int, int],
    duration: float,
    once: bool = False,
    scaled: bool = False,
) -> NDArray[np.float32]:
    """Frames [T, *shape], shape = (P, H, W)."""
    return frames(events, bins_by_time(events.t, steps, duration), steps, shape, once, scaled)


def by_number(
    events: Events,
    steps: int,
    shape: tuple[int, int, int],
    once: bool = False,
    scaled: bool = False,
) -> NDArray[np.float32]:
    """Frames [T, *shape], shape = (P, H, W)."""
    bins = bins_by_number(len(np.asarray(events.t)), steps)
    return frames(events, bins, steps, shape, once, scaled)


def frames(
    events: Events,
    bins: NDArray[np.int64],
    steps: int,
    shape: tuple[int, int, int],
    once: bool,
    scaled: bool,
) -> NDArray[np.float32]:
    """Counts per frame, polarity and pixel. DataError for an event outside of `shape`."""
    where = [np.asarray(a, np.int64) for a in (events.p, events.y, events.x)]
    for name, values, limit in zip("pyx", where, shape, strict=True):
        if values.size and not 0 <= values.min() <= values.max() < limit:
            raise DataError(
                f"events have {name} from {values.min()} to {values.max()}; 0 to {limit - 1} fits "
                f"into {list(shape)}"
            )
    out: NDArray[np.float32] = np.zeros((steps, *shape), np.float32)
    np.add.at(out, (bins, *where), 1)
    if once:
        out = np.minimum(out, 1)
    if scaled:
        largest = out.max(axis=(1, 2, 3), keepdims=True)
        out /= np.where(largest == 0, 1, largest)
    return out
