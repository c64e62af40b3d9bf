"""Sums of products in the GPU's own whole numbers: int8 in, int32 out, exact whatever the order.

What an output sees of one line of a map, kernel columns and channels, lies in one piece of memory
(channels last), so windows are read where they lie and never laid out. A dense layer is a map of
one line. Lines and columns beyond the border are left out as they are read.
"""

from dataclasses import dataclass

import triton
import triton.language as tl

ROWS, DEEP = 128, 32  # outputs' places of a program, and products added up at once


@dataclass(frozen=True)
class Windows:
    """Of a map [height, line]; line: columns times channels, as steps and borders along it are."""

    height: int
    line: int
    rows: int  # of the result
    columns: int
    step_y: int
    step_x: int
    border_y: int
    border_x: int


@triton.jit  # type: ignore[untyped-decorator]
def sums(  # type: ignore[no-untyped-def]
    x,  # int8 [M, height, line]
    weight,  # int8 [lines, DEEP chunks, outputs], filled up with 0
    out,  # int32 [M, rows, columns, outputs]
    places,  # M rows columns
    per_map,  # rows columns
    columns,
    height,
    line,
    step_y,
    step_x,
    border_y,
    border_x,
    outputs,
    times,  # what every product is multiplied by
    lines: tl.constexpr,  # of the kernel
    chunks: tl.constexpr,
    filled: tl.constexpr,  # outputs of `weight`
    rows: tl.constexpr,
    deep: tl.constexpr,
    wide: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64) * rows + tl.arange(0, rows)
    there = place < places
    own = (place % per_map).to(tl.int32)
    above = (own // columns) * step_y - border_y
    left = (own % columns) * step_x - border_x
    start = x + (place // per_map) * height * line
    n = tl.program_id(1) * wide + tl.arange(0, wide)
    along = tl.arange(0, deep)
    total = tl.full([rows, wide], 0, tl.int32)
    for k in range(lines):
        at = above + k
        seen = there & (at >= 0) & (at < height)
        begin = start + at.to(tl.int64) * line
        for chunk in range(chunks):
            deeper = chunk * deep + along
            position = left[:, None] + deeper[None, :]
            inside = seen[:, None] & (position >= 0) & (position < line)
            heard = tl.load(begin[:, None] + position, mask=inside, other=0)
            row = (k * chunks * deep + deeper)[:, None] * filled
            wanted = tl.load(weight + row + n[None, :])
            total = tl.dot(heard, wanted, total, out_dtype=tl.int32)
    to = out + place[:, None] * outputs + n[None, :]
    tl.store(to, total * times, mask=there[:, None] & (n < outputs)[None, :])
