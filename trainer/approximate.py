"""Norms that no deployed network has -> ones that it can have, and what that costs.

    PSP-LN, whole window or causal    E becomes one number, its mean over the training split
    BNTT                              gain and shift become their means over the steps

The result is another network. Its accuracy is measured beside the trained one's, on the same
samples, so that the drop stands next to the choice.
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .data import DataSet
from .evaluate import accuracy, as_tensor
from .norms import BNTT, BatchNorm1d, BatchNorm2d, PspLayerNorm


@dataclass(frozen=True, eq=False)
class Approximation:
    """The new model, and both accuracies on the split (0 to 1). replaced: layer -> what was
    done to it; empty if there was nothing to do."""

    model: nn.Module
    replaced: dict[str, str]
    split: str
    trained: float
    approximated: float

    @property
    def drop(self) -> float:
        """What it cost; negative if it did better."""
        return self.trained - self.approximated


def approximate(
    model: nn.Module, data: DataSet, steps: int, *, split: str = "validation", batch: int = 256
) -> Approximation:
    """A copy whose norms can be exported. `model` stays as it is; E is measured on the training
    split, accuracy on `split`."""
    made = copy.deepcopy(model).eval()
    calibrated = _calibrate(made, data, steps, batch)
    collapsed = {}
    for name, layer in list(made.named_modules()):
        if isinstance(layer, BNTT):
            _put(made, name, collapse(layer, _axes(layer, made, data, steps)))
            collapsed[name] = f"BNTT over {len(layer.weight)} steps -> their mean"
    both = (accuracy(m, data, split, steps, batch) for m in (model, made))
    return Approximation(made, calibrated | collapsed, split, *both)


def collapse(layer: BNTT, axes: int) -> nn.Module:
    """One batch norm for all steps: y = c (x - m) with c = mean c[t], c m = mean c[t] m[t]."""
    gains = layer.gains().detach()
    kind = BatchNorm1d if axes == 1 else BatchNorm2d
    norm = kind(gains.shape[1], eps=0.0).to(gains).eval()
    with torch.no_grad():
        norm.weight.copy_(gains.mean(0))
        norm.bias.copy_(-(gains * layer.running_mean).mean(0))
    return norm


@torch.no_grad()
def _calibrate(model: nn.Module, data: DataSet, steps: int, batch: int) -> dict[str, str]:
    """Every PSP-LN with its mean E over the training split, layer by layer as they stand: each
    hears what the net with its own E per sample says."""
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, PspLayerNorm) and layer.over != "calibrated"
    }
    if not layers:
        return {}
    sums = dict.fromkeys(layers, 0.0)
    handles = [layer.register_forward_pre_hook(_Sum(name, sums)) for name, layer in layers.items()]
    weight = next(model.parameters())
    count = 0
    for indices in data.order("train", batch):
        x, _ = data.take(indices, steps)
        model(as_tensor(x, weight.device, weight.dtype))
        count += len(indices)
    said = {}
    for name, layer in layers.items():
        layer.running.fill_(sums[name] / count)
        said[name] = f"PSP-LN over {layer.over!r} -> E = {sums[name] / count:.6g}"
        layer.over = "calibrated"
    for handle in handles:
        handle.remove()
    return said


class _Sum:
    """Adds up E of every sample that a layer hears."""

    def __init__(self, name: str, sums: dict[str, float]) -> None:
        self.name = name
        self.sums = sums

    def __call__(self, layer: PspLayerNorm, inputs: tuple[Tensor, ...]) -> None:
        x = layer.measured(inputs[0]).double()
        self.sums[self.name] += float(x.square().transpose(0, 1).flatten(1).mean(1).sum())


@torch.no_grad()
def _axes(layer: BNTT, model: nn.Module, data: DataSet, steps: int) -> int:
    """How many axes the samples have that a layer hears."""
    found: list[int] = []
    handle = layer.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].ndim - 2))
    weight = next(model.parameters())
    x, _ = data.take(data.indices("train")[:1], steps)
    model(as_tensor(x, weight.device, weight.dtype))
    handle.remove()
    return found[0]


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a layer in another's place."""
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, layer)
