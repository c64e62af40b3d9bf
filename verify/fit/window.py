"""A projection that is a convolution or a sum pool, counted without its matrix.

Its weights may be kept in two ways. Own: every source has an axon, and a list of its synapses.
Shared: all channels of an input pixel come in through one axon, and pixels that reach the core
in the same way share one list (see docs/fit.md for the formats and their sources).
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from ...core.arrays import Numbers, Shape
from ...core.nodes import Conv, SumPool2d, slots
from .cut import Cut, Range, View, view_of
from .need import Need, Store
from .strips import Channels, Strip, channels, strip, touched_groups

Part = tuple[int, int, int, int]  # axons, synapses, kept, bits


@dataclass(frozen=True)
class Window:
    """there [C_out, C_in / groups, ky, kx]: which weights are not zero; in_view: the input as
    channels, rows, columns; stride, padding, dilation along rows and columns."""

    there: Numbers
    groups: int
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    in_view: View
    strips: dict[tuple[int, Range], Strip] = field(default_factory=dict, repr=False)
    heard: dict[Range, Channels] = field(default_factory=dict, repr=False)

    @cached_property
    def out_view(self) -> View:
        """The targets as channels, rows, columns."""
        y, x = (slots(self.in_view[1 + axis], *self.along(axis)) for axis in range(2))
        return len(self.there), y, x

    def along(self, axis: int) -> tuple[int, int, int, int]:
        """Kernel, stride, padding and dilation along rows (0) or columns (1)."""
        kernel = self.there.shape[2 + axis]
        return kernel, self.stride[axis], self.padding[axis], self.dilation[axis]

    def strip(self, axis: int, targets: Range) -> Strip:
        """What a range of rows (axis 0) or columns (1) sees."""
        if (axis, targets) not in self.strips:
            made = strip(self.in_view[1 + axis], *self.along(axis), targets)
            self.strips[axis, targets] = made
        return self.strips[axis, targets]

    def channels(self, targets: Range) -> Channels:
        """What a range of output channels hears."""
        if targets not in self.heard:
            self.heard[targets] = channels(self.there, self.groups, targets)
        return self.heard[targets]

    # --- what parts need ---------------------------------------------------------------------

    def need(self, cut: Cut, store: Store, shared: bool) -> Need:
        """Of every part; parts that see the same are counted once."""
        sizes = [[b - a for a, b in cut.ranges(axis)] for axis in range(3)]
        heard, i = kinds([self.channels(r) for r in cut.ranges(0)], sizes[0])
        rows, j = kinds([self.strip(0, r) for r in cut.ranges(1)], sizes[1])
        columns, k = kinds([self.strip(1, r) for r in cut.ranges(2)], sizes[2])
        part = self.shared if shared else self.own
        found = np.zeros((4, len(heard), len(rows), len(columns)), np.int64)
        for at in np.ndindex(*found.shape[1:]):
            (c, nc), (y, ny), (x, nx) = heard[at[0]], rows[at[1]], columns[at[2]]
            found[(slice(None), *at)] = part(c, y, x, (nc, ny, nx), store)
        return Need(*(array[np.ix_(i, j, k)] for array in found))

    def own(self, heard: Channels, rows: Strip, columns: Strip, box: View, store: Store) -> Part:
        """Every source has an axon and a list of its own."""
        counts = heard.through(rows, columns)
        times = heard.times[:, None, None] * rows.times[:, None] * columns.times
        synapses = int((counts * times).sum())
        bits = store.own(counts, times, box[0] * box[1] * box[2])
        return int(times[counts > 0].sum()), synapses, synapses, bits

    def shared(self, heard: Channels, rows: Strip, columns: Strip, box: View, store: Store) -> Part:
        """Axons and lists are shared. A list holds every weight of its taps, zeros too; where
        only weights are known to be kept, the kernel is kept once."""
        counts = heard.through(rows, columns)
        times = heard.times[:, None, None] * rows.times[:, None] * columns.times
        synapses = int((counts * times).sum())
        axons = len(heard.inside) * int(rows.touched.sum()) * int(columns.touched.sum())
        if store.lists.weights_only:
            return axons, synapses, heard.weights, heard.weights * store.weight
        taps = kinds_of_pixels(rows, columns, box[2], store.lists.shared_offset)
        kept = bits = 0
        for inside in heard.inside:
            entries = taps * (self.there.shape[1] * inside)
            kept += int(entries.sum())
            bits += int(store.sparse(entries, box[0] * box[1] * box[2]).sum())
        return axons, synapses, kept, bits

    # --- how far sources reach ---------------------------------------------------------------

    def reach(self, cut: Cut, shared: bool) -> Numbers:
        """How many parts each source, or each group's pixel, reaches."""
        outputs = len(self.there) // self.groups
        found = np.zeros((self.groups, *self.in_view[1:]) if shared else self.in_view, np.int64)
        for targets in cut.ranges(0):
            heard, groups = self.channels(targets), touched_groups(outputs, targets)
            for y in cut.ranges(1):
                rows = self.strip(0, y)
                at_y = np.s_[rows.first : rows.first + len(rows.taps)]
                for x in cut.ranges(2):
                    columns = self.strip(1, x)
                    at_x = np.s_[columns.first : columns.first + len(columns.taps)]
                    if shared:
                        part = found[groups[0] : groups[-1] + 1, at_y, at_x]
                        part += np.outer(rows.touched, columns.touched)
                    else:
                        there = heard.through(rows, columns)[heard.which] > 0
                        found[:, at_y, at_x] += there[:, rows.which][:, :, columns.which]
        return found if shared else found.ravel()


Seen = TypeVar("Seen", Channels, Strip)


def kinds(seen: list[Seen], sizes: list[int]) -> tuple[list[tuple[Seen, int]], list[int]]:
    """(the different ones with their sizes, which of them each is)."""
    found: dict[tuple[bytes, int], int] = {}
    which = [
        found.setdefault((one.key, size), len(found)) for one, size in zip(seen, sizes, strict=True)
    ]
    return [(seen[which.index(n)], sizes[which.index(n)]) for n in range(len(found))], which


def kinds_of_pixels(rows: Strip, columns: Strip, width: int, offset: int) -> Numbers:
    """Targets of one channel that each different list has. Pixels share a list if they reach
    their targets through the same taps, and their first targets lie in the same `offset`
    of the core's neurons. width: columns of the part."""
    a, b = rows.touched, columns.touched
    base = (rows.start[a][:, None] * width + columns.start[b]) // offset
    kinds, bases = len(columns.patterns), int(base.max(initial=0)) + 1
    pattern = rows.which[a][:, None] * kinds + columns.which[b]
    pattern = np.unique(pattern * bases + base) // bases
    down, across = rows.patterns.sum(axis=1), columns.patterns.sum(axis=1)
    return np.asarray(down[pattern // kinds] * across[pattern % kinds])


def window(node: Conv | SumPool2d, shape: Shape) -> Window:
    """A convolution, or a pool (whose weights are all one), of an input of this shape."""
    if isinstance(node, SumPool2d):
        there = np.ones((shape[0], 1, *node.kernel), bool)
        return Window(there, shape[0], node.stride, node.padding, (1, 1), view_of(shape))
    there = node.weight != 0
    stride, padding, dilation = tuple(node.stride), tuple(node.padding), tuple(node.dilation)
    if there.ndim == 3:  # one axis as two
        there = there[:, :, None]
        stride, padding, dilation = (1, *stride), (0, *padding), (1, *dilation)
    return Window(there, node.groups, stride, padding, dilation, view_of(shape))


def one_to_one(view: View) -> Window:
    """Each source to the neuron of its place."""
    there = np.ones((view[0], 1, 1, 1), bool)
    return Window(there, view[0], (1, 1), (0, 0), (1, 1), view)
