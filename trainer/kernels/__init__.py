"""Fused kernels: a population over all steps in one pass over memory, forward and backward.

choice      which kernel runs a population, and why
form, way   how a population runs, its numbers, and what a gradient needs
function    a fused population as one operation of autograd
scan        the same of one that hears itself
layout      signals as rows of memory
passes      a pass forward and one backward; engines runs them by numba or by Triton
loops       the steps themselves, in numba; on_cpu runs them
jobs        what such a loop is told; threads runs it on all blocks
gpu_loops   the steps in Triton; on_gpu runs them, launch finds what was compiled
pool        average pools; pool_loops, in numba

The eager loop of `trainer.spiking` is the definition: spikes and membranes are equal to its bit
for bit.
"""

from typing import TYPE_CHECKING

from torch import Tensor, nn

from .choice import PLANS, Choice, Mode, asked, chosen, integrator, mode, on_this_machine
from .engines import engine, named
from .function import population
from .scan import recurrent
from .way import of_integrator, of_neuron

if TYPE_CHECKING:
    from ..neurons.base import Neuron, Numbers
    from ..spiking import Feedback

__all__ = [
    "PLANS",
    "Choice",
    "Mode",
    "asked",
    "chosen",
    "integrate",
    "integrator",
    "mode",
    "on_this_machine",
    "run",
]


def run(neuron: "Neuron", x: Tensor, choice: Choice, feedback: "Feedback | None" = None) -> Tensor:
    """Spikes [T, B, *shape] of a population that is covered, from rest."""
    plan = of_neuron(neuron)
    if feedback is None:
        return population(x, plan, named(choice.engine))
    assert isinstance(feedback, nn.Linear)
    return recurrent(x, feedback.weight, feedback.bias, plan)


def integrate(numbers: "Numbers", x: Tensor, late: int) -> Tensor:
    """Membranes [T, B, *shape] of a population that does not fire, `late` steps after each."""
    return population(x, of_integrator(numbers, late), engine(x))
