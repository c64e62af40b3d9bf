"""Numbers of a population that change from step to step: what a norm with moments for every step
(BNTT) makes of the neurons behind it."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .arrays import Array, Shape, frozen
from .errors import NetworkError

NAMES = ("decay_v", "decay_u", "threshold", "bias")


@dataclass(frozen=True, eq=False)
class Schedule:
    """Of each number [T], or [T, channels] with the channels as the population's first axis;
    None: it stays what the population says. At step t the row t holds."""

    decay_v: Array | None = None
    decay_u: Array | None = None
    threshold: Array | None = None
    bias: Array | None = None

    def __post_init__(self) -> None:
        for name, values in self.given().items():
            array = frozen(values)
            if array.ndim not in (1, 2) or not len(array):
                raise NetworkError(
                    f"the schedule of {name} has shape {list(array.shape)}; [T] or [T, channels] "
                    "is meant"
                )
            if not np.isfinite(array).all():
                raise NetworkError(f"the schedule of {name} holds numbers that are not finite")
            object.__setattr__(self, name, array)
        lengths = {name: len(values) for name, values in self.given().items()}
        if len(set(lengths.values())) != 1:
            raise NetworkError(f"a schedule has one number of steps, this one {lengths or 'none'}")

    def given(self) -> dict[str, Array]:
        """The numbers that change."""
        return {name: getattr(self, name) for name in NAMES if getattr(self, name) is not None}

    @property
    def steps(self) -> int:
        """T, which a run must have too."""
        return len(next(iter(self.given().values())))

    def at(self, t: int, shape: Shape) -> dict[str, Array]:
        """The numbers of step t, for a population of `shape`."""
        return {name: spread(values[t], shape) for name, values in self.given().items()}

    def fits(self, shape: Shape) -> None:
        """NetworkError if the channels are not the population's."""
        for name, values in self.given().items():
            if values.ndim == 2 and (not shape or values.shape[1] != shape[0]):
                raise NetworkError(
                    f"the schedule of {name} has {values.shape[1]} channels, the population has "
                    f"shape {list(shape)}"
                )

    @classmethod
    def of(cls, told: dict[str, Any]) -> Self:
        """From nested lists, as metadata holds them."""
        return cls(**{name: frozen(values) for name, values in told.items() if values is not None})


def spread(row: Array, shape: Shape) -> Array:
    """One number, or one a channel, for each neuron."""
    if row.ndim == 0:
        return frozen(row)
    return frozen(np.broadcast_to(row.reshape(-1, *(1,) * (len(shape) - 1)), shape))
