"""How many samples a second each engine runs, on one conv net, outputs checked equal.

The net: 1 x 28 x 28, conv 16 - LIF - pool - conv 32 - LIF - pool - dense 10, T = 4, with random
weights and held images.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from ..backends import registry
from ..core.arrays import frozen
from ..core.network import Meaning, Network
from ..core.nodes import AvgPool2d, Conv, Flatten, Input, Linear, Neuron, Node, Output
from ..verify.prepare import prepare
from .figure import Figure, interleaved, rate

STEPS, BATCH = 4, 64
ENGINES = ("reference", "norse", "lava-float")


def network(width: int = 16) -> Network:
    """The net. width: channels of its first convolution; the second has twice as many."""
    random = np.random.default_rng(0)

    def conv(out: int, into: int) -> Conv:
        size = (out, into, 3, 3)
        weight = random.normal(0.02, 2 / (9 * into) ** 0.5, size)
        return Conv(frozen(weight), None, padding=(1, 1))

    def lif(*shape: int) -> Neuron:
        return Neuron(shape, frozen(0.5), frozen(1.0))

    nodes: dict[str, Node] = {
        "in": Input((1, 28, 28)),
        "conv1": conv(width, 1),
        "lif1": lif(width, 28, 28),
        "pool1": AvgPool2d((2, 2), (2, 2)),
        "conv2": conv(2 * width, width),
        "lif2": lif(2 * width, 14, 14),
        "pool2": AvgPool2d((2, 2), (2, 2)),
        "flat": Flatten(),
        "fc": Linear(frozen(random.normal(0, 0.05, (10, 98 * width)))),
        "out": Output((10,)),
    }
    names = list(nodes)
    return Network(nodes, tuple(zip(names, names[1:], strict=False)), Meaning(dt=1e-3))


def figures() -> Iterator[Figure]:
    """Samples a second of each engine."""
    net = network()
    images = np.random.default_rng(1).random((BATCH, 1, 28, 28))
    inputs = {"in": np.broadcast_to(images, (STEPS, *images.shape))}
    with ExitStack() as opened:
        sessions = {}
        for name in ENGINES:
            engine = registry.get(name)
            lowered = prepare(net, engine.capabilities()).network
            sessions[name] = opened.enter_context(engine.open(lowered))
        spikes = {n: s.run(inputs, ("lif2",)).spikes["lif2"] for n, s in sessions.items()}
        for name in ENGINES:
            assert (spikes[name] == spikes["reference"]).all(), name
        works = {n: (lambda s=s: s.run(inputs, ("lif2",))) for n, s in sessions.items()}
        for name, seconds in interleaved(works).items():
            yield rate(f"engines/{name}", BATCH, seconds, "samples/s")
