"""A network of torch modules, stepped in float64: what engines on torch share.

Maps are torch.nn's own layers; populations are a library's neurons, made by the engine as `Cell`s.
The loop over time, what back edges carry and delays are ours, as they are the user's in
libraries whose modules take one step.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from ..core.arrays import Array, Numbers
from ..core.delays import DelayLine
from ..core.interpreter import quiet
from ..core.network import Network
from ..core.nodes import (
    AvgPool2d,
    Conv,
    Delay,
    Flatten,
    Input,
    Linear,
    MaxPool2d,
    Neuron,
    Node,
    Output,
    Pool,
    Scale,
)
from ..core.recording import Recording, checked_inputs, wanted_nodes
from ..core.schedule import compile
from .protocol import Backend, Capabilities, Closing, check, header

Tensor = torch.Tensor
MAPS = frozenset(
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d MaxPool2d Flatten "
    "Delay".split()
)
EPSILON = float(torch.finfo(torch.float64).eps)
PLAIN = Capabilities(  # what the libraries have in common: reset to 0, and no gains
    nodes=MAPS | frozenset("I LI IF LIF CubaLI CubaLIF".split()),
    epsilon=EPSILON,
    gain="one",
    cuba_gain="one",
    v_reset=False,
    refractory=False,
    membrane_bias=frozenset(),
    agreement="spikes",
)


class Cell(Protocol):
    """A population of a library's, `[batch, *shape]`."""

    def rest(self) -> None:
        """Forget everything."""
        ...

    def step(self, x: Tensor) -> Tensor:
        """Hear one step's drive; spikes, or the membrane where it does not spike."""
        ...

    def membrane(self) -> Tensor:
        """At the end of the step, after the reset."""
        ...

    def current(self) -> Tensor | None:
        """The synaptic current, if it has one."""
        ...


MakeCell = Callable[[str, Neuron], Cell]


class TorchBackend:
    """An engine whose populations are a library's own modules. name: of the engine and of the
    library's package. able: what it runs. cell: makes a population."""

    name: str
    able: Capabilities
    cell: MakeCell

    def capabilities(self) -> Capabilities:
        """What it runs."""
        return self.able

    def versions(self) -> dict[str, str]:
        """The packages that do the work."""
        return {name: version(name) for name in (self.name, "torch")}

    def open(self, network: Network) -> "TorchSession":
        """Make a module of every population."""
        check(network, self.able, self.name)
        return TorchSession(self, network, self.cell)


class TorchSession(Closing):
    """A network as modules and cells."""

    def __init__(self, backend: Backend, network: Network, make: MakeCell) -> None:
        self.network = network
        self.program = compile(network)
        self.cells: dict[str, Cell] = {}
        self.maps: dict[str, Callable[[Tensor], Tensor]] = {}
        for name, node in network.nodes.items():
            if isinstance(node, Neuron):
                self.cells[name] = make(name, node)
            elif not isinstance(node, Input | Output | Delay):
                self.maps[name] = layer(node)
        self.header = header(backend, network, dtype="float64", threads=torch.get_num_threads())

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        signals = {n: tensor(x) for n, x in checked_inputs(self.network, inputs).items()}
        kept = wanted_nodes(self.network, record)
        steps, batch = next(iter(signals.values())).shape[:2]
        lines = {n: line(self.network.nodes[n]) for n in self.network.named(Delay)}
        for cell in self.cells.values():
            cell.rest()
        last = {name: tensor(values) for name, values in quiet(self.program, batch).items()}
        shown: dict[str, dict[str, list[Numbers]]] = defaultdict(lambda: defaultdict(list))
        with torch.no_grad():
            for t in range(steps):
                values: dict[str, Tensor] = {}
                for name in self.program.order:
                    if name in signals:
                        values[name] = signals[name][t]
                        continue
                    heard = [values[s] for s in self.program.now[name]]
                    heard += [last[s] for s in self.program.before[name]]
                    values[name] = self.said(name, sum(heard[1:], heard[0]), lines)
                self.keep(values, kept, shown)
                last = values
        found: dict[str, Any] = {
            g: {n: np.stack(a) for n, a in m.items()} for g, m in shown.items()
        }
        return Recording(
            found["outputs"],
            {name: spikes.astype(np.uint8) for name, spikes in found.get("spikes", {}).items()},
            found.get("v", {}),
            found.get("u", {}),
            self.header,
        )

    def said(self, name: str, x: Tensor, lines: Mapping[str, DelayLine]) -> Tensor:
        """What a node makes of its summed input."""
        if name in self.cells:
            return self.cells[name].step(x)
        if name in lines:
            late: Tensor = lines[name](x)
            return late
        return self.maps[name](x) if name in self.maps else x

    def keep(self, values: Mapping[str, Tensor], kept: Collection[str], shown: Any) -> None:
        """This step's outputs, spikes and states."""
        for name in self.network.outputs:
            shown["outputs"][name].append(values[name].numpy().copy())
        for name in kept:
            cell = self.cells[name]
            if name in self.network.spiking:
                shown["spikes"][name].append(values[name].numpy().copy())
            shown["v"][name].append(cell.membrane().numpy().copy())
            current = cell.current()
            if current is not None:
                shown["u"][name].append(current.numpy().copy())


def tensor(values: Array | Numbers | float) -> Tensor:
    """A float64 tensor of its own."""
    return torch.from_numpy(np.array(values, dtype=np.float64))


def line(node: Node) -> DelayLine:
    """A delay from rest."""
    assert isinstance(node, Delay)
    steps: Any = node.steps
    if not isinstance(steps, int):  # it picks elements of tensors
        steps = torch.from_numpy(np.array(steps))
    return DelayLine(steps)


def layer(node: Node) -> Callable[[Tensor], Tensor]:
    """A map as torch's own module, with its numbers in float64."""
    made: nn.Module
    match node:
        case Linear():
            made = nn.Linear(node.weight.shape[1], len(node.weight), node.bias is not None)
        case Conv():
            kind = nn.Conv1d if node.weight.ndim == 3 else nn.Conv2d
            made = kind(
                node.weight.shape[1] * node.groups,
                len(node.weight),
                node.kernel,  # type: ignore[arg-type]
                tuple(node.stride),  # type: ignore[arg-type]
                tuple(node.padding),  # type: ignore[arg-type]
                tuple(node.dilation),  # type: ignore[arg-type]
                node.groups,
                node.bias is not None,
            )
        case MaxPool2d():
            made = nn.MaxPool2d(node.kernel, node.stride, node.padding)
        case Pool():
            divisor = None if isinstance(node, AvgPool2d) else 1
            made = nn.AvgPool2d(node.kernel, node.stride, node.padding, divisor_override=divisor)
        case Flatten():  # torch counts the batch axis, we do not
            first, final = node.start_dim, node.end_dim
            made = nn.Flatten(first + (first >= 0), final + (final >= 0))
        case Scale():
            factor = tensor(node.scale)
            return lambda x: x * factor
        case _:
            raise AssertionError(node.kind)  # the capabilities leave it out
    if isinstance(node, Linear | Conv):
        made.weight = nn.Parameter(tensor(node.weight), requires_grad=False)
        if node.bias is not None:
            made.bias = nn.Parameter(tensor(node.bias), requires_grad=False)
    return made
