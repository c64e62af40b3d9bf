"""Launches of Triton's kernels, found again by what they were compiled for.

Triton reads every argument anew at each launch, which takes the processor longer than many of
these kernels take the GPU. What a kernel is compiled for is known here: what is fixed, the types
of the arrays, whether each begins at a multiple of 16 bytes and (for AMD's) ends within 2 GiB, and
what kind of number their size is. So Triton is asked once for each such kind, and its compiled
kernel is launched from then on.
"""

from collections.abc import Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor

ALIGNED = 16  # bytes, and elements of a row
REACH = 1 << 31  # bytes, and elements of a row: what int32 counts


class Tuning(NamedTuple):
    """block: neurons of a program. stages: steps that are fetched ahead."""

    block: int
    warps: int
    stages: int

    def options(self) -> dict[str, Any]:
        """Of a launch. A product and a sum stay two roundings, as they are in eager torch."""
        return {"num_warps": self.warps, "enable_fp_fusion": False}


class Kernel:
    """One of `gpu_loops`: function(*arrays, size, late, start, stop, *fixed, block, stages)."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.known: dict[Any, Any] = {}

    def launch(
        self,
        arrays: Sequence[Tensor],
        size: int,
        span: tuple[int, int, int],
        fixed: tuple[bool | int, ...],
        tuned: Tuning,
    ) -> None:
        """arrays: rows of `size` elements, whose first is on the device that is meant; a program
        for each block of the row."""
        grid = (-(-size // tuned.block), 1, 1)
        first = arrays[0]
        key = fixed, tuned, kinds(arrays, size), first.device
        given = (*arrays, size, *span, *fixed, tuned.block, tuned.stages)
        with on(first):
            if (compiled := self.known.get(key)) is not None:
                compiled[grid](*given)
            elif (made := self.function[grid](*given, **tuned.options())) is not None:
                self.known[key] = made  # None: it was interpreted


def kinds(arrays: Sequence[Tensor], size: int) -> Hashable:
    """What Triton tells apart of arguments that are not fixed."""
    number = size == 1, size % ALIGNED == 0, size < REACH
    return number, *((a.dtype, a.data_ptr() % ALIGNED == 0, a.nbytes < REACH) for a in arrays)


def on(x: Tensor) -> AbstractContextManager[Any]:
    """Launches inside the block go to its device; in the interpreter there is none."""
    if not x.is_cuda or x.get_device() == torch.cuda.current_device():
        return nullcontext()
    return torch.cuda.device(x.device)
