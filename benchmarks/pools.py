"""An average pool of 2 x 2 over time, forward and backward: our kernel, torch's, and copying what
must move (input in, a quarter out; a quarter in, gradient out). Bits are checked equal first."""

import statistics
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..trainer import kernels
from ..trainer.layers import AvgPool2d
from .figure import Figure, interleaved

SIZES = ((16, 32, 16, 28, 28), (16, 32, 32, 14, 14), (4, 64, 16, 28, 28))  # [T, B, C, H, W]
REPEATS = 15


def figures() -> Iterator[Figure]:
    """Milliseconds of each, then our ratios to torch and to copying."""
    for shape in SIZES:
        yield from of_size(shape)


def of_size(shape: tuple[int, ...]) -> Iterator[Figure]:
    """One size."""
    random = torch.Generator().manual_seed(0)
    x = (torch.rand(shape, generator=random) > 0.8).float().requires_grad_()
    grad = torch.randn((*shape[:3], shape[3] // 2, shape[4] // 2), generator=random)
    works = {"ours": passes("auto", x, grad), "torch": passes("eager", x, grad)}
    for ours, torchs in zip(works["ours"](), works["torch"](), strict=True):
        assert torch.equal(ours, torchs), "the kernel's bits are not torch's"
    there = x.detach(), torch.empty_like(x), torch.empty_like(grad)
    seconds = interleaved({**works, "copy": lambda: copied(*there)}, REPEATS)
    name = "pools/" + "x".join(map(str, shape))
    middle = {what: statistics.median(taken) for what, taken in seconds.items()}
    for what, taken in seconds.items():
        ms = [1e3 * s for s in taken]
        yield Figure(f"{name}/{what}", 1e3 * middle[what], "ms", None, min(ms), max(ms))
    yield Figure(f"{name}/ours over torch", middle["torch"] / middle["ours"], "times faster")
    yield Figure(f"{name}/copying over ours", middle["copy"] / middle["ours"], "share of the time")


def passes(mode: kernels.Mode, x: Tensor, grad: Tensor) -> Callable[[], tuple[Tensor, Tensor]]:
    """A pass forward and one backward: (output, gradient of x)."""
    layer = AvgPool2d(2)

    def run() -> tuple[Tensor, Tensor]:
        with kernels.asked(mode):
            y = layer(x)
        return y.detach(), torch.autograd.grad(y, x, grad)[0]

    return run


def copied(x: Tensor, large: Tensor, small: Tensor) -> None:
    """As many bytes as the two passes read and write, into memory that is there already."""
    large.copy_(x)
    small.copy_(x.flatten()[: small.numel()].view_as(small))
