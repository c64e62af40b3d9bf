"""What the families are made of: a chain of named layers, and layers from settings."""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from torch import nn

from ...core import settings as config
from ...core.errors import ConfigError
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
from ..surrogate_memory import SinceSpike
from .starts import begin

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
    kinds: dict[str, type[Surrogate]] = {**SHAPES, "stdb": SinceSpike}
    return kinds[settings.kind](settings.width, settings.scale)


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


def has_bias(settings: config.Net, after: nn.Module | None) -> bool:
    """Whether a convolution or hidden layer has a bias of its own before the norm `after`."""
    return settings.bias == "always" or (settings.bias == "auto" and after is None)


def image(
    settings: config.Net, input_shape: tuple[int, ...], least: int = 1
) -> tuple[int, int, int]:
    """(C, H, W) of samples that are images of `least` x `least` pixels or more, else
    ConfigError."""
    name = getattr(settings, "name", "")
    if len(input_shape) != 3:
        raise ConfigError(
            f"model {name!r} takes samples [C, H, W], the data has {list(input_shape)}; "
            "model.name=recurrent or feedforward takes any, and grey images are [1, H, W]"
        )
    channels, height, width = input_shape
    if min(height, width) < least:
        raise ConfigError(
            f"model {name!r} as it is set makes images {least} times smaller on the way, which "
            f"leaves nothing of {height} x {width}; take fewer stages, pools or strides"
        )
    return channels, height, width


def no_norm_behind(settings: config.Net) -> None:
    """ConfigError if the norm stands behind neurons, for which a family has no place."""
    if NORMS[settings.norm].behind is not None:
        raise ConfigError(
            f"model.norm is {settings.norm!r}, which stands behind the neurons; model "
            f"{getattr(settings, 'name', '')!r} has no place for it, conv and recurrent have"
        )


def finished(
    settings: config.Net,
    layers: OrderedDict[str, nn.Module],
    features: int,
    classes: int,
    bias: bool = True,
) -> SpikingNet:
    """The net of these layers with its last ones, from `features` to outputs."""
    choice = READOUTS[settings.readout]
    if settings.dropout:
        layers["dropout"] = Dropout(settings.dropout)
    votes = settings.votes if choice.votes else 1
    layers["classifier"] = Linear(features, classes * votes, bias=bias)
    if choice.behind == "leaky":
        layers["last"] = LeakyReadout(settings.readout_decay, settings.readout_decay_syn or None)
    elif choice.behind == "neurons":
        layers["last"] = neuron(settings.neuron)
    if choice.votes:
        layers["vote"] = Vote(settings.votes)
    net = SpikingNet(layers)
    net.readout = choice.logits
    begin(net, settings)
    return net
