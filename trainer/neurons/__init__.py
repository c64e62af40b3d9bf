"""Spiking neurons over a whole sequence: [T, B, *shape] of input current -> spikes.

base              the numbers of one step, fixed or learned; law and node are made of them
lif               IF, LIF, CubaLIF: `core.neuron.step` as it stands
spikingjelly      LIF by its tau, and PLIF
zenke             current-based LIF with a dead step
soft              LIF of BNTT, hybrid training and DIET-SNN
srm               SLAYER's spike response model
single_spike      one spike at a real-valued time; its own layer, no sequence

Every call starts from rest.
"""

from .base import Compare, Neuron, Number, Numbers, Options, Reset
from .lif import IF, LIF, CubaLIF
from .single_spike import SingleSpike
from .soft import SoftResetLIF
from .spikingjelly import PLIF, SpikingJellyLIF
from .srm import SRM
from .zenke import ZenkeLIF

__all__ = [
    "IF",
    "LIF",
    "PLIF",
    "SRM",
    "Compare",
    "CubaLIF",
    "Neuron",
    "Number",
    "Numbers",
    "Options",
    "Reset",
    "SingleSpike",
    "SoftResetLIF",
    "SpikingJellyLIF",
    "ZenkeLIF",
]
