"""Blocks with shortcuts: [T, B, C, H, W] -> [T, B, C', H', W'].

Their forward is layers and additions only, so that torch.fx can follow it.
"""

import math

from torch import Tensor, nn

from ...core import settings as config
from ..joins import JOINS
from ..layers import Conv2d
from .blocks import has_bias, neuron, norm, norm_before, synapse

HALF = math.sqrt(0.5)  # tdBN's alpha where two branches are added


class Synapses(nn.Sequential):
    """[norm before] - convolution - [norm after]."""


def synapses(
    settings: config.Net,
    channels: int,
    wide: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
    halved: bool = False,
) -> Synapses:
    """A convolution that keeps the size but for its stride, with its norms."""
    made = Synapses()
    if (before := norm_before(settings, channels)) is not None:
        made.add_module("prenorm", before)
    after = norm(settings, wide, axes=3)
    bias = has_bias(settings, after)
    conv = Conv2d(channels, wide, kernel, stride, kernel // 2, groups=groups, bias=bias)
    made.add_module("conv", synapse(settings, conv))
    if after is not None:
        if halved and settings.norm == "tdbn":
            after.factor *= HALF  # type: ignore[operator, assignment]
        made.add_module("norm", after)
    return made


def quiet(part: Synapses, fires: bool = False) -> None:
    """Let a branch begin silent: the last norm gives 0, or the threshold's 1 where AND needs a
    spike at every step to pass its shortcut on."""
    last = getattr(part, "norm", None)
    if last is None or not hasattr(last, "weight"):
        return
    nn.init.zeros_(last.weight)
    if fires:
        nn.init.ones_(last.bias)


class SpikingBlock(nn.Module):
    """conv - neurons - conv, plus the shortcut, then neurons: spikes in, spikes out."""

    def __init__(self, settings: config.ResNet, channels: int, wide: int, stride: int) -> None:
        super().__init__()
        half = settings.halved
        self.first = synapses(settings, channels, wide, stride=stride)
        self.neuron1 = neuron(settings.neuron)
        self.second = synapses(settings, wide, wide, halved=half)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != wide:
            self.shortcut = synapses(settings, channels, wide, 1, stride, halved=half)
        elif settings.norm_shortcut:
            self.shortcut = norm(settings, wide, axes=3)
            if half and settings.norm == "tdbn":
                self.shortcut.factor *= HALF  # type: ignore[union-attr, operator]
        self.neuron2 = neuron(settings.neuron)
        if settings.zero_start:
            quiet(self.second)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.second(self.neuron1(self.first(x)))
        kept = x if self.shortcut is None else self.shortcut(x)
        spikes: Tensor = self.neuron2(branch + kept)
        return spikes

    @property
    def shortest_delay(self) -> int:
        """Steps that it answers late, by its shortest way."""
        return self.neuron2.delay


class SewBlock(nn.Module):
    """conv - neurons - conv - neurons, joined with the shortcut's spikes."""

    def __init__(
        self,
        settings: config.ResNet | config.SewNet,
        channels: int,
        wide: int,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.first = synapses(settings, channels, wide, stride=stride)
        self.neuron1 = neuron(settings.neuron)
        self.second = synapses(settings, wide, wide)
        self.neuron2 = neuron(settings.neuron)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != wide:
            self.shortcut = nn.Sequential()
            self.shortcut.add_module("synapses", synapses(settings, channels, wide, 1, stride))
            self.shortcut.add_module("neuron", neuron(settings.neuron))
        self.join = JOINS[settings.join]()
        if settings.zero_start:
            quiet(self.second, fires=settings.join == "and")

    def forward(self, x: Tensor) -> Tensor:
        branch = self.neuron2(self.second(self.neuron1(self.first(x))))
        kept = x if self.shortcut is None else self.shortcut(x)
        joined: Tensor = self.join(branch, kept)
        return joined

    @property
    def shortest_delay(self) -> int:
        """By the shortcut."""
        return 0 if self.shortcut is None else self.neuron2.delay


class MixerBlock(nn.Module):
    """Residual(depth-wise conv - neurons), conv 1 x 1 - neurons."""

    def __init__(self, settings: config.MixerNet) -> None:
        super().__init__()
        wide = settings.channels
        self.depthwise = synapses(settings, wide, wide, settings.kernel, groups=wide)
        self.neuron1 = neuron(settings.neuron)
        self.join = JOINS[settings.join]()
        self.pointwise = synapses(settings, wide, wide, 1)
        self.neuron2 = neuron(settings.neuron)

    def forward(self, x: Tensor) -> Tensor:
        mixed = self.join(self.neuron1(self.depthwise(x)), x)
        spikes: Tensor = self.neuron2(self.pointwise(mixed))
        return spikes

    @property
    def shortest_delay(self) -> int:
        """By the shortcut."""
        return self.neuron2.delay


class PreBlock(nn.Module):
    """h + G(h), G = neurons - conv - neurons - conv: the stream h is a current."""

    def __init__(self, settings: config.DeepNet, channels: int, wide: int, stride: int) -> None:
        super().__init__()
        self.neuron1 = neuron(settings.neuron)
        self.first = synapses(settings, channels, wide, stride=stride)
        self.neuron2 = neuron(settings.neuron)
        self.second = synapses(settings, wide, wide)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != wide:
            self.shortcut = Conv2d(channels, wide, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        branch: Tensor = self.second(self.neuron2(self.first(self.neuron1(x))))
        return branch + (x if self.shortcut is None else self.shortcut(x))

    @property
    def shortest_delay(self) -> int:
        """By the stream."""
        return 0


class PostBlock(nn.Module):
    """neurons(h + G(h)), G = conv - neurons - conv: the stream h is spikes."""

    def __init__(self, settings: config.DeepNet, channels: int, wide: int, stride: int) -> None:
        super().__init__()
        self.first = synapses(settings, channels, wide, stride=stride)
        self.neuron1 = neuron(settings.neuron)
        self.second = synapses(settings, wide, wide)
        self.shortcut: nn.Module | None = None
        if stride != 1 or channels != wide:
            self.shortcut = Conv2d(channels, wide, 1, stride, bias=False)
        self.neuron2 = neuron(settings.neuron)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.second(self.neuron1(self.first(x)))
        kept = x if self.shortcut is None else self.shortcut(x)
        spikes: Tensor = self.neuron2(branch + kept)
        return spikes

    @property
    def shortest_delay(self) -> int:
        """By the shortcut."""
        return self.neuron2.delay
