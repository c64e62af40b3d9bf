"""How good a model is, and what exactly it does."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .data import DataSet
from .layers import held
from .readouts import MEAN_T, logits
from .record import recording


def as_tensor(
    x: NDArray[np.generic],
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """x [T, B, *shape] on a device; a signal that is held in time stays one step, held."""
    if len(x) > 1 and x.strides[0] == 0:
        return held(torch.tensor(x[0], device=device, dtype=dtype), len(x))
    return torch.tensor(x, device=device, dtype=dtype)


def correct(
    model: nn.Module,
    data: DataSet,
    split: str,
    steps: int,
    *,
    batch: int = 256,
    share: tuple[int, int] = (0, 1),
) -> int:
    """How many samples of a split the model gets right in eval mode; share: (rank, processes),
    to count this process's part only. A tie between classes goes to the lowest."""
    return int(right(model, data, split, steps, batch=batch, share=share).sum())


def right(
    model: nn.Module,
    data: DataSet,
    split: str,
    steps: int,
    *,
    batch: int = 256,
    share: tuple[int, int] = (0, 1),
) -> NDArray[np.bool_]:
    """Whether the model gets each sample of a split right, in the order of the split; else as
    `correct`."""
    weight = next(model.parameters())
    found = [np.empty(0, np.bool_)]
    with evaluating(model):
        batches = [part for part in data.order(split, batch, share=share) if len(part)]
        for x, y in data.stream(batches, steps):
            outputs = model(as_tensor(x, weight.device, weight.dtype))
            chosen = logits(outputs, getattr(model, "readout", MEAN_T)).argmax(1)
            found.append(chosen.cpu().numpy() == y)
    return np.concatenate(found)


def accuracy(model: nn.Module, data: DataSet, split: str, steps: int, batch: int = 256) -> float:
    """The share of a split's samples that the model gets right in eval mode, 0 to 1."""
    return correct(model, data, split, steps, batch=batch) / len(data.indices(split))


def run_recorded(
    model: nn.Module, x: NDArray[np.generic], dtype: torch.dtype = torch.float64
) -> tuple[NDArray[Any], dict[str, NDArray[np.uint8]]]:
    """(outputs [T, B, C], neuron's name -> spikes uint8 [T, B, *shape]) for x [T, B, *shape].

    The model as it was trained: eval mode, norms unfolded, neurons step by step, cast to `dtype`
    (float64 is what every engine is held against). It runs on the CPU as a copy; the model
    given is left as it is.
    """
    return recorded(copy.deepcopy(model).to("cpu", dtype), x, dtype)


def recorded(
    model: nn.Module, x: NDArray[np.generic], dtype: torch.dtype = torch.float64
) -> tuple[NDArray[Any], dict[str, NDArray[np.uint8]]]:
    """`run_recorded` of a model that is on the CPU and of that dtype already, without a copy."""
    with evaluating(model), recording(model, kind=torch.uint8) as traces:
        outputs = model(as_tensor(x, dtype=dtype))
    spikes = {name: trace.spikes.numpy() for name, trace in traces.items()}
    return outputs.numpy(), spikes


def run_single(
    model: nn.Module, x: NDArray[np.generic]
) -> tuple[NDArray[Any], dict[str, NDArray[np.uint8]]]:
    """`run_recorded` in float32, the precision of training."""
    return run_recorded(model, x, torch.float32)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode and no gradients; afterwards the mode is what it was."""
    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was)
