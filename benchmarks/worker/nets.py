"""Small nets: the same torch code and weights for all libraries, only the neurons differ."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from .layers import LIBRARIES, STEPS, heard, our_scan

OURS = ("fused", "eager", "relu")
CLASSES, CHANNELS, INPUTS, HIDDEN = 10, (16, 32), 64, 256


class ConvNet(nn.Module):
    """{conv 3 x 3 - BN over time - neurons - average pool} x 2, linear, on an image of 28 x 28
    that is held for T steps. Ours, and the twin, compute once what is held; the others have no
    layers for that."""

    def __init__(self, library: str) -> None:
        super().__init__()
        self.run = LIBRARIES[library]()
        conv, norm, self.pool, self.flat = over_time() if library in OURS else at_once()
        wide = (1, *CHANNELS)
        self.convs = nn.ModuleList(
            conv(a, b, 3, padding=1, bias=False) for a, b in zip(wide, CHANNELS, strict=False)
        )
        self.norms = nn.ModuleList(norm(c) for c in CHANNELS)
        self.last = nn.Linear(CHANNELS[-1] * 49, CLASSES)
        self.spikes: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.spikes = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            self.spikes.append(self.run(self.flat(lambda x, c=conv, n=norm: n(c(x)), x)))
            x = self.flat(self.pool, self.spikes[-1])
        logits: Tensor = self.last(x.flatten(2)).mean(0)
        return logits


def at_once() -> Any:
    """torch's layers, on all steps and samples as one batch."""

    def flat(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        y = layer(x.flatten(0, 1))
        return y.view(*x.shape[:2], *y.shape[1:])

    return nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d(2), flat


def over_time() -> Any:
    """Ours, which know of time."""
    from spikeport.trainer.layers import AvgPool2d, Conv2d
    from spikeport.trainer.norms import BatchNorm2d

    return Conv2d, BatchNorm2d, AvgPool2d(2), lambda layer, x: layer(x)


class RecurrentNet(nn.Module):
    """Linear - neurons that hear their last spikes - linear."""

    def __init__(self, library: str) -> None:
        super().__init__()
        self.run = our_scan(library) if library in ("fused", "eager") else heard(STEPS[library]())
        self.first, self.back = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN, CLASSES)
        nn.init.orthogonal_(self.back.weight, 0.2)
        self.spikes: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.spikes = [self.run(self.first(x), self.back)]
        logits: Tensor = self.last(self.spikes[0]).mean(0)
        return logits


class ResNet19(nn.Module):
    """The paper's (Deng et al. 2022), on an image of 3 x 32 x 32 that is held; relu: with ReLU in
    place of every population. Ours alone."""

    def __init__(self, library: str) -> None:
        super().__init__()
        from spikeport.trainer import kernels
        from spikeport.trainer.models import build
        from spikeport.trainer.models.presets import preset
        from spikeport.trainer.spiking import Spiking

        known = preset("resnet-19")
        self.net = build(known.model, known.input, known.classes)
        mode: Any = "auto" if library == "relu" else library
        self.asked = partial(kernels.asked, mode)
        self.spikes: list[Tensor] = []
        for name, layer in list(self.net.named_modules()):
            if not isinstance(layer, Spiking):
                continue
            if library == "relu":
                self.net.set_submodule(name, nn.ReLU())
            else:
                layer.register_forward_hook(lambda _, x, out: self.spikes.append(out.detach()))

    def forward(self, x: Tensor) -> Tensor:
        self.spikes = []
        with self.asked():
            logits: Tensor = self.net(x).mean(0)
        return logits


NETS: dict[str, tuple[Callable[[str], Any], tuple[int, ...]]] = {
    "conv": (ConvNet, (1, 28, 28)),
    "recurrent": (RecurrentNet, (INPUTS,)),
    "resnet19": (ResNet19, (3, 32, 32)),
}
