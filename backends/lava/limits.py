"""What Lava's integers can hold: a network whose sums could run over them is refused, since
Lava would wrap in silence.

Lava's Dense and neurons sum in int32, its Conv wraps at 24 bits, and a neuron shifts its drive
left by 6 bits before anything else. Bounds are worst cases: every spike there at once.
"""

from collections.abc import Mapping

import numpy as np

from ...core.arrays import Numbers
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.errors import QuantisationError, UnsupportedNode
from ...core.loihi import LIMIT, SUM_LIMIT, hold_current
from ...core.nodes import Conv, Input, Linear, Pool
from ...core.schedule import Program


class Bounds:
    """Largest absolute values in a chip network. given: Input -> the largest it brings."""

    def __init__(self, program: Program, given: Mapping[str, int]) -> None:
        self.program = program
        self.known: dict[str, int] = dict(given)
        self.walking: set[str] = set()

    def out(self, name: str) -> int:
        """Of the node's output."""
        if name not in self.known:
            if name in self.walking:
                raise UnsupportedNode(
                    f"node {name!r} is in a loop without neurons: its sums have no bound, and "
                    "Lava's integers are 32 bits wide"
                )
            self.walking.add(name)
            node = self.program.network.nodes[name]
            if isinstance(node, ChipNeuron):
                self.known[name] = 1
            elif isinstance(node, ChipSynapse):
                self.known[name] = synapse_bound(name, node, self.heard(name))
            else:
                self.known[name] = self.heard(name)
        return self.known[name]

    def heard(self, name: str) -> int:
        """Of the sum of what the node hears."""
        return sum(self.out(source) for source in self.program.network.sources[name])


def synapse_bound(name: str, node: ChipSynapse, heard: int) -> int:
    """Of a synapse's output; QuantisationError if Lava's sum could run over."""
    total = fan_in(node) * heard
    sent = total << max(node.weight_exp, 0)
    limit = LIMIT if isinstance(node.synapse, Conv | Pool) else SUM_LIMIT
    if sent >= limit:
        raise QuantisationError(
            f"node {name!r} ({node.kind}): its sums can reach {sent}; Lava wraps them in silence "
            f"at {limit}. Smaller weights, a smaller weight_exp or fewer inputs are needed"
        )
    return sent if node.weight_exp >= 0 else (total >> -node.weight_exp) + 1


def fan_in(node: ChipSynapse) -> int:
    """The largest sum of |weights| into one output."""
    inner = node.synapse
    if isinstance(inner, Pool):
        return int(np.prod(inner.kernel))
    assert isinstance(inner, Linear | Conv)
    weights = np.abs(inner.weight).reshape(len(inner.weight), -1)
    return int(weights.sum(axis=1).max()) if weights.size else 0


def check_weights_and_loops(program: Program) -> None:
    """What can be said before any input is known; spikes are at most 1."""
    nodes = program.network.nodes
    spikes = {n for n, x in nodes.items() if isinstance(x, Input) and x.content == "spikes"}
    bounds = Bounds(program, {n: int(n in spikes) for n in program.network.inputs})
    for name in nodes:
        bounds.out(name)


def check(
    program: Program, given: Mapping[str, int], added: Mapping[str, Numbers], steps: int
) -> None:
    """QuantisationError unless Lava's integers hold whatever can happen in `steps` steps.

    added: neuron -> its constant current [k, *shape].
    """
    bounds = Bounds(program, given)
    for name, node in program.network.nodes.items():
        reach = bounds.out(name)
        if isinstance(node, ChipNeuron):
            constant = int(np.abs(added[name]).max()) if name in added else 0
            drive = bounds.heard(name) + constant
            hold_current(f"node {name!r} ({node.kind})", drive, node.du, steps)
        elif isinstance(node, Input) and reach >= SUM_LIMIT:
            raise QuantisationError(
                f"the current that enters at {name!r} reaches {reach}; Lava's integers end at "
                f"{SUM_LIMIT}. A smaller scale is needed"
            )
