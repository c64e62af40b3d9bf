"""The biases' share of what reaches each node.

On Lava a linear node only sums weighted messages. What its bias adds is the same in every
sample, so it is computed here, by letting inputs and neurons be silent, and enters where it
matters: at the neurons, as a bias or a constant current, and at the outputs, on the host. So
delays, back edges at t = 0 and chains of linear nodes need no rules of their own.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...core.arrays import Numbers, Shape
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.errors import UnsupportedNode
from ...core.interpreter import quiet, runner, summed
from ...core.linear import apply
from ...core.nodes import Conv, Delay, Input, Linear, Neuron, Node, Output
from ...core.schedule import Program


def constants(program: Program, steps: int) -> dict[str, Numbers]:
    """Neuron or Output -> [k, *shape], k <= steps: what biases add to what it hears at step t,
    the last row from then on. Nodes that get nothing are left out."""
    network = program.network
    if not any(has_bias(node) for node in network.nodes.values()):
        return {}
    runners = {n: silent(node, program.shapes[n]) for n, node in network.nodes.items()}
    heard: dict[str, list[Any]] = {n: [] for n, node in network.nodes.items() if reads(node)}
    last = quiet(program, 1)
    unchanged, memory = 0, longest_memory(program)
    for _ in range(steps):
        values = one_step(program, runners, last, heard)
        same = all(np.array_equal(values[n], last[n]) for n in last) and bool(last)
        unchanged = unchanged + 1 if same else 0
        last = values
        if unchanged > memory:
            break
    rows = {name: trimmed(np.concatenate(found)) for name, found in heard.items()}
    return {name: found for name, found in rows.items() if found.any()}


def one_step(
    program: Program, runners: Mapping[str, Any], last: Mapping[str, Any], heard: dict[str, Any]
) -> dict[str, Any]:
    """Every node's silent output of one step; what the readers hear is appended to `heard`."""
    values: dict[str, Any] = {}
    for name in program.order:
        found = [values[s] for s in program.now[name]] + [last[s] for s in program.before[name]]
        total = summed(found) if found else None
        if name in heard:
            heard[name].append(total)
        try:
            values[name] = runners[name](total)
        except UnsupportedNode as error:
            raise UnsupportedNode(f"node {name!r}: {error}") from None
    return values


def has_bias(node: Node) -> bool:
    """Whether a linear node adds something of its own."""
    inner = node.synapse if isinstance(node, ChipSynapse) else node
    return isinstance(inner, Linear | Conv) and inner.bias is not None


def reads(node: Node) -> bool:
    """Whether a constant stops here."""
    return isinstance(node, Neuron | ChipNeuron | Output)


def silent(node: Node, shape: Shape) -> Any:
    """What runs the node while nothing spikes and no input arrives."""
    if isinstance(node, Input | Neuron | ChipNeuron):
        return lambda x: np.zeros((1, *shape))
    if isinstance(node, ChipSynapse):
        return lambda x: chip_constant(node, x)
    return runner(node, 1)


def chip_constant(node: ChipSynapse, x: Any) -> Any:
    """A chip synapse's share; a right shift rounds, so it must leave the share whole."""
    total = np.rint(apply(node.synapse, x)).astype(np.int64)
    unit = 1 << max(-node.weight_exp, 0)
    if (total % unit).any():
        raise UnsupportedNode(
            f"a bias of {int(total[total % unit != 0][0])} under weight_exp {node.weight_exp} is "
            "rounded together with the sum of the spikes, which Lava cannot do; give it a "
            f"multiple of {unit}, or put it into the neuron's current"
        )
    return node.total(x)


def longest_memory(program: Program) -> int:
    """Steps after which a graph without linear loops has forgotten everything."""
    held = sum(n.most for n in program.network.nodes.values() if isinstance(n, Delay))
    return held + len(program.back_edges)


def trimmed(rows: Numbers) -> Numbers:
    """Without the repeats of the last row."""
    changes = [t for t in range(1, len(rows)) if not np.array_equal(rows[t], rows[t - 1])]
    return rows[: changes[-1] + 1] if changes else rows[:1]
