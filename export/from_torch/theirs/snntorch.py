"""snnTorch's neurons -> nodes.

Their step tests the last step's membrane for its reset:
    subtract   v <- beta v + x - theta s'        s': the last step's spikes
    zero       Leaky: v <- beta (1 - s') v + x;  all others: v <- (1 - s') (beta v + x)
    none       v <- beta v + x
As a step of the house: subtract by theta / beta right after the spike, since beta times that is
theta; zero is a reset to 0, and for all but Leaky, whose input of the step after a spike is lost,
a refractory period of one step with it. reset_delay=False resets right after the spike, but its
'subtract' tests membranes that are still over the threshold in a way that no node has.
"""

from typing import Any

import numpy as np
from torch import nn

from ....core.arrays import Array, Shape, frozen
from ....core.errors import UnsupportedNode
from ....core.nodes import Neuron, Node, Scale
from ..modules import node_of
from .population import Made, Population, held_to, refuse_unless, spread

RULES = {"_base_sub": ("subtract", 0), "_base_zero": ("zero", 1), "_base_int": ("none", 2)}


def leaky(layer: Any, shape: Shape) -> Population:
    """v <- beta v + x."""
    return population(layer, shape, decay(layer, "beta", shape), rests=False)


def lapicque(layer: Any, shape: Shape) -> Population:
    """v <- (1 - dt / RC) v + (dt / C) x."""
    r, c, dt = (spread(getattr(layer, name), shape, name) for name in ("R", "C", "time_step"))
    leak = frozen(1 - dt / (r * c))
    return population(layer, shape, leak, gain_v=frozen(r * (1 / (r * c)) * dt))


def synaptic(layer: Any, shape: Shape) -> Population:
    """u <- alpha u + x; v <- beta v + u."""
    beta, alpha = decay(layer, "beta", shape), decay(layer, "alpha", shape)
    return population(layer, shape, beta, decay_u=alpha)


def r_leaky(layer: Any, shape: Shape) -> Population:
    """Leaky, and a map of its own last spikes added to its input."""
    return population(layer, shape, decay(layer, "beta", shape), recurrent=True)


def r_synaptic(layer: Any, shape: Shape) -> Population:
    """Synaptic, and a map of its own last spikes added to its input."""
    refuse_unless(
        layer.reset_delay, "has reset_delay=False, with which snnTorch 1.0's RSynaptic cannot run"
    )
    beta, alpha = decay(layer, "beta", shape), decay(layer, "alpha", shape)
    return population(layer, shape, beta, decay_u=alpha, recurrent=True)


def population(
    layer: Any,
    shape: Shape,
    beta: Array,
    rests: bool = True,
    recurrent: bool = False,
    **numbers: Any,
) -> Population:
    """What all kinds share; rests: 'zero' loses the input of the step after a spike."""
    refuse_unless(not layer.inhibition, "has inhibition=True: one winner a layer is no neuron's")
    refuse_unless(
        not layer.state_quant, "has state_quant: its states are rounded at every step, which no "
        "node can state; quantise the lowered network instead",
    )  # fmt: skip
    held_to(layer.spike_grad, ">")
    threshold = spread(layer.threshold, shape, "threshold")
    graded = spread(layer.graded_spikes_factor, shape, "graded_spikes_factor")
    if recurrent and (graded != 1).any():
        raise UnsupportedNode("has graded spikes and hears them itself; only factor 1 can be")
    node = Neuron(shape, beta, threshold, **numbers, **reset(layer, beta, threshold, rests))
    return Population(
        node,
        back=back(layer.recurrent, shape) if recurrent else None,
        graded=None if (graded == 1).all() else graded,
    )


def reset(layer: Any, beta: Array, threshold: Array, rests: bool) -> dict[str, Any]:
    """The reset rule in the numbers of a node."""
    rule, value = RULES.get(layer.state_function.__name__, ("", -1))
    if int(layer.reset_mechanism_val) != value:
        raise UnsupportedNode(
            f"steps with {layer.state_function.__name__} but says reset_mechanism="
            f"{layer.reset_mechanism!r}: it was changed after it was made; make it anew"
        )
    late = getattr(layer, "reset_delay", True)
    if rule == "none":
        return {"reset": "subtract", "reset_amount": frozen(0.0)}
    if rule == "zero":
        if (rests or not late) and (threshold < 0).any():
            raise UnsupportedNode("resets to 0 with a threshold below 0, which fires for ever")
        return {"reset": "value", "refractory": int(rests and late)}
    if not late:
        raise UnsupportedNode(
            "has reset_delay=False with reset_mechanism='subtract': a membrane that stays over "
            "the threshold is tested after the reset that is still to come, which no node can "
            "state; train with reset_delay=True (the default) or reset_mechanism='zero'"
        )
    if (beta == 0).any():
        raise UnsupportedNode(
            "subtracts its threshold one step after the spike, and has beta = 0, which forgets "
            "the spike by then; take reset_mechanism='zero', or a beta above 0"
        )
    return {"reset": "subtract", "reset_amount": frozen(threshold / beta)}


def decay(layer: Any, name: str, shape: Shape) -> Array:
    """alpha or beta, which snnTorch clips as it steps."""
    return frozen(np.clip(spread(getattr(layer, name), shape, name), 0, 1))


def back(layer: nn.Module, shape: Shape) -> Node:
    """The map of a population's own spikes: a layer, or one number a neuron."""
    if type(layer).__name__ == "RecurrentOneToOne":
        return Scale(frozen(np.broadcast_to(spread(layer.V, shape, "V"), shape)))
    made = node_of(layer, shape)
    assert made is not None
    return made


KINDS: dict[str, Made] = {
    "snntorch.Leaky": leaky,
    "snntorch.Lapicque": lapicque,
    "snntorch.Synaptic": synaptic,
    "snntorch.RLeaky": r_leaky,
    "snntorch.RSynaptic": r_synaptic,
}
