"""The regularisers that settings can name, and their sum.

Those of activity go over all populations of a model but that of a spiking readout, layers added
up; those of weights over its Linear and Conv layers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...core.settings import Regularisers
from ..graph.maps import Map
from ..methods import Answer
from ..spiking import Spiking
from .activity import lower, penalty, total_spikes, upper
from .weights import l2, weight_sum

LAST = "last"  # where a model's output neurons stand

Cost = Callable[[Tensor, Regularisers], Tensor]  # of one layer's spikes or weight


@dataclass(frozen=True)
class Regulariser:
    """on: what it looks at; 'into neurons' leaves out the weight of a last layer that is only
    read."""

    cost: Cost
    on: str
    deployed: Answer


SPARSE = Answer("training only", "fewer spikes: less energy, nothing else")
LIVELY = Answer("training only", "neurons that fire")
SMALL = Answer("training only", "smaller weights; before a norm only the learning rate's scale")

REGULARISERS: dict[str, Regulariser] = {
    "spikes": Regulariser(lambda s, r: penalty(s, r.spikes_order), "spikes", SPARSE),
    "upper": Regulariser(lambda s, r: upper(s, r.upper_bound, r.upper_power), "spikes", SPARSE),
    "lower": Regulariser(lambda s, r: lower(s, r.lower_bound), "spikes", LIVELY),
    "total_spikes": Regulariser(lambda s, _: total_spikes(s), "spikes", SPARSE),
    "l2": Regulariser(lambda w, _: l2(w), "weights", SMALL),
    "weight_sum": Regulariser(
        lambda w, r: weight_sum(w, r.weight_sum_target), "weights into neurons", LIVELY
    ),
}


def listens(settings: Regularisers) -> str:
    """The first one asked for that takes the spikes of all steps; '' if none is."""
    of_spikes = (name for name, each in REGULARISERS.items() if each.on == "spikes")
    return next((name for name in of_spikes if getattr(settings, name)), "")


@contextmanager
def listening(model: nn.Module, settings: Regularisers) -> Iterator[list[Tensor]]:
    """A list that a forward pass fills with each population's spikes, gradients and all, of a
    graph also of those that a pass added; empty if no regulariser asks for them."""
    heard: list[Tensor] = []
    handles = [
        layer.register_forward_hook(lambda _, __, spikes: heard.append(spikes))
        for name, layer in (model.named_modules() if listens(settings) else ())
        if isinstance(layer, Spiking) and name.split(".")[0] != LAST
    ]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def synapses(model: nn.Module, into_neurons: bool = False) -> list[Tensor]:
    """The weights of a model's Linear and Conv layers, or of a graph's that are trained."""
    kinds = nn.Linear | nn.Conv1d | nn.Conv2d
    found = [m.weight for m in model.modules() if isinstance(m, kinds)]
    held = (m.weight for m in model.modules() if isinstance(m, Map))
    found += [weight for weight in held if isinstance(weight, nn.Parameter)]
    read_only = not isinstance(getattr(model, LAST, None), Spiking)
    return found[:-1] if into_neurons and read_only else found


def regularised(model: nn.Module, settings: Regularisers, heard: list[Tensor]) -> Tensor | None:
    """What is added to the loss; None if no regulariser is on. heard: from `listening`."""
    parts = []
    for name, each in REGULARISERS.items():
        weight = getattr(settings, name)
        if not weight:
            continue
        if each.on == "spikes":
            layers = heard
        else:
            layers = synapses(model, into_neurons=each.on != "weights")
        parts += [weight * each.cost(layer, settings) for layer in layers]
    return torch.stack(parts).sum() if parts else None
