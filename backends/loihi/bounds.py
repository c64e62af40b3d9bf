"""How large every sum of a chip network can become: worst cases, every spike there at once.

They decide on the number type of a sum: float32 holds whole numbers below 2^24 exactly, whatever
the order of addition, float64 below 2^53.
"""

from collections.abc import Mapping

import numpy as np

from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.errors import QuantisationError
from ...core.loihi import SUM_LIMIT
from ...core.nodes import Conv, Linear, Pool
from ...core.schedule import Program

FLOAT32 = 1 << 24  # whole numbers below this are exact in float32
INT16 = 1 << 15  # and these fit 16 bits


def fan_in(node: ChipSynapse) -> int:
    """The largest sum of |weights| into one output, the bias with it."""
    inner = node.synapse
    if isinstance(inner, Pool):
        return int(np.prod(inner.kernel))
    assert isinstance(inner, Linear | Conv)
    weights = np.abs(inner.weight).reshape(len(inner.weight), -1).sum(axis=1)
    if inner.bias is not None:
        weights = weights + np.abs(inner.bias)
    return int(weights.max(initial=0))


def largest(program: Program, given: Mapping[str, int]) -> dict[str, int]:
    """Node -> bound of |output|. given: Input -> the largest that it brings.

    QuantisationError where a sum could run over 31 bits, which the chip's sums have. A loop
    of synapses without neurons has no bound and is refused too.
    """
    nodes = program.network.nodes
    known: dict[str, int] = dict(given)
    known |= {name: 1 for name, node in nodes.items() if isinstance(node, ChipNeuron)}
    sources = program.network.sources
    left = [name for name in program.order if name not in known]
    while left:
        ready = [name for name in left if all(source in known for source in sources[name])]
        if not ready:
            raise QuantisationError(
                f"node {left[0]!r} is in a loop without neurons: its sums have no bound"
            )
        for name in ready:
            node, heard = nodes[name], sum(known[source] for source in sources[name])
            known[name] = reach(name, node, heard) if isinstance(node, ChipSynapse) else heard
        left = [name for name in left if name not in known]
    for name in program.order:
        most = max(known[name], sum(known[source] for source in sources[name]))
        if most >= SUM_LIMIT:
            raise QuantisationError(
                f"node {name!r} ({nodes[name].kind}): its numbers can reach {most}, over the "
                f"{SUM_LIMIT} of the chip's 32 bits; smaller numbers must enter the chip"
            )
    return known


def reach(name: str, node: ChipSynapse, heard: int) -> int:
    """Bound of a synapse's output."""
    total = fan_in(node) * max(heard, 1)
    sent = total << node.weight_exp if node.weight_exp >= 0 else (total >> -node.weight_exp) + 1
    if max(total, sent) >= SUM_LIMIT:
        raise QuantisationError(
            f"node {name!r} ({node.kind}): its sums can reach {max(total, sent)}, over the "
            f"{SUM_LIMIT} of the chip's 32 bits; smaller weights, a smaller weight_exp or fewer "
            "inputs are needed"
        )
    return sent


def own_current(node: ChipNeuron) -> int:
    """The largest constant current of the population's own."""
    return 0 if node.current is None else int(np.abs(node.current).max(initial=0))
