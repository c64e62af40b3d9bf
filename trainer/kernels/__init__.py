"""Fused kernels: a population over all steps in one pass over memory, forward and backward.

choice      which kernel runs a population, and why
function    a fused population as one operation of autograd
layout      signals as rows of memory
loops       the steps themselves, in numba; on_cpu runs them, threads shares them out

The eager loop of `trainer.spiking` is the definition: spikes and membranes are equal to its bit
for bit.
"""

from typing import TYPE_CHECKING

from torch import Tensor

from .choice import Choice, Mode, asked, chosen, mode, on_this_machine

if TYPE_CHECKING:
    from ..neurons.base import Neuron

__all__ = ["Choice", "Mode", "asked", "chosen", "mode", "on_this_machine", "run"]


def run(neuron: "Neuron", x: Tensor) -> Tensor:
    """Spikes [T, B, *shape] of a population that is covered, from rest."""
    from .function import population  # brings numba, which not every use of a model needs

    numbers, surrogate = neuron.numbers(), neuron.surrogate
    return population(x, numbers, surrogate, neuron.compare, neuron.detach_reset)
