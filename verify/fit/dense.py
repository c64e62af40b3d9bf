"""A projection that is any matrix."""

from dataclasses import dataclass

import numpy as np

from ...core.arrays import Numbers
from .cut import Cut
from .need import Need, Store


@dataclass(frozen=True)
class Dense:
    """there [targets, sources]: whether there is a synapse."""

    there: Numbers
    out_view: None = None

    def need(self, cut: Cut, store: Store, shared: bool) -> Need:
        """Of every part; every source has an axon and a list of its own."""
        axons, synapses, bits = (np.zeros(cut.shape, np.int64) for _ in range(3))
        neurons = cut.neurons()
        one = np.ones(self.there.shape[1], np.int64)
        for i in range(cut.shape[0]):
            counts = self.counts(cut, i)
            axons[i] = (counts > 0).sum(axis=2)
            synapses[i] = counts.sum(axis=2)
            for j, k in np.ndindex(*cut.shape[1:]):
                bits[i, j, k] = store.own(counts[j, k], one, int(neurons[i, j, k]))
        return Need(axons, synapses, synapses, bits)

    def counts(self, cut: Cut, i: int) -> Numbers:
        """Synapses of each source into the parts of one range of channels [y, x, sources]."""
        first, end = cut.part(0, i)
        there = self.there.reshape(*cut.view, -1)[first:end]
        found: Numbers = there.sum(axis=0, dtype=np.int64)
        for axis in (1, 2):
            starts = np.arange(0, cut.view[axis], cut.size[axis])
            found = np.add.reduceat(found, starts, axis=axis - 1)
        return found

    def reach(self, cut: Cut, shared: bool) -> Numbers:
        """How many parts each source has a synapse in [sources]."""
        found = np.zeros(self.there.shape[1], np.int64)
        for i in range(cut.shape[0]):
            found += (self.counts(cut, i) > 0).sum(axis=(0, 1))
        return found
