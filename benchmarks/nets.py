"""The nets that are measured: shapes that papers and Lava's users run, with random weights."""

from collections.abc import Mapping

import numpy as np

from ..core.arrays import frozen
from ..core.network import Meaning, Network
from ..core.nodes import AvgPool2d, Conv, Flatten, Input, Linear, Neuron, Node, Output


def conv_net(width: int = 16) -> Network:
    """1 x 28 x 28 spikes, conv `width` - LIF - pool - conv 2 `width` - LIF - pool - dense 10 - LIF;
    3 x 3 kernels, padding 1."""
    random = np.random.default_rng(0)
    wide = 2 * width

    def conv(out: int, into: int) -> Conv:
        weight = random.normal(0.05, 2 / (9 * into) ** 0.5, (out, into, 3, 3))
        return Conv(frozen(weight), None, padding=(1, 1))

    return chain(
        {
            "in": Input((1, 28, 28), "spikes"),
            "conv1": conv(width, 1),
            "lif1": lif(width, 28, 28),
            "pool1": AvgPool2d((2, 2), (2, 2)),
            "conv2": conv(wide, width),
            "lif2": lif(wide, 14, 14),
            "pool2": AvgPool2d((2, 2), (2, 2)),
            "flat": Flatten(),
            "fc": Linear(frozen(random.normal(0, 0.1, (10, wide * 49)))),
            "lif3": lif(10),
            "out": Output((10,)),
        }
    )


def dense_net(width: int = 256) -> Network:
    """784 spikes, dense `width` - LIF - dense 10 - LIF."""
    random = np.random.default_rng(0)
    return chain(
        {
            "in": Input((784,), "spikes"),
            "fc1": Linear(frozen(random.normal(0.02, 0.2, (width, 784)))),
            "lif1": lif(width),
            "fc2": Linear(frozen(random.normal(0.0, 0.3, (10, width)))),
            "lif2": lif(10),
            "out": Output((10,)),
        }
    )


def lif(*shape: int) -> Neuron:
    """A leak of one half and a threshold of one."""
    return Neuron(shape, frozen(0.5), frozen(1.0))


def chain(nodes: Mapping[str, Node]) -> Network:
    """One node after the other."""
    names = list(nodes)
    return Network(dict(nodes), tuple(zip(names, names[1:], strict=False)), Meaning(dt=1e-3))
