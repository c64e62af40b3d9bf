"""Which passes, in which order, for which purpose. A tuple that one can read."""

from .passes.base import Pass
from .passes.fold_gain import FoldGain
from .passes.fold_norms import FoldNorms
from .passes.identity_synapses import IdentitySynapses
from .passes.lower_pooling import AvgToSum, MaxPoolToSpikes
from .passes.own_synapses import OwnSynapses
from .passes.square_convs import ExpandGroups, SquareKernels

# What every network must go through before it can be written: nodes NIR does not have.
FLOAT: tuple[Pass, ...] = (OwnSynapses(norms=True), FoldNorms(), MaxPoolToSpikes())

# ... and what nir's own type check gets wrong, so that plain nir.read takes the file.
PLAIN: tuple[Pass, ...] = (*FLOAT, SquareKernels(), ExpandGroups())

# What fine-tuning trains on: all that the chip's registers ask for, but pools still pools, so that
# the weights which one shares stay shared.
TRAINABLE: tuple[Pass, ...] = (*FLOAT, AvgToSum(), FoldGain("one", "one"), IdentitySynapses())
