"""SpikingJelly as an engine: its own IFNode, LIFNode and CUBALIFNode, in float64, step by step.

They fire at v >= threshold, so that a strict threshold is the next number above; a subtraction
then takes off one rounding more than it should. A membrane that does not spike is a node whose
threshold is infinite. Every number is one for the whole population.
"""

import math
from dataclasses import replace
from typing import Any

import torch
from spikingjelly.activation_based import neuron

from ..core.errors import UnsupportedNode
from ..core.nodes import Neuron
from .torch_graph import PLAIN, Tensor, TorchBackend


class Population:
    """A population as a node of SpikingJelly's."""

    def __init__(self, name: str, node: Neuron) -> None:
        self.node = node
        where = f"backend 'spikingjelly' cannot run this network: node {name!r} ({node.kind})"
        if node.reset_amount is not None:
            raise UnsupportedNode(f"{where} takes something other than its threshold off")
        told: dict[str, Any] = {"v_threshold": threshold_of(node)}
        told["v_reset"] = None if node.spiking and node.reset == "subtract" else 0.0
        if node.decay_u is not None:
            self.module: Any = neuron.CUBALIFNode(
                c_decay=float(node.decay_u), v_decay=float(node.decay_v), **told
            )
        elif node.decay_v == 1:
            self.module = neuron.IFNode(**told)
        elif 0 < node.decay_v < 1:
            tau = 1 / (1 - float(node.decay_v))
            self.module = neuron.LIFNode(tau=tau, decay_input=False, **told)
        else:
            raise UnsupportedNode(
                f"{where} has a decay of {float(node.decay_v):g}; its tau must be over 1 step, "
                "which is a decay between 0 and 1"
            )
        self.module.eval()

    def rest(self) -> None:
        """See torch_graph.Cell."""
        self.module.reset()

    def step(self, x: Tensor) -> Tensor:
        """See torch_graph.Cell."""
        fired: Tensor = self.module(x)
        return fired.double() if self.node.spiking else self.membrane()

    def membrane(self) -> Tensor:
        """See torch_graph.Cell."""
        found: Tensor = self.module.v
        return found

    def current(self) -> Tensor | None:
        """See torch_graph.Cell."""
        found: torch.Tensor | None = getattr(self.module, "c", None)
        return found


def threshold_of(node: Neuron) -> float:
    """What a comparison with >= needs."""
    if node.threshold is None:
        return math.inf
    told = float(node.threshold)
    return told if node.compare == ">=" else math.nextafter(told, math.inf)


class SpikingJelly(TorchBackend):
    """SpikingJelly 2.0's neurons: one number a population."""

    name = "spikingjelly"
    able = replace(PLAIN, uniform=frozenset(Neuron.arrays))
    cell = Population
