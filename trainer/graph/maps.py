"""The maps of a graph in torch, time first, and the weights that are trained.

In real numbers a map computes in its input's type. For a network in the chip's integers the
host's maps compute in float64, as the engines do, and the chip's synapses in whole numbers, in
the smallest float type that holds their largest sum exactly.
"""

import math
from platform import machine
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor, nn

from ...core import loihi
from ...core.arrays import Array
from ...core.chip_nodes import ChipSynapse
from ...core.errors import UnsupportedNode
from ...core.nodes import AvgPool2d, Conv, Flatten, Linear, Node, SumPool2d
from ..layers import over_time
from ..spike_bytes import alike
from .straight import through

EXACT = 1 << 24  # whole numbers below this are exact in float32, whatever the order of a sum


def applied(node: Node, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """What a node makes of x [N, *shape] with these numbers in place of its own."""
    match node:
        case Linear():
            assert weight is not None
            return F.linear(x, weight, bias)
        case Conv():
            assert weight is not None
            conv: Any = F.conv2d if weight.ndim == 4 else F.conv1d
            how = tuple(node.stride), tuple(node.padding), tuple(node.dilation), node.groups
            return conv(x, weight, bias, *how)  # type: ignore[no-any-return]
        case AvgPool2d() | SumPool2d():
            divisor = 1 if isinstance(node, SumPool2d) else None
            kernel, stride, padding = node.kernel, node.stride, node.padding
            return F.avg_pool2d(x, kernel, stride, padding, divisor_override=divisor)
        case Flatten():
            first, last = (d if d < 0 else d + 1 for d in (node.start_dim, node.end_dim))
            return x.flatten(first, last)
        case _:
            raise UnsupportedNode(f"{node.kind} cannot be trained on; lower it first")


class Map(nn.Module):
    """A node without state. trained: its weight and bias are parameters; else they stay.

    exactly: compute in float64, whatever comes in.
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, node: Node, trained: bool, exactly: bool = False) -> None:
        super().__init__()
        self.node = node
        self.exactly = exactly
        for name in ("weight", "bias"):
            values: Array | None = getattr(node, name, None)
            tensor = None if values is None else torch.tensor(values, dtype=torch.float32)
            if tensor is not None and trained:
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def forward(self, x: Tensor) -> Tensor:
        """[T, B, *in] -> [T, B, *out]."""
        return over_time(self.once, x)

    def once(self, x: Tensor) -> Tensor:
        """One step, or all steps as one batch: [N, *in] -> [N, *out]."""
        kind = torch.float64 if self.exactly else x.dtype
        weight, bias = (None if v is None else v.to(kind) for v in (self.weight, self.bias))
        return applied(self.node, alike(x.to(kind), x), weight, bias)


class ChipMap(Map):
    """A synapse of the chip. Its real weight is what is trained; what it multiplies by is the
    weight that the chip keeps of it. Its bias is its population's.

    heard: bound of |input|.
    """

    def __init__(self, node: Node, chip: ChipSynapse, trained: bool, heard: int) -> None:
        super().__init__(node, trained)
        self.chip = chip
        self.largest = heard * fan_in(node, chip)
        self.kind = torch.float32 if self.largest < EXACT else torch.float64

    @property
    def bound(self) -> int:
        """Bound of |output|."""
        return max(self.largest, self.largest << max(self.chip.weight_exp, 0))

    def whole(self) -> Tensor | None:
        """The weights on the chip's grid, in float64; None of a pool, whose weights are 1."""
        if self.weight is None:
            return None
        scale = torch.tensor(self.chip.scale, device=self.weight.device)  # float64, whatever we are
        if scale.ndim:
            scale = scale.reshape(-1, *(1,) * (self.weight.ndim - 1))
        units = self.weight.double() * scale / 2.0**self.chip.weight_exp
        bits, mode = self.chip.weight_bits, self.chip.sign_mode
        kept: Tensor = through(lambda w: loihi.nearest_weight(w, bits, mode))(units)
        return kept

    def once(self, x: Tensor) -> Tensor:
        # elsewhere float32 may mean TF32, or a transform with fractions: there, float64
        kind = self.kind if x.device.type == "cpu" and sums_as_written() else torch.float64
        weight = self.whole()
        weight = None if weight is None else weight.to(kind)
        total = applied(self.node, alike(x.to(kind), x), weight, None)
        exp = self.chip.weight_exp
        if exp == 0:
            return total
        if self.bound >= EXACT:
            total = total.double()
        shifted: Tensor = through(lambda s: loihi.shifted_sum(s, exp), 2.0**exp)(total)
        return shifted


def sums_as_written() -> bool:
    """Whether torch's float32 convolution on the processor adds up products, as oneDNN's does on
    x86; NNPACK's and those on ARM may go by Winograd, which float64 never does."""
    onednn: Any = torch.backends.mkldnn
    return machine() in ("x86_64", "AMD64") and bool(onednn.is_available() and onednn.enabled)


def fan_in(node: Node, chip: ChipSynapse) -> int:
    """The largest sum of |weights| into one output that the grid allows."""
    if isinstance(node, SumPool2d):
        return math.prod(node.kernel)
    assert isinstance(node, Linear | Conv)
    low, high = loihi.grid_ends(chip.weight_bits, chip.sign_mode)
    return max(-low, high) * math.prod(node.weight.shape[1:])
