"""How a population is cut into parts, one a core: boxes of channels, rows and columns."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from ...core.arrays import Numbers, Shape

View = tuple[int, int, int]  # channels, rows, columns
Range = tuple[int, int]


@dataclass(frozen=True)
class Cut:
    """Boxes of `size` over `view`; the last along an axis may be smaller."""

    view: View
    size: View

    @property
    def shape(self) -> View:
        """Parts along each axis."""
        c, y, x = (-(-n // s) for n, s in zip(self.view, self.size, strict=True))
        return c, y, x

    @property
    def count(self) -> int:
        """Parts in all."""
        return prod(self.shape)

    def part(self, axis: int, part: int) -> Range:
        """(first, end) of one part along an axis."""
        first = part * self.size[axis]
        return first, min(first + self.size[axis], self.view[axis])

    def ranges(self, axis: int) -> list[Range]:
        """(first, end) of every part along an axis."""
        return [self.part(axis, part) for part in range(self.shape[axis])]

    def neurons(self) -> Numbers:
        """Of every part [parts along c, y, x]."""
        c, y, x = (np.array([b - a for a, b in self.ranges(axis)], np.int64) for axis in range(3))
        return c[:, None, None] * y[None, :, None] * x

    def summed(self, values: Numbers) -> Numbers:
        """[channels, rows, columns] -> the sum over each part, exact in int64."""
        for axis in range(3):
            starts = np.arange(0, self.view[axis], self.size[axis])
            values = np.add.reduceat(values, starts, axis=axis, dtype=np.int64)
        return values

    def distinct(self, values: Numbers) -> Numbers:
        """[channels, rows, columns] -> how many different values each part holds."""
        if values.size == 1:
            return np.ones(self.shape, np.int64)
        found = np.zeros(self.shape, np.int64)
        for i, (c0, c1) in enumerate(self.ranges(0)):
            for j, (y0, y1) in enumerate(self.ranges(1)):
                for k, (x0, x1) in enumerate(self.ranges(2)):
                    found[i, j, k] = len(np.unique(values[c0:c1, y0:y1, x0:x1]))
        return found


def cuts(view: View, most: int | None) -> Iterator[Cut]:
    """Every way to cut evenly into boxes of at most `most` elements, fewest parts first."""
    sizes = [sorted({-(-n // parts) for parts in range(1, n + 1)}) for n in view]
    found = [
        Cut(view, (c, y, x))
        for c in sizes[0]
        for y in sizes[1]
        for x in sizes[2]
        if most is None or c * y * x <= most
    ]
    # of two with as many parts, the one that keeps channels together: sources are then shared
    yield from sorted(found, key=lambda cut: (cut.count, -cut.size[0], -cut.size[1]))


def view_of(shape: Shape) -> View:
    """A population's shape as channels, rows, columns; what has more axes is a row of neurons."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    return prod(shape), 1, 1
