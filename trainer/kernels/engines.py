"""What runs passes, by the device of a tensor."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from torch import Tensor

from .choice import engine_of
from .passes import Backward, Forward, Given


class Engine(NamedTuple):
    """numbers: what the kernels take of the given ones. forward, backward: passes over rows of
    memory like a tensor's. again: a backward pass can make membranes again from the input."""

    numbers: Callable[[Given, Tensor], Any]
    forward: Callable[..., Forward]
    backward: Callable[..., Backward]
    again: bool


def engine(like: Tensor) -> Engine:
    """The one of its device."""
    return named(engine_of(like.device.type))


@cache
def named(name: str) -> Engine:
    """Imported at first use."""
    if name == "numba":
        from . import on_cpu

        return Engine(on_cpu.numbers, on_cpu.Forward, on_cpu.Backward, again=True)
    from . import on_gpu

    return Engine(on_gpu.numbers, on_gpu.Forward, on_gpu.Backward, again=False)
