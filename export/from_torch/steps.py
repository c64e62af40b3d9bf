"""Norms with moments for every step (BNTT) -> the neurons behind them, step by step.

y[t] = c[t] (x[t] - m[t]) before v <- a v + g y is v' <- a c[t-1]/c[t] v' + g (x - m[t]) with
v = c[t] v', which spikes above theta / c[t]: one weight, and a threshold, leak and bias for every
step. Exact in real numbers.
"""

from dataclasses import replace

import torch
from torch import nn

from ...core.arrays import frozen
from ...core.errors import NetworkError, UnsupportedNode
from ...core.nodes import Neuron
from ...core.timed import Schedule
from ...trainer.norms import BNTT, schedule
from .norms import numbers


def steps_of(model: nn.Module) -> int | None:
    """How many steps the model can run for; None: any number."""
    found = {
        len(layer.weight): name for name, layer in model.named_modules() if isinstance(layer, BNTT)
    }
    if len(found) > 1:
        raise UnsupportedNode(
            "has BNTTs of different numbers of steps: "
            + ", ".join(f"{name} {steps}" for steps, name in found.items())
        )
    return next(iter(found), None)


def scheduled(node: Neuron, norm: BNTT) -> Neuron:
    """The population that hears what the norm hears. UnsupportedNode where its numbers are not
    those of one step of this form."""
    if node.decay_u is not None or node.memoryless:
        raise UnsupportedNode(
            f"is a {node.kind} behind a BNTT, whose shift would have to change its synaptic "
            "current; neurons without one can be lowered (LIF, IF)"
        )
    for name in ("decay_v", "threshold", "gain_v", "bias"):
        if getattr(node, name).ndim:
            raise UnsupportedNode(f"has a {name} for each neuron behind a BNTT; one can be lowered")
    if (node.reset == "value" and node.v_reset.any()) or node.reset_amount is not None:
        raise UnsupportedNode(
            "resets to or by a number of its own behind a BNTT, in whose units that would change "
            "with every step; reset to 0 or by the threshold"
        )
    gains, means = norm.gains().detach().double(), norm.running_mean.double()
    assert node.threshold is not None
    try:
        made = schedule(gains, means, float(node.decay_v), float(node.threshold))
    except NetworkError as error:
        raise UnsupportedNode(str(error)) from None
    bias = made.bias * float(node.gain_v) + float(node.bias) / gains
    rows = (torch.as_tensor(values) for values in (made.decay, made.threshold, bias))
    decay, threshold, shift = (frozen(numbers(values)) for values in rows)
    return replace(
        node,
        bias=frozen(0.0),
        schedule=Schedule(decay_v=decay, threshold=threshold, bias=shift),
    )
