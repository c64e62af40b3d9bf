"""The arithmetic once more, by itself: Loihi's neuron, dense and convolutional synapses written
from what Lava's bit-accurate models do, with nothing of core.loihi, its interpreter or its nodes'
maps. The emulator must give its u, v and spikes at every step, where Lava is not installed too."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from spikeport.backends.loihi.engine import KERNELS, Loihi
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from spikeport.core.errors import QuantisationError
from spikeport.core.loihi import SignMode
from spikeport.core.network import Network
from spikeport.core.nodes import Conv, Flatten, Input, Linear, Node, Output

ENDS = {"MIXED": (-256, 255), "EXCITATORY": (0, 255), "INHIBITORY": (-255, 0)}


def edges(random: Any, least: int, most: int, shape: tuple[int, ...] = ()) -> Any:
    """Whole numbers from all of a range, its ends often."""
    ends = random.choice([least, most], shape)
    return np.where(random.random(shape) < 0.35, ends, random.integers(least, most + 1, shape))


def to_zero(x: Any) -> Any:
    """A product of 24 and 12 bits without its low 12, towards zero."""
    return np.sign(x) * (np.abs(x) >> 12)


class Neurons:
    """Drawn registers, and the state."""

    def __init__(self, random: Any, shape: tuple[int, ...], batch: int) -> None:
        each = shape if random.random() < 0.4 else ()
        self.du = edges(random, 0, 4095, each) if random.random() < 0.7 else np.array(4095)
        self.dv = edges(random, 0, 4095, each)
        self.vth = edges(random, 0, 131071 if random.random() < 0.3 else 3000, each)
        self.mant = edges(random, *((-4096, 4095) if random.random() < 0.5 else (-300, 300)), each)
        self.exp = int(random.integers(0, 8))
        self.u = self.v = np.zeros((batch, *shape), np.int64)
        self.seen: list[Any] = []
        self.node = ChipNeuron(shape, self.du, self.dv, self.vth, self.mant, self.exp)

    def step(self, drive: Any) -> Any:
        """One step; spikes."""
        u = to_zero(self.u * (4096 - (self.du + 1))) + (drive << 6)
        self.u = np.where(u > 1 << 23, u - (1 << 24), np.where(u <= -(1 << 23), u + (1 << 24), u))
        v = to_zero(self.v * (4096 - self.dv)) + self.u + (self.mant << self.exp)
        v = np.minimum(np.maximum(v, 1 - (1 << 23)), (1 << 23) - 1)
        fired = v > (self.vth << 6)
        self.v = np.where(fired, 0, v)
        self.seen.append((fired, self.u, self.v))
        return fired.astype(np.int64)


def kept_weights(random: Any, shape: tuple[int, ...]) -> Any:
    """(weights without their low bits, bits, signs)."""
    signs, bits = str(random.choice(list(ENDS))), int(random.integers(1, 9))
    low = 8 - bits + (signs == "MIXED")
    drawn = edges(random, *ENDS[signs], shape)
    weight = -((-drawn >> low) << low) if signs == "INHIBITORY" else (drawn >> low) << low
    return weight, bits, SignMode[signs]


def convolved(x: Any, weight: Any, told: Any) -> Any:
    """Tap by tap; x [B, C, H, W]."""
    (sy, sx), (py, px), (dy, dx), groups = told
    out, per, taps_y, taps_x = weight.shape
    x = np.pad(x, ((0, 0), (0, 0), (py, py), (px, px)))
    rows = (x.shape[2] - dy * (taps_y - 1) - 1) // sy + 1
    columns = (x.shape[3] - dx * (taps_x - 1) - 1) // sx + 1
    total = np.zeros((len(x), out, rows, columns), np.int64)
    for o, c, i, j in np.ndindex(*weight.shape):
        seen = x[:, o // (out // groups) * per + c, i * dy :: sy, j * dx :: sx]
        total[:, o] += weight[o, c, i, j] * seen[:, :rows, :columns]
    return total


class Net:
    """A random chain of one to three populations; what goes in may wrap the first one's current."""

    def __init__(self, seed: int) -> None:
        self.random: Any = np.random.default_rng(seed)
        self.batch, self.steps = (int(self.random.integers(1, n)) for n in (4, 20))
        self.shape: tuple[int, ...] = (2, *map(int, self.random.integers(3, 8, 2)))
        if self.random.random() < 0.4:
            self.shape = (int(self.random.integers(1, 20)),)
        self.scale = float(self.random.choice([100, 1 << 17, 1 << 18]))
        self.nodes: dict[str, Node] = {"in": Input(self.shape)}
        self.nodes["to"] = ToChip(self.shape, self.scale)
        size = (self.steps, self.batch, *self.shape)
        drawn = self.random.uniform(-1, 1, size)
        self.x = np.where(self.random.random(size) < 0.3, np.sign(drawn), drawn)
        self.populations: dict[str, Neurons] = {}
        self.ways: list[Any] = [lambda x: np.rint(x * self.scale).astype(np.int64)]
        self.add_neurons()
        for _ in range(int(self.random.integers(0, 3))):
            self.add_synapse()
            self.add_neurons()
        self.nodes["out"] = Output(self.shape)
        names = list(self.nodes)
        self.network = Network(self.nodes, tuple(zip(names, names[1:], strict=False)))

    def add_neurons(self) -> None:
        name = f"n{len(self.nodes)}"
        made = Neurons(self.random, self.shape, self.batch)
        self.populations[name], self.nodes[name] = made, made.node
        self.ways.append(made.step)

    def add_synapse(self) -> None:
        name = f"w{len(self.nodes)}"
        if len(self.shape) == 3 and self.random.random() < 0.7:
            groups = int(self.random.choice([g for g in (1, 2) if self.shape[0] % g == 0]))
            channels = (groups * int(self.random.integers(1, 20)), self.shape[0] // groups)
            taps = self.random.integers(1, np.minimum(4, np.array(self.shape[1:]) + 1)).tolist()
            told: Any = [
                tuple(self.random.integers(*ends, 2).tolist()) for ends in ((1, 3), (0, 3))
            ]
            told += [(1, 1) if min(self.shape[1:]) < 5 else (2, 1), groups]
            weight, bits, signs = kept_weights(self.random, (*channels, *taps))
            node = ChipSynapse(Conv(weight, None, *told), 0, bits, signs)
            self.ways.append(lambda x: convolved(x, weight, told))
        else:
            if len(self.shape) == 3:
                self.nodes[f"f{len(self.nodes)}"] = Flatten()
                self.shape = (int(np.prod(self.shape)),)
            size = (int(self.random.integers(1, 25)), *self.shape)
            weight, bits, signs = kept_weights(self.random, size)
            exp = int(self.random.integers(-8, 5))
            node = ChipSynapse(Linear(weight), exp, bits, signs)

            def dense(x: Any) -> Any:
                total = x.reshape(len(x), -1) @ weight.T
                return total << exp if exp >= 0 else total >> -exp

            self.ways.append(dense)
        self.nodes[name] = node
        self.shape = node.output_shape(self.shape)

    def run(self) -> None:
        """Every step, by ourselves."""
        for x in self.x:
            for way in self.ways:
                x = way(x)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_same_bits(kernel: str) -> None:
    count: Counter[str] = Counter()
    for seed in range(120):
        net = Net(seed)
        with Loihi(kernel).open(net.network) as session:
            try:
                got = session.run({"in": net.x}, ("all",))
            except QuantisationError as error:
                assert "32 bits" in str(error)
                count["refused"] += 1
                continue
        net.run()
        for name, own in net.populations.items():
            for group, wanted in zip(
                ("spikes", "u", "v"), zip(*own.seen, strict=True), strict=True
            ):
                assert (np.array(wanted) == getattr(got, group)[name]).all(), (seed, name, group)
            u, v = (np.array([seen[i] for seen in own.seen]) for i in (1, 2))
            count["steps"] += v.size
            count["spikes"] += int(got.spikes[name].sum())
            count["large currents"] += int((np.abs(u) > 1 << 22).sum())
            count["stopped"] += int((v == 1 - (1 << 23)).sum())
    assert count["refused"] < 20 and count["steps"] > 180_000, count
    assert min(count[what] for what in ("spikes", "large currents", "stopped")) > 3000, count
