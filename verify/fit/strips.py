"""What a part of a convolution's output sees of its input, axis by axis.

A part is a box of channels, rows and columns. Its rows see few different patterns of kernel
taps among the input's rows, and so do its columns, so a convolution is counted without its matrix.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.arrays import Numbers
from .cut import Range


@dataclass(frozen=True)
class Strip:
    """What a range of targets along one axis sees. taps [input lines from `first` on, kernel]:
    whether a line reaches the range through a tap; start: its first target in the range.
    patterns [P, kernel]: the different rows of taps; which: line -> its pattern; times: how
    often each is there."""

    first: int
    taps: Numbers
    start: Numbers
    patterns: Numbers
    which: Numbers
    times: Numbers

    @property
    def touched(self) -> Numbers:
        """Which lines reach the range."""
        return np.asarray(self.taps.any(axis=1))

    @property
    def key(self) -> bytes:
        """Of two strips with one key, parts need the same."""
        return self.taps.tobytes() + b"|" + self.start.tobytes()


def strip(size: int, taps: int, stride: int, padding: int, dilation: int, targets: Range) -> Strip:
    """Along one axis of an input of `size` lines."""
    first = min(size, max(0, targets[0] * stride - padding))
    end = min(size, (targets[1] - 1) * stride - padding + (taps - 1) * dilation + 1)
    seen = np.zeros((max(0, end - first), taps), bool)
    start = np.full(len(seen), targets[1], np.int64)
    for target in range(*targets):
        for tap in range(taps):
            line = target * stride - padding + tap * dilation - first
            if 0 <= line < len(seen):
                seen[line, tap] = True
                start[line] = min(start[line], target)
    return Strip(first, seen, start - targets[0], *different(seen))


def different(rows: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """(the different ones, row -> which, how often each is there)."""
    if len(rows) and (rows == rows[:1]).all():  # as of a convolution without zeros
        return rows[:1], np.zeros(len(rows), np.int64), np.array([len(rows)])
    kinds, which, times = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    return kinds, which.ravel(), times


@dataclass(frozen=True)
class Channels:
    """What a range of output channels hears. kernels [U, ky, kx]: synapses through each tap,
    the different ones among the input channels; which: input channel -> its kernel; times: how
    many have it; inside: how many of the range's channels each group has, groups without any
    left out; weights: how many are not zero."""

    kernels: Numbers
    which: Numbers
    times: Numbers
    inside: tuple[int, ...]
    weights: int

    @property
    def key(self) -> bytes:
        """Of two ranges with one key, parts need the same."""
        return b"|".join(
            (self.kernels.tobytes(), self.times.tobytes(), bytes(str(self.inside), "ascii"))
        )

    def through(self, rows: Strip, columns: Strip) -> Numbers:
        """Synapses from a source of each kind [kernels, row patterns, column patterns]."""
        by_row = np.tensordot(self.kernels, rows.patterns.astype(np.int64), axes=(1, 1))
        found: Numbers = np.tensordot(by_row, columns.patterns.astype(np.int64), axes=(1, 1))
        return found


def channels(there: Numbers, groups: int, targets: Range) -> Channels:
    """Of a range of output channels. there [C_out, C_in / groups, ky, kx]: which weights are
    not zero."""
    outputs = len(there) // groups
    sums = np.zeros((groups, *there.shape[1:]), np.int64)
    inside = []
    for group in touched_groups(outputs, targets):
        a, b = max(targets[0], group * outputs), min(targets[1], (group + 1) * outputs)
        sums[group] = there[a:b].sum(axis=0, dtype=np.int64)
        inside.append(b - a)
    each = sums.reshape(-1, *there.shape[2:])
    return Channels(*different(each), tuple(inside), int(each.sum()))


def touched_groups(outputs: int, targets: Range) -> Sequence[int]:
    """The groups of `outputs` channels each that a range of channels has some of."""
    return range(targets[0] // outputs, -(-targets[1] // outputs))
