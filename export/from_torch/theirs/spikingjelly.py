"""SpikingJelly's neurons -> nodes.

They fire at the threshold, too (>=), reset to v_reset or, where that is None, by the threshold,
and start at v_reset. A node starts at 0, so that all is counted from v_reset: exact, since these
neurons leak towards it. CUBALIFNode leaks towards 0 and cannot be counted so.
"""

from typing import Any

import torch
from torch import nn

from ....core.arrays import Shape, frozen
from ....core.errors import UnsupportedNode
from ....core.nodes import Linear, Neuron
from ..modules import needed, numbers
from .population import Made, Population, held_to, refuse_unless

SIMPLE = "Simple"  # SimpleIFNode, SimpleLIFNode: the same equations, but v starts at 0


def integrate(layer: Any, shape: Shape) -> Population:
    """v <- v + x."""
    return Population(fired(layer, shape, decay_v=1.0))


def leaky(layer: Any, shape: Shape) -> Population:
    """v <- v + (x - (v - v_reset)) / tau, or the same with x not divided."""
    return Population(leaking(layer, shape, 1 / layer.tau))


def parametric(layer: Any, shape: Shape) -> Population:
    """The same with 1 / tau = sigmoid(w), learned."""
    return Population(leaking(layer, shape, float(torch.sigmoid(layer.w.detach().double()))))


def current_based(layer: Any, shape: Shape) -> Population:
    """u <- c_decay u + x; v <- v_decay v + u."""
    if layer.v_reset:
        raise UnsupportedNode(
            f"starts and resets at {layer.v_reset} but leaks towards 0; a node starts at 0, so "
            "only v_reset 0 or None can be lowered"
        )
    node = fired(layer, shape, decay_v=layer.v_decay, decay_u=frozen(layer.c_decay))
    return Population(node)


def leaking(layer: Any, shape: Shape, rate: float) -> Neuron:
    """A leaky node that forgets `rate` of its membrane a step."""
    gain = {"gain_v": frozen(rate)} if layer.decay_input else {}
    return fired(layer, shape, decay_v=1 - rate, rate=rate, **gain)


def fired(layer: Any, shape: Shape, decay_v: float, rate: float = 0.0, **more: Any) -> Neuron:
    """The node, with SpikingJelly's comparison and reset."""
    held_to(layer.surrogate_function, ">=")
    refuse_unless(
        getattr(layer, "_neuron_precision", None) is None,
        "computes in a number format of its own (precision was set), which is not the step that "
        "a node states; build it without",
    )
    simple = type(layer).__name__.startswith(SIMPLE)
    soft = layer.v_reset is None
    rest = 0.0 if soft or simple else float(layer.v_reset)
    if simple and layer.v_reset:
        more |= {"bias": frozen(layer.v_reset * rate), "v_reset": frozen(layer.v_reset)}
    return Neuron(
        shape,
        frozen(decay_v),
        frozen(layer.v_threshold - rest),
        reset="subtract" if soft else "value",
        reset_amount=frozen(layer.v_threshold) if soft else None,
        compare=">=",
        **more,
    )


def recurrent(layer: Any, shape: Shape) -> Population:
    """LinearRecurrentContainer around a population: what it hears is W [x, s'] + b."""
    inner = POPULATIONS.get(f"spikingjelly.{type(layer.sub_module).__name__}")
    if inner is None:
        raise UnsupportedNode(
            f"holds a {type(layer.sub_module).__name__}; one of "
            f"{', '.join(name.partition('.')[2] for name in POPULATIONS)} can be lowered in it"
        )
    inputs = layer.rc.out_features
    weight = needed(layer.rc.weight)
    made = inner(layer.sub_module, (inputs,))
    return Population(
        made.node,
        before=Linear(weight[:, :inputs], numbers(layer.rc.bias)),
        back=Linear(weight[:, inputs:]),
    )


POPULATIONS: dict[str, Made] = {
    "spikingjelly.IFNode": integrate,
    "spikingjelly.SimpleIFNode": integrate,
    "spikingjelly.LIFNode": leaky,
    "spikingjelly.SimpleLIFNode": leaky,
    "spikingjelly.ParametricLIFNode": parametric,
    "spikingjelly.CUBALIFNode": current_based,
}
KINDS: dict[str, Made] = {**POPULATIONS, "spikingjelly.LinearRecurrentContainer": recurrent}
LAYERS = (  # torch's layers with a step mode; others of theirs do more than the layer they extend
    *("Linear", "Conv1d", "Conv2d", "BatchNorm1d", "BatchNorm2d", "AvgPool2d", "MaxPool2d"),
    *("Flatten", "Dropout", "Dropout2d", "VotingLayer"),
)


def refuse(layer: nn.Module) -> None:
    """UnsupportedNode for a layer of theirs that is not torch's layer over time."""
    name = type(layer).__name__
    if name not in LAYERS:
        raise UnsupportedNode(
            f"is SpikingJelly's {name}, which cannot be lowered; there are the layers "
            f"{', '.join(LAYERS)} and the populations "
            f"{', '.join(kind.partition('.')[2] for kind in KINDS)}"
        )
