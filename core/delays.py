"""A delay of whole steps, one for all elements or one for each: over all steps at once, and
step by step."""

from collections import deque
from collections.abc import Iterator
from typing import Any, TypeVar, cast

import numpy as np

from .arrays import Numbers

Signal = TypeVar("Signal")  # a numpy array, or a torch tensor


def parts(steps: int | Numbers) -> Iterator[tuple[int, Any]]:
    """(steps, which elements) for each number of steps that occurs."""
    if isinstance(steps, int):
        yield steps, ...
        return
    for held in sorted(set(steps.reshape(-1).tolist())):  # of an array or a tensor
        yield held, (..., steps == held)


def delayed(x: Signal, steps: int | Numbers) -> Signal:
    """A signal over all steps [T, ..., *elements], zero before it arrives."""
    given: Any = x
    late = silence(given)
    for held, which in parts(steps):
        kept = max(len(given) - held, 0)
        late[len(given) - kept :][which] = given[:kept][which]
    return cast(Signal, late)


def silence(x: Any) -> Any:
    """Zeros like an array, or like a torch tensor."""
    return np.zeros(x.shape, x.dtype) if isinstance(x, np.ndarray) else x.new_zeros(x.shape)


class DelayLine:
    """Keeps a signal [..., *elements] that comes step by step."""

    def __init__(self, steps: int | Numbers) -> None:
        self.parts = list(parts(steps))
        self.held: deque[Any] = deque(maxlen=max(held for held, _ in self.parts) + 1)

    def __call__(self, x: Any) -> Any:
        self.held.append(x)
        late = silence(x)
        for held, which in self.parts:
            if held < len(self.held):
                late[which] = self.held[-1 - held][which]
        return late
