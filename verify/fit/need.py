"""What a projection into a population needs of each core that holds a part of the population.

A synapse is a weight that is not zero, with true borders, from one neuron to one neuron.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ...core.arrays import Numbers
from .chips import Lists
from .cut import Cut, View


@dataclass(frozen=True)
class Store:
    """How the weights of one projection are kept: bits of a weight, steps of delay."""

    lists: Lists
    weight: int
    delay: int

    def sparse(self, counts: Numbers, neurons: int) -> Numbers:
        """Bits of lists that say to which neuron of the core each weight belongs."""
        return self.lists.bits(counts, self.weight, self.delay, neurons)

    def own(self, counts: Numbers, times: Numbers, neurons: int) -> int:
        """Bits where every source has a list of its own, sparse or with a weight for every
        neuron of the core, whichever is less. times: how many sources have each count."""
        sparse = int((self.sparse(counts, neurons) * times).sum())
        if self.lists.weights_only:
            return sparse
        dense = int(self.lists.bits(np.asarray(neurons), self.weight, self.delay, None))
        return min(sparse, dense * int(times[counts > 0].sum()))


@dataclass(frozen=True)
class Need:
    """What every part needs of one projection, each [parts along c, y, x]. axons: input axons;
    synapses: that exist; kept: weights in memory; bits: of memory."""

    axons: Numbers
    synapses: Numbers
    kept: Numbers
    bits: Numbers


class Map(Protocol):
    """Who reaches whom."""

    @property
    def out_view(self) -> View | None:
        """The targets as channels, rows, columns; None if any view will do."""
        ...

    def need(self, cut: Cut, store: Store, shared: bool) -> Need:
        """Of every part. shared: with the weight lists and the axons that a convolution's
        pixels can share; a matrix has none to share."""
        ...

    def reach(self, cut: Cut, shared: bool) -> Numbers:
        """How many parts each source reaches: [sources], or, of a convolution that shares,
        each group's pixels [groups, rows, columns]."""
        ...
