"""Where a residual branch meets its shortcut -> nodes.

    Add    two edges into whatever hears the sum: no node at all
    And    a neuron that fires where both do: both spikes, threshold 1.5
    Iand   a neuron that fires where the shortcut does and the branch not: s - a, threshold 0.5

The neurons of And and Iand remember nothing that counts: their decay is the smallest that the
chip's 12-bit register holds, so that 1 + 2^-12 + 2^-24 + ... stays far below 1.5. Spikes of 0 and 1
in, so nothing is rounded. They are ours: no origin, and left out of spike rates.
"""

import numpy as np
from torch import nn

from ...core.arrays import Shape, frozen
from ...core.errors import UnsupportedNode
from ...core.nodes import Neuron
from ...trainer.joins import Add, And, Iand
from ..passes.edit import scaled_outputs
from ..passes.identity_synapses import identity
from .neurons import Graph, Sum

DECAY = 2.0**-12
JOINS = (Add, And, Iand)


def joined(graph: Graph, name: str, layer: nn.Module, a: Sum, s: Sum, shape: Shape) -> Sum:
    """What others hear of And or Iand. UnsupportedNode unless a and s are spikes."""
    what = type(layer).__name__
    for part, heard in (("branch", a), ("shortcut", s)):
        if len(heard) != 1 or not graph.binary(heard[0]):
            raise UnsupportedNode(
                f"is an {what} whose {part} is {' + '.join(heard)}, not provably 0 or 1, and of "
                "other numbers it is a product that no neuron forms; put neurons before it, or "
                "join with Add"
            )
    if a == s:
        same = "nothing" if what == "Iand" else repr(a[0])
        raise UnsupportedNode(
            f"is an {what} of {a[0]!r} with itself, which is {same}; leave it out"
        )
    if isinstance(layer, Iand):
        minus = scaled_outputs(identity(shape), np.array(-1.0))
        a = graph.added(f"{name}.not", minus, a)
    threshold = 1.5 if isinstance(layer, And) else 0.5
    return graph.added(name, Neuron(shape, frozen(DECAY), frozen(threshold)), (*a, *s))
