"""How much every layer fires, and whether that pays.

rate      spikes / (neurons * steps * samples) of a layer
pooled    the same over all layers together; large layers weigh more
by layer  the mean of the layers' rates; each layer weighs the same

The thesis of Nandan prints a rate without saying which of the two it is, so both are given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from statistics import mean

import numpy as np
import torch
from torch import nn

from ...core.errors import NetworkError
from ..data import DataSet
from ..evaluate import evaluating
from ..readouts import MEAN_T, logits
from ..record import recording
from ..regularisers.choice import LAST
from .batches import heard


@dataclass(frozen=True)
class Rate:
    """A layer's spikes in all, and its neurons."""

    spikes: float
    neurons: int


@dataclass(frozen=True)
class Rates:
    """What layers did, by name, in order; `accuracy` (0 to 1) is of the same samples."""

    layers: Mapping[str, Rate]
    steps: int
    samples: int
    accuracy: float

    @property
    def chances(self) -> int:
        """How often one neuron could have fired."""
        return self.steps * self.samples

    @property
    def rate(self) -> dict[str, float]:
        """Each layer's rate."""
        return {n: r.spikes / (r.neurons * self.chances) for n, r in self.layers.items()}

    @property
    def pooled(self) -> float:
        """The rate of all neurons together."""
        neurons = sum(r.neurons for r in self.layers.values())
        return sum(r.spikes for r in self.layers.values()) / (neurons * self.chances)

    @property
    def mean_of_layers(self) -> float:
        """The mean of the layers' rates."""
        return mean(self.rate.values())

    @property
    def spikes(self) -> dict[str, float]:
        """Spikes of each layer in one sample."""
        return {name: r.spikes / self.samples for name, r in self.layers.items()}

    @property
    def hidden(self) -> list[float]:
        """The same of the hidden layers, which a spiking readout is none of."""
        return [spikes for name, spikes in self.spikes.items() if name != LAST]


def rates(
    model: nn.Module, data: DataSet, split: str, steps: int, *, samples: int | None = None
) -> Rates:
    """What every layer of neurons did on a split in eval mode. samples: the first so many;
    None: all. NetworkError if no layer has neurons."""
    readout = getattr(model, "readout", MEAN_T)
    fired: dict[str, float] = {}
    neurons: dict[str, int] = {}
    right = total = 0
    with evaluating(model):
        for x, y in heard(model, data, split, steps, samples):
            with recording(model) as traces:
                outputs = model(x)
            for name, trace in traces.items():
                fired[name] = fired.get(name, 0.0) + float(trace.spikes.sum(dtype=torch.float64))
                neurons[name] = prod(trace.spikes.shape[2:])
            right += int(np.sum(logits(outputs, readout).argmax(1).cpu().numpy() == y))
            total += len(y)
    if not fired:
        raise NetworkError("the model has no layer of neurons, so that there are no spikes")
    layers = {name: Rate(fired[name], neurons[name]) for name in fired}
    return Rates(layers, steps, total, right / total)


def sparsity(found: Iterable[Rates]) -> list[tuple[float, float, float]]:
    """(spikes a sample of the hidden layers, each layer's mean, accuracy) of several models, from
    the most silent on: below some number of spikes accuracy falls (Zenke & Vogels 2021)."""
    return sorted((sum(r.hidden), mean(r.hidden), r.accuracy) for r in found)
