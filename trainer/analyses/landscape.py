"""The loss around weights, in filter-normalised directions (Li et al. 2018; TET fig. 2, 5).

A direction d is drawn from a normal distribution, and every filter of it (a row of a dense layer's
weight, an output channel of a convolution's) gets the length of the weight's filter:

    d* = d |w| / (|d| + 1e-10)

As in the paper's code, what has one axis does not move: biases, and the weights of norms. Nor do
running moments, nor the lengths of weight-normed layers (their v moves, which is what has filters),
nor the weights of BNTT and NeuNorm, which are norms with more axes. The model's tensors are not
written to: the pass is made with others in their place.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from ...core.errors import ConfigError, NetworkError
from ..data import DataSet
from ..evaluate import evaluating
from ..losses import sdt
from ..norms import BNTT, NeuNorm
from .batches import heard

Direction = dict[str, Tensor]  # parameter -> what is added to it
Loss = Callable[[Tensor, Tensor], Tensor]  # outputs [T, B, C], labels [B] -> mean over the batch
Array = NDArray[np.float64]
TINY = 1e-10
LENGTH = "parametrizations.weight.original0"  # of torch's weight norm


@dataclass(frozen=True, eq=False)
class Landscape:
    """loss [n] over `at` along one direction, or [n, n] over two: loss[i, j] at at[i] along the
    first, at[j] along the second. centre: at the trained weights."""

    at: Array
    loss: Array
    centre: float
    seed: int


def filter_normalised(d: Tensor, w: Tensor) -> Tensor:
    """d with each filter (axis 0) as long as that of w."""
    axes = tuple(range(1, w.ndim))
    lengths = [torch.linalg.vector_norm(v, dim=axes, keepdim=True) for v in (w, d)]
    scaled: Tensor = d * (lengths[0] / (lengths[1] + TINY))
    return scaled


def direction(model: nn.Module, seed: int) -> Direction:
    """A random filter-normalised direction, of the parameters that move. NetworkError if none
    does."""
    random = torch.Generator().manual_seed(seed)
    found = {}
    for name, w in moving(model).items():
        drawn = torch.randn(w.shape, generator=random, dtype=torch.float64)
        found[name] = filter_normalised(drawn.to(w.device, w.dtype), w.detach())
    if not found:
        raise NetworkError("the model has no weights with filters, so that it has no landscape")
    return found


def moving(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that have filters."""
    norms = {f"{name}.weight" for name, m in model.named_modules() if isinstance(m, BNTT | NeuNorm)}
    return {
        name: w
        for name, w in model.named_parameters()
        if w.ndim > 1 and name not in norms and not name.endswith(LENGTH)
    }


class Surface:
    """The loss of a split as a function of steps along directions."""

    def __init__(
        self,
        model: nn.Module,
        data: DataSet,
        split: str,
        steps: int,
        samples: int | None,
        loss: Loss,
    ) -> None:
        self.model, self.loss = model, loss
        self.batches = list(heard(model, data, split, steps, samples))

    def __call__(self, *moves: tuple[float, Direction]) -> float:
        """The mean loss at weights + sum of step * direction."""
        weights = {name: w.detach() for name, w in self.model.named_parameters()}
        for step, along in moves:
            weights |= {name: weights[name] + step * d for name, d in along.items()}
        total, samples = 0.0, 0
        with evaluating(self.model):
            for x, y in self.batches:
                outputs = functional_call(self.model, weights, (x,))
                labels = torch.from_numpy(y).to(outputs.device)
                total += float(self.loss(outputs, labels)) * len(y)
                samples += len(y)
        return total / samples


def landscape(
    model: nn.Module,
    data: DataSet,
    split: str,
    steps: int,
    at: Sequence[float],
    *,
    axes: int = 1,
    seed: int = 0,
    samples: int | None = None,
    loss: Loss = sdt,
) -> Landscape:
    """The loss at every step of `at` along one random direction, or at every pair of two.

    loss: by default the cross entropy of the mean output, whatever the model was trained with, so
    that two models can be held against each other.
    """
    if axes not in (1, 2):
        raise ConfigError(f"axes is {axes}; a landscape has 1 or 2")
    if not len(at) or not all(map(math.isfinite, at)):
        raise ConfigError("a landscape takes at least one step, and finite ones")
    surface = Surface(model, data, split, steps, samples, loss)
    along = [direction(model, seed + i) for i in range(axes)]
    found = np.empty((len(at),) * axes)
    for place in np.ndindex(found.shape):
        found[place] = surface(*((at[i], d) for i, d in zip(place, along, strict=True)))
    return Landscape(np.array(at, np.float64), found, surface(), seed)


@dataclass(frozen=True)
class Sharpness:
    """How far the loss rises at `radius` from the trained weights, along both ways of each random
    direction: on average and at most. centre: the loss there."""

    radius: float
    mean_rise: float
    most_rise: float
    centre: float
    directions: int


def sharpness(
    model: nn.Module,
    data: DataSet,
    split: str,
    steps: int,
    *,
    radius: float = 0.5,
    directions: int = 10,
    seed: int = 0,
    samples: int | None = None,
    loss: Loss = sdt,
) -> Sharpness:
    """The rise of the loss at a fixed radius, where 1 moves every filter by its own length."""
    if not (math.isfinite(radius) and radius > 0) or directions < 1:
        raise ConfigError(
            f"radius is {radius} and directions {directions}; give a finite radius above 0, and "
            "at least one direction"
        )
    surface = Surface(model, data, split, steps, samples, loss)
    centre = surface()
    rises = []
    for number in range(directions):
        along = direction(model, seed + number)
        rises += [surface((sign * radius, along)) - centre for sign in (1.0, -1.0)]
    return Sharpness(radius, mean(rises), max(rises), centre, directions)
