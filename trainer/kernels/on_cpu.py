"""The loops of `loops` over torch's memory, block by block."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from . import loops
from .threads import side_by_side

How = tuple[loops.Form, loops.Shape, bool, tuple[int, ...], bool]  # what makes a backward loop


class Told(NamedTuple):
    """What a backward pass starts from. grad [T or 1, N], of the spikes; membranes [T, N];
    currents [T, N] and x [T or 1, N] where they are needed."""

    grad: Tensor
    membranes: Tensor
    currents: Tensor | None
    x: Tensor | None
    numbers: list[float]


def array(values: Tensor | None, like: Tensor) -> Any:
    """Its memory; where there is none, [1, 1] that nobody reads."""
    return (like.new_empty(1, 1) if values is None else values).numpy()


def blocks(size: int) -> int:
    """How many blocks of neurons there are."""
    return -(-size // loops.BLOCK)


def forward(
    x: Tensor, numbers: list[float], form: loops.Form, steps: int, keep: bool, keep_u: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """(spikes, membranes where kept, currents where kept), each [T, N], of x [T or 1, N]."""
    size = x.shape[1]
    spikes = x.new_empty(steps, size)
    membranes = torch.empty_like(spikes) if keep else None
    currents = torch.empty_like(spikes) if keep_u else None
    run: Any = loops.forward(form, keep, keep_u)
    given = array(x, x), np.array(numbers, array(x, x).dtype), spikes.numpy()
    kept = array(membranes, x), array(currents, x)

    def work(share: range) -> None:
        scratch = np.empty(2 * loops.BLOCK, given[0].dtype)
        run(*given, *kept, scratch, share.start, share.stop)

    side_by_side(work, blocks(size), spikes.numel())
    return spikes, membranes, currents


def backward(told: Told, how: How, held: bool) -> tuple[Tensor, list[float]]:
    """(gradient of x, [T, N] or summed over time [1, N]; of the numbers, summed block by block in
    their order, whatever the threads)."""
    like = told.membranes
    steps, size = like.shape
    to_x = like.new_empty(1 if held else steps, size) if how[-1] else like.new_empty(1, size)
    sums = np.zeros((blocks(size), len(told.numbers)))
    run: Any = loops.backward(*how)
    given = (
        told.grad.numpy(),
        array(told.x, like),
        np.array(told.numbers, like.numpy().dtype),
        like.numpy(),
        array(told.currents, like),
        to_x.numpy(),
    )

    def work(share: range) -> None:
        scratch = np.empty(8 * loops.BLOCK, given[3].dtype)
        run(*given, sums, scratch, share.start, share.stop)

    side_by_side(work, len(sums), like.numel())
    return to_x, [float(s) for s in sums.sum(0)]
