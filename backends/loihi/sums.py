"""Synapses: whole numbers in, exact sums out, for all steps and samples at once.

Two ways to the same integers. Dense: a convolution or product in float32 while the bound of the
sum is below 2^24, in float64 beyond, on torch; sums of whole numbers are exact there whatever
their order. A convolution that torch may do by a transform is computed in float64. By events
(numba), where little arrives: work grows with the spikes. A convolution that came from merging a
pool into it (kernel kron(W, ones(k, k))) is taken apart again: summing first is k^2 times less
work and the same integers.
"""

from platform import machine
from typing import Any

import numpy as np

from ...core.arrays import Numbers, Shape
from ...core.chip_nodes import ChipSynapse
from ...core.errors import UnsupportedNode
from ...core.loihi import shifted_sum
from ...core.nodes import Conv, Linear, Node, Pool, SumPool2d
from . import events
from .bounds import FLOAT32, INT16
from .threads import torch_or_none

# share of inputs that arrive below which events win, by the type of their sums; measured
EVENTS_BELOW = {
    ("Linear", np.int16): 0.6,
    ("Linear", np.int32): 0.25,
    ("Conv", np.int16): 0.3,
    ("Conv", np.int32): 0.15,
    ("narrow Conv", np.int16): 0.05,
    ("narrow Conv", np.int32): 0.03,
}
X86 = ("x86_64", "AMD64")
NARROW = 32  # output channels below which a kernel's rows are too short to be added up fast


class Synapse:
    """One synapse node. `heard`: bound of |input|; `bound`: of the sum before its exponent."""

    def __init__(self, node: ChipSynapse, shape: Shape, heard: int, bound: int) -> None:
        self.node = node
        self.heard = heard
        self.bound = bound
        self.exact32 = bound < FLOAT32
        self.torch = torch_or_none()
        self.inner = made(node.synapse, shape, self)
        self.way = "none yet"  # what ran last, for reports

    def run(self, x: Numbers) -> Numbers:
        """x [T, B, *in] (channels last) -> sums [T, B, *out] of whole numbers: float32, int16 or
        int32."""
        lead = x.shape[:2]
        flat = x.reshape(-1, *x.shape[2:])
        total = self.inner.run(flat)
        if self.inner.bias is not None:
            total += self.inner.bias.astype(total.dtype)
        if self.node.weight_exp:  # the bound holds after it, too
            total = shifted_sum(total.astype(np.int32, copy=False), self.node.weight_exp)
        return np.ascontiguousarray(total).reshape(*lead, *total.shape[1:])

    def rare(self, x: Numbers, kind: str, sums: Any) -> bool:
        """Whether so little arrives that events win."""
        if self.torch is None:
            return True
        return bool(np.count_nonzero(x) < EVENTS_BELOW[kind, sums] * x.size)

    def told(self, way: str, kind: Any) -> None:
        """Keep how it ran."""
        self.way = f"{way} in {np.dtype(kind).name}"

    def tensor(self, x: Numbers) -> Any:
        """As a float tensor that holds the sums exactly."""
        kind = self.torch.float32 if self.exact32 else self.torch.float64
        whole = np.require(x, requirements=("C", "W"))
        return self.torch.from_numpy(whole).to(kind)

    def numbers(self, total: Any) -> Numbers:
        """A tensor of sums; float64 ones become int32, which the bound allows."""
        found: Numbers = total.numpy()
        self.told("dense", found.dtype)
        return found if found.dtype == np.float32 else found.astype(np.int32)


class Dense:
    """x [M, N] -> [M, O]."""

    def __init__(self, node: Linear, owner: Synapse) -> None:
        self.owner = owner
        self.bias = None if node.bias is None else node.bias.astype(np.int32)
        rows = np.ascontiguousarray(node.weight.T)
        most = int(np.abs(node.weight).max(initial=0)) * owner.heard
        self.group = (INT16 - 1) // max(most, 1)
        self.kind: Any = np.int16
        if self.group < 2 * events.AHEAD or max(most, owner.heard) >= INT16:
            self.kind, self.group = np.int32, len(rows) + 1
        self.rows = rows.astype(self.kind)
        self.weight = None if owner.torch is None else owner.tensor(rows)

    def run(self, x: Numbers) -> Numbers:
        """Sums."""
        if self.owner.rare(x, "Linear", self.kind):
            self.owner.told("events", self.kind)
            out = np.empty((len(x), self.rows.shape[1]), np.int32)
            run = events.dense(binary(x, self.owner.heard), self.kind)
            run(x, self.rows, out, self.group)
            return out
        return self.owner.numbers(self.owner.tensor(x) @ self.weight)


class Convolution:
    """x [M, *space, C] -> [M, *space, O]. Groups and a single axis become the plain form."""

    def __init__(self, node: Conv, owner: Synapse, shape: Shape) -> None:
        self.owner = owner
        self.one_axis = node.weight.ndim == 3
        weight = node.weight[:, :, None] if self.one_axis else node.weight
        sizes = [tuple(getattr(node, key)) for key in ("stride", "padding", "dilation")]
        if self.one_axis:
            sizes = [(1, *sizes[0]), (0, *sizes[1]), (1, *sizes[2])]
        stride, padding, self.dilation = ((int(a), int(b)) for a, b in sizes)
        self.groups = node.groups
        self.bias = None if node.bias is None else node.bias.astype(np.int32)
        self.out = (
            (1, *node.output_shape(shape)[1:]) if self.one_axis else node.output_shape(shape)[1:]
        )
        self.outputs = len(weight)
        self.name = "Conv" if self.outputs >= NARROW else "narrow Conv"
        self.pool = (1, 1)
        space = (1, *shape[1:]) if self.one_axis else shape[1:]
        if node.groups == 1 and self.dilation == (1, 1):
            self.pool, weight = taken_apart(weight, stride, padding, space)
        self.stride = (stride[0] // self.pool[0], stride[1] // self.pool[1])
        self.padding = (padding[0] // self.pool[0], padding[1] // self.pool[1])
        self.heard = owner.heard * self.pool[0] * self.pool[1]
        narrow = max(owner.bound, self.heard) < INT16
        self.kind: Any = np.int16 if narrow else np.int32
        self.rows = None if node.groups > 1 else rows_of(weight).astype(self.kind)
        self.weight = None if owner.torch is None else owner.tensor(weight)

    def run(self, x: Numbers) -> Numbers:
        """Sums."""
        flat = x[:, None] if self.one_axis else x
        if self.pool != (1, 1):
            flat = pooled(flat, self.pool, self.pool, self.heard)
        if self.rows is not None and self.owner.rare(flat, self.name, self.kind):
            self.owner.told("events", self.kind)
            out = np.empty((len(flat), *self.out, self.outputs), self.kind)
            run = events.conv(binary(flat, self.heard), self.kind)
            run(flat, self.rows, out, self.stride, self.padding, self.dilation)
        else:
            out = self.dense(flat)
        return out[:, 0] if self.one_axis else out

    def dense(self, x: Numbers) -> Numbers:
        """On torch; memory stays channels last."""
        torch = self.owner.torch
        if torch is None:
            raise UnsupportedNode(
                "backend 'loihi' needs torch for a convolution with groups: "
                "pip install 'spikeport[loihi]'"
            )
        weight: Any = self.weight
        maps = self.owner.tensor(x).permute(0, 3, 1, 2)
        if not sums_as_written(torch):
            maps, weight = maps.double(), weight.double()
        total = torch.nn.functional.conv2d(
            maps, weight, None, self.stride, self.padding, self.dilation, self.groups
        )
        return self.owner.numbers(total.permute(0, 2, 3, 1))


def sums_as_written(torch: Any) -> bool:
    """Whether torch's float32 convolution adds up products, as oneDNN's does on x86. Without
    oneDNN it may be NNPACK's, on ARM oneDNN's or torch's own by Winograd, whose intermediate
    numbers are fractions; in float64 torch has no such way."""
    onednn = torch.backends.mkldnn
    return machine() in X86 and bool(onednn.is_available() and onednn.enabled)


def binary(x: Numbers, heard: int) -> bool:
    """Whether nothing but 0 and 1 can arrive; a bound of 1 alone lets -1 through."""
    return heard == 1 and x.dtype == np.uint8


def pooled(x: Numbers, size: tuple[int, int], stride: tuple[int, int], bound: int) -> Numbers:
    """Sums of neighbours: x [M, H, W, C] -> [M, H', W', C], uint8 where the bound allows."""
    kind: Any = np.uint8 if x.dtype == np.uint8 and bound < 256 else np.int32
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(x.shape[1:3], size, stride, strict=True))
    out = np.empty((len(x), rows, columns, x.shape[3]), kind)
    events.pool(kind)(x, out, size, stride)
    return out


class Sum:
    """A sum pool: x [M, H, W, C] -> [M, H', W', C]."""

    def __init__(self, node: Pool, owner: Synapse) -> None:
        self.node = node
        self.owner = owner
        self.bias = None

    def run(self, x: Numbers) -> Numbers:
        """Sums."""
        (py, px), kernel, stride = self.node.padding, self.node.kernel, self.node.stride
        if py or px:
            x = np.pad(x, ((0, 0), (py, py), (px, px), (0, 0)))
        total = pooled(x, pair(kernel), pair(stride), self.owner.bound)
        self.owner.told("direct", total.dtype)
        return total


def pair(sizes: Any) -> tuple[int, int]:
    """Two plain whole numbers, as the kernels take them."""
    first, second = sizes
    return int(first), int(second)


def made(node: Node, shape: Shape, owner: Synapse) -> Any:
    """What computes a synapse's sums."""
    if isinstance(node, Linear):
        return Dense(node, owner)
    if isinstance(node, Conv):
        return Convolution(node, owner, shape)
    assert isinstance(node, SumPool2d)
    return Sum(node, owner)


def rows_of(weight: Numbers) -> Numbers:
    """[O, C, ky, kx] -> [ky, kx, C, O]."""
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0))


def taken_apart(
    weight: Numbers, stride: tuple[int, int], padding: tuple[int, int], space: Shape
) -> tuple[tuple[int, int], Numbers]:
    """(pool, small kernel) such that weight = kron(small, ones(pool)) and summing first gives
    the same map; the pool is (1, 1) where there is none."""
    pools = []
    for axis in (0, 1):
        size = weight.shape[2 + axis]
        found = 1
        for k in range(size, 1, -1):
            fits = size % k == 0 and stride[axis] % k == 0 and padding[axis] % k == 0
            whole = space[axis] % k == 0 or padding[axis] == 0
            if fits and whole and repeats(weight, k, axis):
                found = k
                break
        pools.append(found)
    small = weight[:, :, :: pools[0], :: pools[1]]
    return (pools[0], pools[1]), np.ascontiguousarray(small)


def repeats(weight: Numbers, k: int, axis: int) -> bool:
    """Whether every k entries along a kernel axis are the same."""
    first = np.take(weight, range(0, weight.shape[2 + axis], k), axis=2 + axis)
    return bool((first.repeat(k, axis=2 + axis) == weight).all())
