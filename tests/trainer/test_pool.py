"""The pool kernel against torch's pool: the same bits, signs of zeros included."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from spikeport.trainer import kernels, layers
from spikeport.trainer.kernels import pool

Windows = int | tuple[int, int]
WINDOWS: dict[str, tuple[Windows, tuple[int, ...]]] = {  # of [T, B, C, H, W]
    "2 x 2": (2, (3, 2, 4, 48, 48)),
    "what is left over": (2, (3, 2, 5, 39, 45)),
    "higher than wide": ((3, 2), (3, 2, 5, 40, 41)),
    "the whole": (7, (4, 8, 32, 7, 7)),
}


def ran(layer: layers.AvgPool2d, x: Tensor, mode: kernels.Mode) -> tuple[Tensor, Tensor]:
    """The output, and the gradient of x for one of the output with zeros of both signs in it."""
    x = x.detach().requires_grad_()
    with kernels.asked(mode):
        y = layer(x)
    grad = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view(y.shape)
    grad = torch.where(grad.abs() < 0.3, grad * 0, grad)
    return y.detach(), torch.autograd.grad(y, x, grad)[0]


def same(found: Tensor, wanted: Tensor) -> bool:
    return torch.equal(found, wanted) and torch.equal(found.signbit(), wanted.signbit())


def signal(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers in the first step, spikes in the second, the negative zero in the third."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    x[1] = (x[1] > 0.5).to(dtype)
    x[2] = -0.0
    return x


def is_ours(layer: layers.AvgPool2d, x: Tensor) -> bool:
    """Whether the kernel pools x [N, C, H, W]."""
    window = pool.window_of(layer)
    return window is not None and pool.fused(x, window)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", [layers.AvgPool2d, layers.SumPool2d])
@pytest.mark.parametrize("case", WINDOWS)
def test_bits_are_torchs(case: str, kind: type[layers.AvgPool2d], dtype: torch.dtype) -> None:
    size, shape = WINDOWS[case]
    layer, x = kind(size), signal(shape, dtype)
    assert is_ours(layer, x.flatten(0, 1))
    for found, wanted in zip(ran(layer, x, "auto"), ran(layer, x, "eager"), strict=True):
        assert same(found, wanted)


def test_bits_do_not_depend_on_threads() -> None:
    x = signal((5, 7, 8, 64, 62))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(ran(layers.AvgPool2d(2), x, "auto"))
    finally:
        torch.set_num_threads(before)
    for others in found[1:]:
        assert all(same(a, b) for a, b in zip(others, found[0], strict=True))


@pytest.mark.parametrize(
    "layer",
    [
        layers.AvgPool2d(3, 2),
        layers.AvgPool2d(2, padding=1),
        layers.AvgPool2d(2, ceil_mode=True),
        layers.SumPool2d(2, 3),
    ],
    ids=["overlap", "padding", "over the border", "apart"],
)
def test_other_windows_are_left_to_torch(layer: layers.AvgPool2d) -> None:
    x = signal((3, 2, 5, 49, 39))
    assert pool.window_of(layer) is None
    found = layer(x).flatten(0, 1)
    assert same(found, super(layers.AvgPool2d, layer).forward(x.flatten(0, 1)))


@pytest.mark.parametrize(
    "laid",
    [
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x[:, :, ::2],
        lambda x: x.bfloat16(),
        lambda x: x[:1, :1],
    ],
    ids=["channels last", "with gaps", "bfloat16", "small"],
)
def test_other_memory_is_left_to_torch(laid: Callable[[Tensor], Tensor]) -> None:
    x = laid(signal((6, 8, 48, 48)))
    layer = layers.AvgPool2d(2)
    assert not is_ours(layer, x)
    assert same(pool.pooled(layer, x), super(layers.AvgPool2d, layer).forward(x))


def test_a_divisor_of_zero_is_torchs_error() -> None:
    layer = layers.AvgPool2d(2, divisor_override=0)
    with pytest.raises(RuntimeError, match="divisor must be not zero"):
        layer(signal((3, 2, 8, 48, 48)))


def test_a_window_larger_than_the_input_is_torchs_error() -> None:
    with pytest.raises(RuntimeError, match="too small"):
        layers.AvgPool2d(50)(signal((3, 2, 8, 48, 48)))


def test_a_held_input_and_a_held_gradient() -> None:
    """The input is pooled once; the gradient of a mean has no memory of its own."""
    image = signal((6, 8, 48, 48)).requires_grad_()
    found = []
    for mode in ("auto", "eager"):
        with kernels.asked(mode):
            y = layers.AvgPool2d(2)(layers.held(image, 5))
        assert layers.is_static(y)
        found.append(torch.autograd.grad(y.mean(), image)[0])
    assert same(*found)


def test_the_gradient_has_a_gradient() -> None:
    """The pool of a pool's gradient, as of torch's."""
    x = signal((3, 8, 48, 48), torch.float64)
    found = []
    for mode in ("auto", "eager"):
        given = x.clone().requires_grad_()
        with kernels.asked(mode):
            y = pool.pooled(layers.AvgPool2d(2), given)
            (once,) = torch.autograd.grad(y.square().sum(), given, create_graph=True)
            found.append(torch.autograd.grad(once.square().sum(), given)[0])
    assert same(*found)
