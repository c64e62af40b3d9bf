"""What is timed: passes of a layer, steps of training."""

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor

from .device import seconds
from .drawn import drawn
from .layers import LAYOUTS, LIBRARIES, Run
from .nets import CLASSES, NETS


class Training:
    """Steps of a net on one batch that stays the same."""

    def __init__(self, library: str, net: str, shape: list[int], device: str) -> None:
        kind, sample = NETS[net]
        torch.manual_seed(0)
        self.net, self.device = kind(library).to(device), device
        steps, batch = shape
        x = 2 * torch.rand(steps, batch, *sample)
        if net != "recurrent":  # an image, held
            x = torch.rand(batch, *sample)
        self.x = x.to(device) if net == "recurrent" else x.to(device).expand(steps, *x.shape)
        self.y = torch.arange(shape[1], device=device) % CLASSES
        self.optimiser = torch.optim.Adam(self.net.parameters(), 1e-5)

    def step(self) -> float:
        """Seconds of one."""
        return seconds(self.work, self.device)

    def work(self) -> None:
        """Forward, loss, backward, Adam."""
        loss = F.cross_entropy(self.net(self.x), self.y)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def digest(self) -> list[float]:
        """Of all spikes of a forward pass."""
        with torch.no_grad():
            self.net(self.x)
        return digest(torch.cat([spikes.flatten() for spikes in self.net.spikes]))


def digest(spikes: Tensor) -> list[float]:
    """[how many, sum of places] of the spikes."""
    found = spikes.detach().flatten().nonzero()
    return [float(len(found)), float(found.sum())]


def copied(x: Tensor, grad: Tensor) -> Run:
    """What must move, each once, into memory that is there: x, the gradient and the state are
    read, spikes, the state and the gradient of x are written."""
    spikes, state, to_x = (torch.zeros_like(x) for _ in range(3))

    def run(x: Tensor) -> Tensor:
        spikes.copy_(x)
        state.copy_(grad)
        to_x.copy_(state)
        return spikes

    return run


def passed(run: Run, x: Tensor, grad: Tensor) -> None:
    """A pass forward and, if there is a way back, backward."""
    x.grad = None
    spikes = run(x)
    if spikes.requires_grad:
        spikes.backward(grad)  # type: ignore[no-untyped-call]


def layer(
    library: str, shape: list[int], device: str
) -> tuple[Callable[[], float], Callable[[], list[float]]]:
    """What times a pass of one layer, and what gives its digest."""
    drive, back = drawn(shape)
    turn, turned_back = LAYOUTS.get(library, ((0, 1, 2), (0, 1, 2)))
    x, grad = (torch.tensor(a, device=device).permute(turn).contiguous() for a in (drive, back))
    x.requires_grad_(library != "copy")
    work = copied(x, grad) if library == "copy" else LIBRARIES[library]()

    def tell() -> list[float]:
        return digest(work(x).permute(turned_back))

    return lambda: seconds(lambda: passed(work, x, grad), device), tell
