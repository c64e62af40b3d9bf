"""What the families are made of: a chain of named layers, and layers from settings."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from torch import nn

from ...core import settings as config
from ..layers import Dropout, Linear
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
from ..norms import NORMS, weight_normed
from ..readouts import MEAN_T, READOUTS, LeakyReadout, Vote
from ..surrogate import SHAPES, Surrogate

Synapse = TypeVar("Synapse", bound=nn.Module)


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
    """The norm between synapse and neurons, for samples with 1 (features) or 3 (channels, y, x)
    axes; None: there is none."""
    made = NORMS[settings.norm].after
    return made and made(settings, (channels, *(1,) * (axes - 1)))


def norm_before(settings: config.Net, channels: int) -> nn.Module | None:
    """The norm of what a synapse hears; None: there is none."""
    made = NORMS[settings.norm].before
    return made and made(settings, (channels,))


def norm_behind(settings: config.Net, shape: tuple[int, ...]) -> nn.Module | None:
    """The norm of what neurons of `shape` say; None: there is none."""
    made = NORMS[settings.norm].behind
    return made and made(settings, shape)


def synapse(settings: config.Net, layer: Synapse) -> Synapse:
    """The layer, with weight norm if the settings say so."""
    return weight_normed(layer) if NORMS[settings.norm].weight else layer


def finished(
    settings: config.Net, layers: OrderedDict[str, nn.Module], features: int, classes: int
) -> SpikingNet:
    """The net of these layers with its last ones, from `features` to outputs."""
    choice = READOUTS[settings.readout]
    if settings.dropout:
        layers["dropout"] = Dropout(settings.dropout)
    layers["classifier"] = Linear(features, classes * (settings.votes if choice.votes else 1))
    if choice.behind == "leaky":
        layers["last"] = LeakyReadout(settings.readout_decay, settings.readout_decay_syn or None)
    elif choice.behind == "neurons":
        layers["last"] = neuron(settings.neuron)
    if choice.votes:
        layers["vote"] = Vote(settings.votes)
    net = SpikingNet(layers)
    net.readout = choice.logits
    return net
