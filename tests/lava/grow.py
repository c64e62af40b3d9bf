"""Random networks: layers of every kind, skips, loops, delays, several ports."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikeport.core import loihi
from spikeport.core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from spikeport.core.loihi import SignMode
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import (
    AvgPool2d,
    Conv,
    Delay,
    Flatten,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Pool,
    Scale,
    SumPool2d,
)

from .cases import eighths, linear


class Grower:
    """Grows a random network: layers of every kind, skips, loops, delays, several ports. Its
    numbers are eighths or the chip's integers, so that agreement means equality."""

    most = 8  # nodes beside ports and loops

    def __init__(self, seed: int, fixed: bool, timing: Any = "aligned") -> None:
        self.timing = timing
        self.random: Any = np.random.default_rng(seed)
        self.fixed = fixed
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []
        self.shapes: dict[str, tuple[int, ...]] = {}

    def network(self) -> Network:
        """One network; NetworkError if it has no meaning."""
        for number in range(self.whole(1, 2)):
            self.add_input(f"in{number}")
        for letter in "abcdefgh"[: self.whole(2, self.most)]:
            # names that sort before and after the ones made earlier
            self.add_node(self.pick([letter, "z" + chr(219 - ord(letter))]))
        for _ in range(self.whole(0, 3)):
            self.add_edge()
        if self.chance(0.5):
            self.add_loop()
        self.add_outputs()
        at_t0 = self.pick(["bias", "bias" if self.fixed else "nothing"])
        meaning = Meaning(back_edge_at_t0=at_t0, timing=self.timing)
        return Network(self.nodes, tuple(self.edges), meaning)

    def whole(self, least: int, most: int) -> int:
        return int(self.random.integers(least, most + 1))

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def pick(self, values: Sequence[Any]) -> Any:
        return values[self.whole(0, len(values) - 1)]

    def maybe_one(self, values: Any) -> Any:
        """One number for all neurons, or one for each."""
        return values if self.chance(0.5) else values.flat[0]

    def eighths(self, low: float, high: float, *shape: int) -> Any:
        return eighths(self.random, low, high, *shape)

    def add_input(self, name: str) -> None:
        shape = self.pick([(5,), (2, 4, 5), (3, 6), (2, 5, 3)])
        real = self.chance(0.5)
        if self.fixed:  # a chip neuron wants whole numbers: from the host, or from a synapse
            entry: Node = ToChip(shape, float(self.whole(1, 20)))
            if not real:
                shape = (1, int(np.prod(shape)))
                entry = ChipSynapse(Conv(self.random.integers(-60, 60, (3, 1, 2)) * 2))
            self.nodes[f"{name}-entry"] = entry
            self.shapes[f"{name}-entry"] = entry.output_shape(shape)
            self.edges.append((name, f"{name}-entry"))
        else:
            self.shapes[name] = shape
        self.nodes[name] = Input(shape, "analogue" if real else "spikes")

    def add_node(self, name: str) -> None:
        source = self.pick(list(self.shapes)[-4:])
        shape = self.shapes[source]
        node = self.make(shape)
        self.nodes[name] = node
        self.shapes[name] = node.output_shape(shape)
        self.edges.append((source, name))

    def add_edge(self) -> None:
        """A skip or a loop, where the shapes allow it."""
        takes = {b: self.shapes[a] for a, b in reversed(self.edges) if a in self.shapes}
        pairs = [
            (source, target)
            for source, shape in self.shapes.items()
            for target, taken in takes.items()
            if taken == shape and (source, target) not in self.edges
        ]
        if self.fixed and self.chance(0.8):
            pairs = [pair for pair in pairs if isinstance(self.nodes[pair[0]], ChipSynapse)]
        if pairs:
            self.edges.append(self.pick(pairs))

    def add_loop(self) -> None:
        """A population that hears itself through one synapse."""
        populations = [n for n, x in self.nodes.items() if isinstance(x, Neuron | ChipNeuron)]
        if not populations:
            return
        name = self.pick(populations)
        size, *space = self.shapes[name]
        if space:
            shape = (size, size, *(1 for _ in space))
            real: Any = Conv(self.eighths(-1, 1, *shape), self.eighths(-1, 1, size))
            chip: Any = Conv(self.random.integers(-128, 128, shape) * 2)
        else:
            real = linear(self.random, size, size)
            chip = Linear(self.random.integers(-128, 128, (size, size)) * 2, np.arange(float(size)))
        self.nodes["loop"] = ChipSynapse(chip, 0) if self.fixed else real
        self.edges += [(name, "loop"), ("loop", name)]

    def add_outputs(self) -> None:
        heard = {a for a, b in self.edges if b != "loop"}
        for name, shape in list(self.shapes.items()):
            if name not in heard:
                self.nodes[f"out-{name}"] = Output(shape)
                self.edges.append((name, f"out-{name}"))

    def make(self, shape: tuple[int, ...]) -> Node:
        what = self.random.random()
        if what < 0.4:
            return self.chip_neuron(shape) if self.fixed else self.neuron(shape)
        if what < 0.6:
            return self.synapse(shape)
        if what < 0.7 and len(shape) == 3:
            return self.pool()
        if what < 0.8 and len(shape) > 1:
            return Flatten()
        if what < 0.9:
            return Delay(self.maybe_one(self.random.integers(0, 5, shape)))
        return self.synapse(shape) if self.fixed else Scale(self.eighths(-1, 1, *shape))

    def neuron(self, shape: tuple[int, ...]) -> Neuron:
        cuba = self.maybe_one(self.random.choice([0.25, 0.5, 0.75], shape))
        bias: Any = self.maybe_one(self.eighths(-1, 1, *shape)) if self.chance(0.5) else 0.0
        return Neuron(
            shape,
            self.maybe_one(self.random.choice([0.0, 0.25, 0.5, 0.75, 1.0], shape)),
            self.maybe_one(self.eighths(0, 2, *shape)),
            decay_u=cuba if self.chance(0.5) else None,
            bias=bias,
            reset=self.pick(["value", "subtract"]),
            reset_amount=self.eighths(0, 1, *shape) if self.chance(0.3) else None,
            compare=self.pick([">", ">="]),
            refractory=self.pick([0, 0, 1, 2]),
        )

    def chip_neuron(self, shape: tuple[int, ...]) -> ChipNeuron:
        def register(least: int, most: int) -> Any:
            return self.maybe_one(self.random.integers(least, most, shape))

        return ChipNeuron(
            shape,
            du=register(0, 4096) if self.chance(0.5) else np.array(4095),
            dv=register(0, 4096),
            vth=register(0, 400),
            bias_mant=register(-200, 300),
            bias_exp=self.whole(0, 6),
            current=self.random.integers(-50, 60, shape) if self.chance(0.3) else None,
            reset=self.pick(["value", "subtract"]),
            refractory=self.pick([0, 0, 1, 2]),
        )

    def synapse(self, shape: tuple[int, ...]) -> Node:
        if len(shape) > 1:
            return self.convolution(shape)
        out = self.pick([shape[0], self.whole(2, 5)])
        if not self.fixed:
            return linear(self.random, out, shape[0], self.chance(0.6))
        mode, bits = self.pick(list(SignMode)), self.whole(1, 8)
        least, most, _ = mode.value
        drawn = self.random.integers(max(least, -255), most + 1, (out, shape[0]))
        grid: Any = loihi.on_grid(np.abs(drawn), bits, SignMode.EXCITATORY) * np.sign(drawn)
        weight: Any = loihi.on_grid(drawn, bits, mode) if mode is SignMode.MIXED else grid
        exponent = self.whole(-3, 3)
        unit = 1 << max(-exponent, 0)  # a bias under a right shift must be a multiple of it
        bias = self.random.integers(-30, 30, out) * unit if self.chance(0.5) else None
        return ChipSynapse(Linear(weight, bias), exponent, bits, mode)

    def convolution(self, shape: tuple[int, ...]) -> Node:
        groups = self.pick([g for g in (1, 2, 3) if shape[0] % g == 0])
        axes = len(shape) - 1

        def each(least: int, most: int) -> tuple[int, ...]:
            return tuple(self.whole(least, min(most, size)) for size in shape[-axes:])

        size = (groups * self.whole(1, 2), shape[0] // groups, *each(1, 3))
        told = (each(1, 2), each(0, 2), (1,) * axes, groups)
        biased = self.chance(0.5)
        if not self.fixed:
            return Conv(self.eighths(-1, 1, *size), self.eighths(-1, 1, size[0]), *told)
        bias = self.random.integers(-30, 30, size[0]) if biased else None
        return ChipSynapse(Conv(self.random.integers(-128, 128, size) * 2, bias, *told))

    def pool(self) -> Node:
        kernel = (self.whole(1, 2), self.whole(1, 2))
        padding = (self.whole(0, kernel[0] // 2), self.whole(0, kernel[1] // 2))
        stride = (self.whole(1, 2), self.whole(1, 2))
        if self.fixed:
            return ChipSynapse(SumPool2d(kernel, stride, padding))
        pool: type[Pool] = self.pick([SumPool2d, AvgPool2d])
        return pool(kernel, stride, padding)
