"""Norse's neurons -> nodes.

Forward Euler with the module's own dt:
    u <- (1 - dt / tau_syn) u + x;  v <- v + dt / tau (v_leak - v + u);  s <- v > v_th
The membrane starts at v_leak (an IAF's at v_reset) and a node at 0, so that all is counted from
there: exact, since it leaks to where it starts. Parameters are taken in float64, which .double()
does not give them: they are NamedTuples.
"""

from typing import Any

import numpy as np

from ....core.arrays import Array, Shape, frozen
from ....core.errors import UnsupportedNode
from ....core.nodes import Linear, Neuron
from ..modules import needed
from .population import Made, Population, spread


def box(layer: Any, shape: Shape) -> Population:
    """LIF without a synaptic current."""
    subtract = layer.p.reset_method.__name__
    if subtract not in ("reset_value", "reset_subtract"):
        raise UnsupportedNode(
            f"resets with {subtract}; reset_value and reset_subtract can be lowered"
        )
    return Population(membrane(layer, shape, subtract=subtract == "reset_subtract"))


def current_based(layer: Any, shape: Shape) -> Population:
    """LIF with a synaptic current, the step's own."""
    return Population(membrane(layer, shape, decay_u=frozen(1 - rate(layer, "tau_syn_inv", shape))))


def recurrent(layer: Any, shape: Shape) -> Population:
    """The same between its own maps of the input and of its last spikes."""
    inputs, own = needed(layer.input_weights), needed(layer.recurrent_weights)
    made = current_based(layer, (len(own),))
    return Population(made.node, before=Linear(inputs), back=Linear(own))


def integrate(layer: Any, shape: Shape) -> Population:
    """v <- v + x."""
    threshold, rest = (spread(getattr(layer.p, n), shape, n) for n in ("v_th", "v_reset"))
    return Population(Neuron(shape, frozen(1.0), frozen(threshold - rest)))


def readout(layer: Any, shape: Shape) -> Population:
    """A membrane without spikes; its value is what others hear, so that it must start at 0."""
    if (spread(layer.p.v_leak, shape, "v_leak") != 0).any():
        raise UnsupportedNode("starts at a v_leak other than 0, and a node starts at 0")
    leak = rate(layer, "tau_mem_inv", shape)
    current: dict[str, Any] = {}
    if hasattr(layer.p, "tau_syn_inv"):
        current = {"decay_u": frozen(1 - rate(layer, "tau_syn_inv", shape))}
    return Population(Neuron(shape, frozen(1 - leak), gain_v=leak, **current))


def membrane(layer: Any, shape: Shape, subtract: bool = False, **current: Any) -> Neuron:
    """A leaky node with a threshold, counted from v_leak."""
    threshold, rest, value = (
        spread(getattr(layer.p, name), shape, name) for name in ("v_th", "v_leak", "v_reset")
    )
    leak = rate(layer, "tau_mem_inv", shape)
    return Neuron(
        shape,
        frozen(1 - leak),
        frozen(threshold - rest),
        gain_v=leak,
        v_reset=frozen(0.0) if subtract else frozen(value - rest),
        reset="subtract" if subtract else "value",
        reset_amount=threshold if subtract else None,
        **current,
    )


def rate(layer: Any, name: str, shape: Shape) -> Array:
    """dt / tau."""
    return frozen(np.float64(layer.dt) * spread(getattr(layer.p, name), shape, name))


KINDS: dict[str, Made] = {
    "norse.LIFBoxCell": box,
    "norse.LIFCell": current_based,
    "norse.LIF": current_based,
    "norse.LIFRecurrentCell": recurrent,
    "norse.LIFRecurrent": recurrent,
    "norse.IAFCell": integrate,
    "norse.IAF": integrate,
    "norse.LIBoxCell": readout,
    "norse.LICell": readout,
    "norse.LI": readout,
}
