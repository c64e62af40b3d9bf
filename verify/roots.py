"""Where a float engine's spikes differ: which differences are roots, and may rounding cause them?

A root flip is a differing spike of a neuron whose inputs and own past agree so far; the others
are its consequences. A root is within rounding if the baseline's membrane lies as close to the
threshold as a sum of n + 4 rounded terms can be off:

    |v - theta| <= 2 (n + 4) eps M,    M = sum of a_v^(t - tau) (sum |w s| + |b|)

summed since the last reset, with n the fan-in and eps of the engine's dtype. A root outside of
that is a divergence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import Array, Numbers, Shape, frozen
from ..core.delays import delayed
from ..core.interpreter import real_law
from ..core.linear import apply, is_map
from ..core.network import Network
from ..core.neuron import Law, State, step
from ..core.nodes import AvgPool2d, BatchNorm, Conv, Delay, Linear, Neuron, Node, SumPool2d
from ..core.schedule import Program, compile


@dataclass(frozen=True)
class Roots:
    """Flips of a batch: all of them, the roots, the roots outside of the bound (named)."""

    flips: int = 0
    roots: int = 0
    outside: int = 0
    worst: str = ""  # the root that is furthest outside, in words

    def plus(self, other: "Roots") -> "Roots":
        """The sum of two batches."""
        return Roots(
            self.flips + other.flips,
            self.roots + other.roots,
            self.outside + other.outside,
            self.worst or other.worst,
        )


def find_roots(
    network: Network,
    inputs: Mapping[str, Numbers],
    expected: Mapping[str, Numbers],
    got: Mapping[str, Numbers],
    epsilon: float,
) -> Roots:
    """Sort the differing spikes of a batch. network: what the baseline computes, in real
    numbers; spikes: population -> [T, B, *shape] of all its populations."""
    trace = Trace(network, inputs, expected)
    apart = {name: expected[name] != got[name] for name in expected}
    found = Roots(flips=sum(int(a.sum()) for a in apart.values()))
    for name in (n for n in trace.program.order if n in apart and apart[n].any()):
        dirty = trace.reached(name, apart)
        own = np.zeros_like(apart[name])
        own[1:] = np.logical_or.accumulate(apart[name], axis=0)[:-1]
        roots = apart[name] & ~own & ~np.logical_or.accumulate(dirty, axis=0)
        if roots.any():
            found = found.plus(trace.judged(name, roots, epsilon))
    return found


class Trace:
    """A batch of the baseline, taken apart."""

    def __init__(
        self, network: Network, inputs: Mapping[str, Numbers], spikes: Mapping[str, Numbers]
    ) -> None:
        self.network = network
        self.program: Program = compile(network)
        self.inputs = inputs
        self.spikes = spikes

    def into(self, name: str, said: Mapping[str, Array], how: "How") -> Array:
        """What a node hears [T, B, *shape], from what populations and inputs said; between them
        the linear nodes, as `how` changes them. Back edges are a step late."""
        total: Array | None = None
        for source in self.network.sources[name]:
            value = self.out_of(source, said, how)
            if (source, name) in self.program.back_edges:
                value = np.concatenate([np.zeros_like(value[:1]), value[:-1]])
            total = value if total is None else total + value
        assert total is not None
        return total

    def out_of(self, name: str, said: Mapping[str, Array], how: "How") -> Array:
        """What a node says."""
        if name in said:
            return said[name]
        node = self.network.nodes[name]
        heard = self.into(name, said, how)
        if isinstance(node, Delay):
            return delayed(heard, node.steps)
        if not is_map(node):
            return heard
        flat = apply(how(node, heard.shape[2:]), frozen(heard.reshape(-1, *heard.shape[2:])))
        return flat.reshape(*heard.shape[:2], *flat.shape[1:])

    def reached(self, name: str, apart: Mapping[str, Numbers]) -> Numbers:
        """Which neurons hear a difference at which step, [T, B, *shape]."""
        said = {n: a.astype(np.float64) for n, a in apart.items()}
        said |= {n: np.zeros_like(np.asarray(x, np.float64)) for n, x in self.inputs.items()}
        return self.into(name, said, reach) > 0

    def judged(self, name: str, roots: Numbers, epsilon: float) -> Roots:
        """How many of a population's roots lie outside of what rounding can do."""
        node = self.network.nodes[name]
        assert isinstance(node, Neuron) and node.threshold is not None
        signed = {n: s.astype(np.float64) for n, s in self.spikes.items()}
        signed |= {n: np.asarray(x, np.float64) for n, x in self.inputs.items()}
        sizes = {n: np.abs(s) for n, s in signed.items()}
        delays = [n.most for n in self.network.nodes.values() if isinstance(n, Delay)]
        late = 2 + sum(delays)  # enough for every back edge and delay to carry something
        ones = {n: np.ones((late, 1, *s.shape[2:])) for n, s in signed.items()}
        fan_in = self.into(name, ones, reach)[-1, 0]
        v = membranes(node, self.into(name, signed, plain))
        size = magnitudes(node, self.into(name, sizes, absolute), self.spikes[name])
        distance = np.stack([np.abs(now - node.at(t).threshold) for t, now in enumerate(v)])
        bound = 2 * (fan_in + 4) * epsilon * size
        over = roots & (distance > bound)
        worst = ""
        if over.any():
            at = tuple(int(i) for i in np.argwhere(over)[0])
            worst = (
                f"{name} at step {at[0]}, sample {at[1]}, neuron {list(at[2:])}: |v - threshold| "
                f"is {distance[at]:.3g}, rounding can move it by {bound[at]:.3g}"
            )
        return Roots(0, int(roots.sum()), int(over.sum()), worst)


def membranes(node: Neuron, drive: Array) -> Array:
    """v before the reset, [T, B, *shape]."""
    state = State()
    caught: list[Array] = []

    def watched(law: Law) -> Law:
        fire = law.fire
        assert fire is not None

        def watch(v: Array) -> Array:
            caught.append(v)
            return np.asarray(fire(v))

        return replace(law, fire=watch)

    for t, now in enumerate(drive):
        _, state = step(state, now, watched(real_law(node.at(t))))
    return np.stack(caught)


def magnitudes(node: Neuron, sizes: Array, spikes: Numbers) -> Array:
    """M: what has been added up since the last reset, in absolute values."""
    total = np.zeros_like(sizes[0])
    current = np.zeros_like(sizes[0])
    found = []
    population = node
    for t, (now, fired) in enumerate(zip(sizes, spikes, strict=True)):
        node = population.at(t)
        current = np.abs(node.gain_u) * now + (
            0.0 if node.decay_u is None else np.abs(node.decay_u) * current
        )
        added = np.abs(node.gain_v) * current + np.abs(node.bias)
        total = np.abs(node.decay_v) * total + added
        found.append(total)
        if node.reset == "value":
            total = np.where(fired, np.abs(node.v_reset), total)
        else:
            total = total + np.where(fired, np.abs(node.amount), 0.0)
    return np.stack(found)


class How:
    """How a linear node is changed before it is applied."""

    def __call__(self, node: Node, shape: Shape) -> Node:
        """The node itself."""
        return node


class Absolute(How):
    """|W| and |b|: sizes in, sizes out."""

    def __call__(self, node: Node, shape: Shape) -> Node:
        if isinstance(node, Linear | Conv):
            bias = None if node.bias is None else frozen(np.abs(node.bias))
            return replace(node, weight=frozen(np.abs(node.weight)), bias=bias)
        if isinstance(node, BatchNorm):
            gain, shift = np.abs(node.scale()), np.abs(node.bias - node.mean * node.scale())
            return BatchNorm(
                frozen(gain), frozen(shift), frozen(0 * gain), frozen(0 * gain + 1), 0.0
            )
        return node


class Reach(How):
    """1 where there is a weight, no bias: counts, or whether anything arrives."""

    def __call__(self, node: Node, shape: Shape) -> Node:
        if isinstance(node, Linear | Conv):
            return replace(node, weight=frozen(node.weight != 0), bias=None)
        if isinstance(node, BatchNorm):
            one = frozen(np.ones_like(node.weight))
            return BatchNorm(one, frozen(0 * one), frozen(0 * one), one, 0.0)
        if isinstance(node, AvgPool2d):
            return SumPool2d(node.kernel, node.stride, node.padding)
        return node


plain, absolute, reach = How(), Absolute(), Reach()
