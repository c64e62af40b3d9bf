"""A delay of whole steps, one for all elements or one for each: over all steps at once, and
step by step."""

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from .arrays import Numbers


def parts(steps: int | Numbers) -> Iterator[tuple[int, Any]]:
    """(steps, which elements) for each number of steps that occurs."""
    if isinstance(steps, int):
        yield steps, ...
        return
    for held in np.unique(steps):
        yield int(held), (..., steps == held)


def delayed(x: Numbers, steps: int | Numbers) -> Numbers:
    """A signal over all steps [T, ..., *elements], zero before it arrives."""
    late = np.zeros(x.shape, x.dtype)
    for held, which in parts(steps):
        kept = max(len(x) - held, 0)
        late[len(x) - kept :][which] = x[:kept][which]
    return late


class DelayLine:
    """Keeps a signal [..., *elements] that comes step by step."""

    def __init__(self, steps: int | Numbers) -> None:
        self.parts = list(parts(steps))
        self.held: deque[Any] = deque(maxlen=max(held for held, _ in self.parts) + 1)

    def __call__(self, x: Any) -> Any:
        self.held.append(x)
        late = np.zeros_like(x)
        for held, which in self.parts:
            if held < len(self.held):
                late[which] = self.held[-1 - held][which]
        return late
