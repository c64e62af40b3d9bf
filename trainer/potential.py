"""The post-synaptic potential: spikes through a linear filter, without weights."""

import torch
from torch import Tensor

from ..core.neuron import real
from . import kernels
from .neurons.base import Numbers
from .neurons.srm import alpha
from .spiking import Stepper, state_type


def potential(x: Tensor, tau_s: float) -> Tensor:
    """(eps * x)(t), [T, B, *shape] of x [T, B, *shape]; eps(0) = 0, no tap is cut off."""
    return membranes(x, alpha(tau_s), late=1)


def membranes(x: Tensor, numbers: Numbers, late: int) -> Tensor:
    """Of a population that does not fire, [T, B, *shape], from rest, each `late` steps later."""
    if kernels.integrator(x).fused:
        return kernels.integrate(numbers, x, late)
    advance = Stepper(real(fire=None, **numbers.rest()))
    kind = state_type(x.dtype)
    silent = torch.zeros_like(x[0], dtype=kind)
    drives = [silent] * late + [drive.to(kind) for drive in x.unbind(0)]
    return torch.stack([advance(drive)[0].to(x.dtype) for drive in drives[: len(x)]])
