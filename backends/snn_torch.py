"""snnTorch as an engine: its own Leaky and Synaptic, in float64; torch_graph has the loop.

Not by snnTorch's NIR importer, which fixes dt, gives an IF a leak, ignores v_reset and misreads
loops. With `reset_delay=True` a module takes the threshold off after the next decay, which takes
threshold / decay off at once: exact for an IF, and for networks that mean just that. With
`reset_delay=False` it looks for a spike again, before the next step, in the membrane that it has
just reset, and takes the threshold off twice where one was not enough; with delay that look before
a step finds a membrane at rest over a threshold below 0. So any other subtraction reaches this
engine as Leaky without reset, Threshold and an edge back (SubtractByEdge).
"""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import snntorch
import torch

from ..core.errors import UnsupportedNode
from ..core.nodes import Neuron
from .torch_graph import PLAIN, Tensor, TorchBackend, tensor

How = Literal["none", "zero", "subtract"]


def reset_of(name: str, node: Neuron) -> How:
    """How a module can say the population's reset; UnsupportedNode if it cannot."""
    where = f"backend 'snntorch' cannot run this network: node {name!r} ({node.kind})"
    for what, decay in (("membrane", node.decay_v), ("current", node.decay_u)):
        if decay is not None and not ((decay >= 0) & (decay <= 1)).all():
            raise UnsupportedNode(f"{where} has a {what} decay outside of [0, 1], which it clamps")
    if not node.spiking or node.memoryless:
        return "none"
    assert node.threshold is not None
    if node.reset == "value":
        if (node.threshold < 0).any():
            raise UnsupportedNode(
                f"{where} has a threshold below 0, over which its reset membrane fires again"
            )
        return "zero"
    return "subtract"


class Population:
    """A population as a module of snnTorch's."""

    def __init__(self, name: str, node: Neuron) -> None:
        self.name, self.node, self.how = name, node, reset_of(name, node)
        self.v: Tensor = torch.zeros(0)
        threshold = np.array(np.inf) if node.threshold is None else node.threshold
        if node.compare == ">=":
            threshold = np.nextafter(threshold, -np.inf)
        # one for each neuron: torch would round a single one to the float32 of the spikes
        threshold = np.broadcast_to(threshold, node.shape)
        told: dict[str, Any] = {
            "beta": tensor(node.decay_v),
            "threshold": tensor(threshold),
            "reset_mechanism": self.how,
            "reset_delay": self.how == "subtract",
        }
        if node.decay_u is None:
            self.module: Any = snntorch.Leaky(**told)
        else:
            self.module = snntorch.Synaptic(alpha=tensor(node.decay_u), **told)

    def rest(self) -> None:
        """See torch_graph.Cell."""
        self.module.reset_mem()

    def step(self, x: Tensor) -> Tensor:
        """See torch_graph.Cell."""
        fired, *_, self.v = self.module(x)
        spikes: Tensor = fired.double()  # its surrogates give float32
        if self.node.memoryless:
            self.v = self.v * (1 - spikes)
        if self.how == "subtract":  # what it will take off, shown where we show it
            self.v = self.v - spikes * tensor(self.node.amount)
        return spikes if self.node.spiking else self.v

    def membrane(self) -> Tensor:
        """See torch_graph.Cell."""
        return self.v

    def current(self) -> Tensor | None:
        """See torch_graph.Cell."""
        return None if self.node.decay_u is None else self.module.syn


class SnnTorch(TorchBackend):
    """snnTorch 1.0's neurons."""

    name = "snntorch"
    able = replace(PLAIN, nodes=PLAIN.nodes | {"Threshold"}, subtracts="threshold / decay")
    cell = Population
