"""Cases of linear maps: convolutions, pools, norms."""

from dataclasses import replace

import numpy as np

from ...core.arrays import frozen
from ...core.nodes import (
    AvgPool2d,
    BatchNorm,
    Conv,
    Flatten,
    Input,
    MaxPool2d,
    Node,
    Output,
    SumPool2d,
)
from .building import SPIKES, Built, case, chain, conv, dense, lif


def conv_net(random: np.random.Generator, layer: Conv, bias: bool = False) -> Built:
    """spikes [2, 7, 6] -> conv -> lif -> flatten -> dense -> lif."""
    shape = layer.output_shape((2, 7, 6))
    size = int(np.prod(shape))
    nodes, edges = chain(
        ("in", Input((2, 7, 6), SPIKES)),
        ("conv", layer),
        ("one", lif(*shape)),
        ("flat", Flatten()),
        ("fc", dense(random, 5, size, bias)),
        ("two", lif(5)),
        ("out", Output((5,))),
    )
    return nodes, edges, {}


@case
def conv_padded(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 3), True, padding=(1, 1)))


@case
def conv_strided(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 3), stride=(2, 1), padding=(0, 1)))


@case
def conv_rectangular(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 5), True, padding=(1, 0)))


@case
def conv_dilated(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 2), dilation=(2, 1), padding=(1, 0)))


@case
def conv_groups(random: np.random.Generator) -> Built:
    return conv_net(random, conv(random, 4, 2, (3, 3), True, padding=(1, 1), groups=2))


def pooled(random: np.random.Generator, pool: Node, second: Conv, gain: float = 1.0) -> Built:
    """spikes [2, 8, 8] -> conv -> lif -> pool -> conv, its weights times gain -> lif."""
    second = replace(second, weight=frozen(gain * second.weight))
    after = pool.output_shape((3, 8, 8))
    shape = second.output_shape(after)
    nodes, edges = chain(
        ("in", Input((2, 8, 8), SPIKES)),
        ("conv1", conv(random, 3, 2, (3, 3), padding=(1, 1))),
        ("one", lif(3, 8, 8)),
        ("pool", pool),
        ("conv2", second),
        ("two", lif(*shape)),
        ("out", Output(shape)),
    )
    return nodes, edges, {}


@case
def sum_pool(random: np.random.Generator) -> Built:
    return pooled(random, SumPool2d((2, 2), (2, 2)), conv(random, 4, 3, (3, 3), padding=(1, 1)))


@case
def avg_pool(random: np.random.Generator) -> Built:
    return pooled(random, AvgPool2d((2, 2), (2, 2)), conv(random, 4, 3, (3, 3), True))


@case
def sum_pool_overlapping(random: np.random.Generator) -> Built:
    return pooled(random, SumPool2d((3, 3), (2, 2)), conv(random, 4, 3, (2, 2)))


@case
def sum_pool_padded(random: np.random.Generator) -> Built:
    return pooled(random, SumPool2d((3, 2), (2, 2), (1, 1)), conv(random, 4, 3, (2, 2)))


@case
def max_pool(random: np.random.Generator) -> Built:
    return pooled(random, MaxPool2d((2, 2), (2, 2)), conv(random, 4, 3, (3, 3), padding=(1, 1)))


@case
def pool_into_dense(random: np.random.Generator) -> Built:
    nodes, edges = chain(
        ("in", Input((2, 4, 6), SPIKES)),
        ("conv", conv(random, 3, 2, (3, 3), padding=(1, 1))),
        ("one", lif(3, 4, 6)),
        ("pool", AvgPool2d((2, 2), (2, 2))),
        ("flat", Flatten()),
        ("fc", dense(random, 5, 18, True)),
        ("two", lif(5)),
        ("out", Output((5,))),
    )
    return nodes, edges, {}


@case
def batch_norm(random: np.random.Generator) -> Built:
    norm = BatchNorm(
        frozen(random.uniform(0.5, 1.5, 4)),
        frozen(random.normal(0.2, 0.2, 4)),
        frozen(random.normal(0, 0.3, 4)),
        frozen(random.uniform(0.3, 2, 4)),
        1e-5,
    )
    nodes, edges = chain(
        ("in", Input((2, 5, 5), SPIKES)),
        ("conv", conv(random, 4, 2, (3, 3), padding=(1, 1))),
        ("norm", norm),
        ("one", lif(4, 5, 5)),
        ("out", Output((4, 5, 5))),
    )
    return nodes, edges, {}


@case
def conv1d(random: np.random.Generator) -> Built:
    nodes, edges = chain(
        ("in", Input((3, 12), SPIKES)),
        ("conv", conv(random, 4, 3, (3,), True, stride=(2,), padding=(1,))),
        ("one", lif(4, 6)),
        ("out", Output((4, 6))),
    )
    return nodes, edges, {}
