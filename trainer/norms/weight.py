"""Weight norm (Salimans & Kingma 2016): w = g v / ||v||, the norm per output channel.

torch's own parametrisation does it, so that `layer.weight` is the weight wherever it is read:
export takes it as it is. `data_dependent_start` gives every such layer outputs of mean 0 and
variance 1 on one batch.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import is_parametrized

from ...core.errors import ConfigError, TrainingError
from ..layers import channel_axes

Layer = TypeVar("Layer", bound=nn.Module)


def weight_normed(layer: Layer) -> Layer:
    """The layer, with g and v per output channel in place of its weight."""
    made: Layer = weight_norm(layer, dim=0)
    return made


def start_of(t: Tensor, channel: int) -> tuple[Tensor, Tensor]:
    """(g, b) = (1, -mean) / std of t over all axes but `channel`; the biased deviation."""
    axes = tuple(a for a in range(t.ndim) if a != channel % t.ndim)
    std, mean = torch.std_mean(t, axes, correction=0)
    return 1 / std, -mean / std


@torch.no_grad()
def data_dependent_start(model: nn.Module, x: Tensor) -> None:
    """Set g, and b where there is one, of every weight-normed layer, in the order in which they
    hear the batch x [T, B, *shape]. ConfigError if there is none; TrainingError if the output
    of one does not vary."""
    handles = [
        layer.register_forward_pre_hook(_Start(name))
        for name, layer in model.named_modules()
        if is_parametrized(layer, "weight")
    ]
    if not handles:
        raise ConfigError(
            "train.data_start sets the sizes of weight norm, and the model has none; take "
            "model.norm=wn or wn-mobn"
        )
    training = model.training
    try:
        model.eval()(x)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()


class _Start:
    """Sets one layer as soon as its input is there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        size = layer.get_parameter("parametrizations.weight.original0")
        bias = getattr(layer, "bias", None)
        size.fill_(1)
        if bias is not None:
            bias.zero_()
        t = layer.forward(*inputs)
        channel_axes(t)
        g, b = start_of(t, 2)
        if not bool(torch.isfinite(g).all()):
            raise TrainingError(
                f"layer {self.name!r} cannot start from data: {int((~torch.isfinite(g)).sum())} of "
                f"{len(g)} channels do not vary over the batch; give a larger train.batch, or set "
                "train.data_start=false"
            )
        size.copy_(g.view_as(size))
        if bias is not None:
            bias.copy_(b)
