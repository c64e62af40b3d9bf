"""Sinabs as an engine: its own IAF, LIF and ExpLeak, in float64, one step at a time.

Not by Sinabs' NIR importer, which counts tau in steps, drops r and v_reset, and lets a neuron fire
several times a step. What its layers do otherwise is said with their own options: a single spike a
step, decays in place of float32 time constants, a strict threshold as the next number above. Its
synaptic current decays what arrives at once, so that it is handed the drive over that decay.
"""

from typing import Any

import numpy as np
import torch
from sinabs import layers
from sinabs.activation import MembraneReset, MembraneSubtract, SingleSpike
from torch import nn

from ..core.errors import UnsupportedNode
from ..core.nodes import Neuron
from .torch_graph import PLAIN, Tensor, TorchBackend, tensor


class Population:
    """A population as a layer of Sinabs'."""

    def __init__(self, name: str, node: Neuron) -> None:
        self.node = node
        self.into = torch.ones((), dtype=torch.float64)
        if node.decay_u is not None:
            if not (node.decay_u != 0).all():
                raise UnsupportedNode(
                    f"backend 'sinabs' cannot run this network: node {name!r} ({node.kind}) has a "
                    "current decay of 0, with which its current would lose what arrives"
                )
            self.into = tensor(1 / node.decay_u)
        self.module: Any = made(node)

    def rest(self) -> None:
        """See torch_graph.Cell."""
        if self.module.is_state_initialised():
            self.module.reset_states()

    def step(self, x: Tensor) -> Tensor:
        """See torch_graph.Cell. Sinabs' axes are batch, time, neurons."""
        said: Tensor = self.module((x * self.into).unsqueeze(1))[:, 0]
        return said.double()

    def membrane(self) -> Tensor:
        """See torch_graph.Cell."""
        found: Tensor = self.module.v_mem
        return found

    def current(self) -> Tensor | None:
        """See torch_graph.Cell."""
        return None if self.node.decay_u is None else self.module.i_syn


def made(node: Neuron) -> Any:
    """The layer, with its numbers in float64."""
    told: dict[str, Any] = {"spike_fn": None, "reset_fn": None, "spike_threshold": None}
    if node.threshold is not None:
        told = {"spike_fn": SingleSpike, "spike_threshold": everywhere(node, threshold_of(node))}
        subtracts = node.reset == "subtract"
        taken = everywhere(node, node.amount) if subtracts else None
        told["reset_fn"] = MembraneSubtract(taken) if subtracts else MembraneReset()
    if node.kind == "IF":
        return layers.IAF(**told)
    if node.kind in ("I", "LI"):
        module: Any = layers.ExpLeak(tau_mem=1.0, train_alphas=True)
    else:
        slow = None if node.decay_u is None else 1.0
        module = layers.LIF(tau_mem=1.0, tau_syn=slow, train_alphas=True, norm_input=False, **told)
    module.alpha_mem = nn.Parameter(tensor(node.decay_v), requires_grad=False)
    if node.decay_u is not None:
        module.alpha_syn = nn.Parameter(tensor(node.decay_u), requires_grad=False)
    return module


def threshold_of(node: Neuron) -> Any:
    """What its comparison, >=, needs."""
    assert node.threshold is not None
    return node.threshold if node.compare == ">=" else np.nextafter(node.threshold, np.inf)


def everywhere(node: Neuron, values: Any) -> torch.Tensor:
    """One number for each neuron: torch would round a single one to the float32 of the spikes."""
    return tensor(np.broadcast_to(values, node.shape))


class Sinabs(TorchBackend):
    """Sinabs' layers. Reset to 0: MembraneReset would add another value to every neuron at every
    step."""

    name = "sinabs"
    able = PLAIN
    cell = Population
