"""What the families are made of: a chain of named layers, and layers from settings."""

from torch import nn

from ...core import settings as config
from ..neurons import IF, LIF, CubaLIF, Neuron, Options
from ..norms import BatchNorm1d, BatchNorm2d, TdBatchNorm1d, TdBatchNorm2d
from ..readouts import MEAN_T
from ..surrogate import SHAPES, Surrogate


class SpikingNet(nn.Sequential):
    """Layers one after the other: x [T, B, *shape] -> outputs [T, B, classes].

    readout: how outputs become logits; see `trainer.readouts`.
    """

    readout: str = MEAN_T


def neuron(settings: config.Firing) -> Neuron:
    """A population as the settings say."""
    assert isinstance(settings, config.If | config.Lif | config.Cuba)
    options = Options(
        threshold=settings.threshold,
        reset=settings.reset,
        v_reset=settings.v_reset,
        detach_reset=settings.detach_reset,
        surrogate=surrogate(settings.surrogate),
        learn=settings.learn,
    )
    if isinstance(settings, config.Cuba):
        return CubaLIF(settings.decay, settings.decay_syn, **options)
    if isinstance(settings, config.Lif):
        return LIF(settings.decay, **options)
    return IF(**options)


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
