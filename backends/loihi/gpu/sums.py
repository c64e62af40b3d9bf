"""Synapses on a device: whole numbers in, exact sums out, as products of matrices.

In int8 where Triton runs and all numbers fit (`whole`). Else in float32 while the bound of the sum
is below 2^24, in float64 beyond; sums of whole numbers are exact there in whatever order, fused or
not, as long as the product is IEEE's own (`device.exact_products`). A convolution is a product over
windows laid out one after the other, never a library's own convolution: that may choose an
algorithm (Winograd, FFT) whose intermediate numbers are not whole.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ....core.arrays import Numbers, Shape
from ....core.chip_nodes import ChipSynapse
from ....core.loihi import shifted_sum
from ....core.nodes import Conv, Linear, Node, Pool, SumPool2d
from ..bounds import FLOAT32
from ..sums import pair, taken_apart
from .bring import brought
from .device import engine
from .whole import Products, fits

WINDOWS = 1 << 28  # numbers laid out at once


class DeviceSynapse:
    """One synapse node. Bounds: heard of |input|, bound of |sum| before its exponent."""

    def __init__(
        self,
        node: ChipSynapse,
        shape: Shape,
        heard: int,
        bound: int,
        device: str,
        kernel: str = "fused",
    ) -> None:
        self.node = node
        kind = torch.float32 if bound < FLOAT32 else torch.float64
        if engine(device, kernel) == "triton" and fits(node.synapse, heard):
            assert isinstance(node.synapse, Linear | Conv)
            kind = torch.int8
            self.inner: Any = Products(node.synapse, shape, node.synapse.weight, device)
        else:
            self.inner = made(node.synapse, shape, kind, device)
        bias = getattr(node.synapse, "bias", None)
        self.bias = None if bias is None else tensor(bias, torch.int32, device)
        self.way = f"products in {str(kind).removeprefix('torch.')}"

    def run(self, x: Tensor) -> Tensor:
        """x [T, B, *in] (channels last) -> sums [T, B, *out] of whole numbers: float32 or int32."""
        lead = x.shape[:2]
        total: Tensor = self.inner.run(x.reshape(-1, *x.shape[2:]))
        if total.dtype == torch.float64:
            total = total.int()
        if self.bias is not None:
            total = total + self.bias.to(total.dtype)
        if self.node.weight_exp:  # the bound holds after it, too
            total = shifted_sum(total.int(), self.node.weight_exp)
        return total.reshape(*lead, *total.shape[1:])


class Dense:
    """x [M, N] -> [M, O]."""

    def __init__(self, node: Linear, kind: torch.dtype, device: str) -> None:
        self.weight = tensor(node.weight.T, kind, device)

    def run(self, x: Tensor) -> Tensor:
        """Sums."""
        return in_parts(lambda part: part.to(self.weight.dtype) @ self.weight, x)


class Convolution:
    """x [M, *space, C] -> [M, *space, O]. A single axis becomes the plain form."""

    def __init__(self, node: Conv, shape: Shape, kind: torch.dtype, device: str) -> None:
        self.one_axis = node.weight.ndim == 3
        weight = node.weight[:, :, None] if self.one_axis else node.weight
        sizes = [pair_of(getattr(node, key), self.one_axis, still) for key, still in KEYS]
        stride, padding, self.dilation = sizes
        self.pool = (1, 1)
        space = (1, *shape[1:]) if self.one_axis else shape[1:]
        if node.groups == 1 and self.dilation == (1, 1):
            self.pool, weight = taken_apart(weight, stride, padding, space)
        self.stride = stride[0] // self.pool[0], stride[1] // self.pool[1]
        self.padding = padding[0] // self.pool[0], padding[1] // self.pool[1]
        self.kernel = weight.shape[2:]
        self.groups = node.groups
        self.weight = tensor(by_group(weight, node.groups), kind, device)

    def run(self, x: Tensor) -> Tensor:
        """Sums."""
        flat = x[:, None] if self.one_axis else x
        if self.pool != (1, 1):
            flat = pooled(flat, self.pool, self.pool, (0, 0))
        seen = windows(flat, self.kernel, self.stride, self.padding, self.dilation)
        out = in_parts(self.product, seen)
        return out[:, 0] if self.one_axis else out

    def product(self, seen: Tensor) -> Tensor:
        """[M, H', W', ky, kx, C] -> [M, H', W', O]."""
        lead, groups = seen.shape[:3], self.groups
        rows = seen.reshape(lead.numel(), *self.kernel, groups, -1)
        rows = rows.permute(3, 0, 1, 2, 4).reshape(groups, lead.numel(), -1)
        total = rows.to(self.weight.dtype) @ self.weight  # [G, M H' W', O / G]
        return total.permute(1, 0, 2).reshape(*lead, -1)


KEYS = (("stride", 1), ("padding", 0), ("dilation", 1))  # what the axis has that is added


class Sum:
    """A sum pool: x [M, H, W, C] -> [M, H', W', C]."""

    def __init__(self, node: Pool) -> None:
        self.sizes = pair(node.kernel), pair(node.stride), pair(node.padding)

    def run(self, x: Tensor) -> Tensor:
        """Sums."""
        return pooled(x, *self.sizes)


def made(node: Node, shape: Shape, kind: torch.dtype, device: str) -> Any:
    """What computes a synapse's sums."""
    if isinstance(node, Linear):
        return Dense(node, kind, device)
    if isinstance(node, Conv):
        return Convolution(node, shape, kind, device)
    assert isinstance(node, SumPool2d)
    return Sum(node)


def in_parts(work: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """work(x) along the first axis, as many rows at once as fit the bound."""
    rows = max(1, WINDOWS // max(1, x[:1].numel()))
    return torch.cat([work(x[at : at + rows]) for at in range(0, len(x), rows)])


def tensor(values: Numbers, kind: torch.dtype, device: str) -> Tensor:
    """Whole numbers on the device."""
    return brought(values, device).to(kind)


def pair_of(sizes: Any, one_axis: bool, still: int) -> tuple[int, int]:
    """Of two axes; where there is one, the other is added."""
    return (still, int(sizes[0])) if one_axis else pair(sizes)


def by_group(weight: Numbers, groups: int) -> Numbers:
    """[O, C / G, ky, kx] -> [G, ky kx C / G, O / G]."""
    each = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
    laid = each.transpose(0, 3, 4, 2, 1)
    return laid.reshape(groups, -1, laid.shape[-1])


def windows(
    x: Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Tensor:
    """What every output sees: x [M, H, W, C] -> [M, H', W', ky, kx, C], a view of padded x."""
    (py, px), (sy, sx), (dy, dx) = padding, stride, dilation
    count, height, width, channels = x.shape
    if py or px:
        wide = x.new_zeros(count, height + 2 * py, width + 2 * px, channels)
        wide[:, py : py + height, px : px + width] = x
        x = wide
    x = x.contiguous()
    rows, columns = (
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[1:3], kernel, stride, dilation, strict=True)
    )
    each, line, point, one = x.stride()
    return x.as_strided(
        (count, rows, columns, *kernel, channels),
        (each, line * sy, point * sx, line * dy, point * dx, one),
    )


def pooled(
    x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Sums of neighbours, int32: x [M, H, W, C] -> [M, H', W', C]."""
    return windows(x, kernel, stride, padding).sum((3, 4), dtype=torch.int32)
