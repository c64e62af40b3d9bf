"""What a rate of 1 stands for behind each ReLU, and the threshold that goes with it.

max          the highest activation on the data (Diehl et al. 2015); thresholds are 1
percentile   what 99.9 % of activations lie below (Rueckauer et al. 2017), so that one outlier does
             not slow all neurons down; thresholds are 1
balance      thresholds are the highest weighted input that spikes bring in one step, found layer
             by layer in the spiking net itself (Sengupta et al. 2019); weights stay as they are
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...core.errors import DataError
from ..layers import held
from .chain import Link

MANY = 4_000_000  # values that a percentile is taken of, evenly picked where there are more
BATCH = 16  # samples of a spiking net at a time


@dataclass(frozen=True)
class Scale:
    """Behind one ReLU: an activation is its neuron's rate times `unit`."""

    unit: float
    threshold: float = 1.0


Scales = Mapping[str, Scale]  # ReLU's name -> its scale
Prefix = Callable[[list[Link], Scales], nn.Module]  # makes the spiking net of a chain's beginning


def from_activations(links: list[Link], x: Tensor, percentile: float) -> dict[str, Scale]:
    """From what the ANN gives for x [B, *shape]; percentile 100: the maximum. DataError if x does
    not suit the ANN, or a layer is silent on it."""
    found = {}
    with torch.no_grad():
        for link in links:
            try:
                x = link.layer(x)
            except RuntimeError as error:
                reason = " ".join(str(error).split())
                raise DataError(f"'{link.name}' cannot take the data: {reason}") from error
            if link.fires:
                found[link.name] = Scale(positive(link.name, reached(x, percentile)))
    return found


def reached(values: Tensor, percentile: float) -> float:
    """The percentile of all values."""
    flat = values.flatten()
    if percentile == 100:
        return float(flat.max())
    picked = flat[:: max(1, len(flat) // MANY)].double().cpu().numpy()
    return float(np.percentile(picked, percentile))


def from_spikes(
    links: list[Link], x: Tensor, steps: int, prefix: Prefix, scaling: float = 1.0
) -> dict[str, Scale]:
    """From the highest input of each population when x [B, *shape] is held for some steps.

    scaling: of all thresholds, after all have been found; below 1 neurons fire more (hybrid
    training takes 0.7).
    """
    found: dict[str, Scale] = {}
    unit = 1.0  # of what the layer hears
    for place, link in enumerate(links):
        if link.fires:
            net = prefix(links[:place], found)
            most = max(float(net(part).max()) for part in parts(x, steps))
            found[link.name] = Scale(positive(link.name, most), most / unit)
            unit = most
    return scaled(found, scaling)


def scaled(found: Scales, scaling: float) -> dict[str, Scale]:
    """All thresholds times a factor, and the units that follow from it."""
    return {
        name: Scale(scale.unit * scaling**n, scale.threshold * scaling)
        for n, (name, scale) in enumerate(found.items(), 1)
    }


def parts(x: Tensor, steps: int) -> Iterator[Tensor]:
    """Batches [T, b, *shape] of x [B, *shape], held."""
    with torch.no_grad():
        for start in range(0, len(x), BATCH):
            yield held(x[start : start + BATCH], steps)


def positive(name: str, unit: float) -> float:
    """The unit, or DataError where it makes no rate."""
    if not (np.isfinite(unit) and unit > 0):
        raise DataError(
            f"the scale of '{name}' is {unit:g} on this data, and a rate of spikes needs one "
            "above 0; give data on which the layer is active, or a higher percentile"
        )
    return unit
