"""What the families are made of: a chain of named layers, and layers from settings."""

from collections.abc import Callable

from torch import nn

from ...core import settings as config
from ..neurons import (
    IF,
    LIF,
    PLIF,
    SRM,
    CubaLIF,
    Neuron,
    SoftResetLIF,
    SpikingJellyLIF,
    ZenkeLIF,
)
from ..norms import BatchNorm1d, BatchNorm2d, TdBatchNorm1d, TdBatchNorm2d
from ..readouts import MEAN_T
from ..surrogate import SHAPES, Surrogate


class SpikingNet(nn.Sequential):
    """Layers one after the other: x [T, B, *shape] -> outputs [T, B, classes].

    readout: how outputs become logits; see `trainer.readouts`.
    """

    readout: str = MEAN_T


NEURONS: dict[type[config.Fires], Callable[..., Neuron]] = {  # by the same names
    config.If: IF,
    config.Lif: LIF,
    config.Cuba: CubaLIF,
    config.SpikingJelly: SpikingJellyLIF,
    config.Plif: PLIF,
    config.Zenke: ZenkeLIF,
    config.Soft: SoftResetLIF,
    config.Srm: SRM,
}


def neuron(settings: config.Fires) -> Neuron:
    """A population as the settings say."""
    given = settings.model_dump(exclude={"kind", "surrogate"})
    return NEURONS[type(settings)](**given, surrogate=surrogate(settings.surrogate))


def surrogate(settings: config.Surrogate) -> Surrogate:
    """A way to fire as the settings say."""
    return SHAPES[settings.kind](settings.width, settings.scale)


def norm(settings: config.Net, channels: int, axes: int) -> nn.Module | None:
    """The norm of samples with 1 (features) or 3 (channels, y, x) axes; None: there is none."""
    if settings.norm == "none":
        return None
    if settings.norm == "bn":
        return BatchNorm1d(channels) if axes == 1 else BatchNorm2d(channels)
    kind = TdBatchNorm1d if axes == 1 else TdBatchNorm2d
    return kind(channels, settings.neuron.threshold)
