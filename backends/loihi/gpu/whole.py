"""Synapses whose numbers fit int8, by the kernel of `int8`: no windows laid out, no floats."""

from dataclasses import astuple

import numpy as np
import torch
from torch import Tensor

from ....core.arrays import Numbers, Shape
from ....core.nodes import Conv, Linear, Node
from ..sums import pair

INT8 = 127
NARROW, WIDE = 16, 64  # outputs of a program


class Products:
    """A dense layer, or a convolution of one or two axes without groups and dilation."""

    def __init__(self, node: Linear | Conv, shape: Shape, weight: Numbers, device: str) -> None:
        from .int8 import DEEP, Windows

        found = factor(weight)
        assert found is not None
        self.times = found
        self.outputs = len(weight)
        if isinstance(node, Linear):
            self.map: tuple[int, ...] = ()
            self.seen = Windows(1, weight.shape[1], 1, 1, 0, 0, 0, 0)
            laid = weight.T[None]  # [lines, along a line, outputs]
        else:
            space = (1, *shape[1:])[-2:]
            stride, padding = (one_line(getattr(node, key)) for key in ("stride", "padding"))
            stride = (max(stride[0], 1), stride[1])
            kernel = weight.reshape(*weight.shape[:2], -1, weight.shape[-1])
            channels, size = weight.shape[1], kernel.shape[2:]
            rows, columns = (
                (n + 2 * p - k) // s + 1
                for n, p, k, s in zip(space, padding, size, stride, strict=True)
            )
            self.map = (rows, columns) if weight.ndim == 4 else (columns,)
            line, border_x = space[1] * channels, padding[1] * channels
            along = stride[1] * channels
            self.seen = Windows(
                space[0], line, rows, columns, stride[0], along, padding[0], border_x
            )
            laid = kernel.transpose(2, 3, 1, 0).reshape(size[0], -1, self.outputs)
        self.lines, deep, _ = laid.shape
        self.chunks = -(-deep // DEEP)
        self.wide = min(WIDE, max(NARROW, 1 << (self.outputs - 1).bit_length()))
        outputs = self.wide * -(-self.outputs // self.wide)
        filled = np.zeros((self.lines, self.chunks * DEEP, outputs))
        filled[:, :deep, : self.outputs] = laid / self.times
        self.weight = torch.from_numpy(filled.astype(np.int8)).to(device)

    def run(self, x: Tensor) -> Tensor:
        """x [M, N] -> [M, O], or [M, *space, C] -> [M, *space, O], int32. |x| <= 127."""
        from .int8 import DEEP, ROWS, sums

        seen, count = self.seen, x.shape[0]
        x = x.contiguous()
        x = x.view(torch.int8) if x.dtype == torch.uint8 else x.to(torch.int8)
        per_map = seen.rows * seen.columns
        places, filled = count * per_map, self.weight.shape[2]
        out = x.new_empty((count, *self.map, self.outputs), dtype=torch.int32)
        height, line, _, columns, *steps = astuple(seen)
        sums[(-(-places // ROWS), filled // self.wide)](
            x,
            self.weight,
            out,
            places,
            per_map,
            columns,
            height,
            line,
            *steps,
            self.outputs,
            self.times,
            lines=self.lines,
            chunks=self.chunks,
            filled=filled,
            rows=ROWS,
            deep=DEEP,
            wide=self.wide,
        )
        return out


def one_line(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Of two axes; a single axis is a map of one line."""
    return (0, int(sizes[0])) if len(sizes) == 1 else pair(sizes)


def fits(node: Node, heard: int) -> bool:
    """Whether the kernel can sum this synapse. heard: bound of |input|."""
    if isinstance(node, Conv) and (node.groups != 1 or any(n != 1 for n in node.dilation)):
        return False
    return isinstance(node, Linear | Conv) and heard <= INT8 and factor(node.weight) is not None


def factor(weight: Numbers) -> int | None:
    """1 or 2: by what all weights can be divided such that they fit."""
    for times in (1, 2):
        small = weight / times
        if -INT8 - 1 <= small.min(initial=0) and small.max(initial=0) <= INT8:
            return times if not (weight % times).any() else None
    return None
