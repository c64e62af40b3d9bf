"""A forward that loops over time -> one step of it.

fx unrolls the loop. Calls that do the same to the same are one, once states are left out: each
step then folds onto the first, and whatever does not (another layer in some step, a value of the
step before, a step left out) is refused by name.
"""

from collections import Counter
from typing import Any

import torch
from torch import fx, nn

from ....core.errors import UnsupportedNode
from ..trace import described
from .kinds import population


def repeated(graph: fx.Graph, model: nn.Module) -> bool:
    """Whether a population is called more than once."""
    calls = Counter(node.target for node in graph.nodes if called(node, model))
    return any(count > 1 for count in calls.values())


def called(node: fx.Node, model: nn.Module) -> bool:
    """Whether it is a call of a population."""
    return node.op == "call_module" and bool(population(model.get_submodule(str(node.target))))


class Fold:
    """graph: one step. steps: how many there were. indexed: whether the input has a time axis,
    x[t]; else it is the same in every step."""

    def __init__(self, given: fx.Graph, model: nn.Module) -> None:
        self.graph = fx.Graph()
        self.model = model
        self.indexed = False
        self.step: dict[fx.Node, fx.Node] = {}  # a call -> the one that it is in one step
        self.time: dict[fx.Node, int | None] = {}  # the step that it is of; None: of all
        self.states: dict[fx.Node, tuple[str, int]] = {}  # state -> population, step it is of
        self.spikes: dict[fx.Node, tuple[str, int]] = {}  # the same for spikes, which go on, too
        self.stacked: set[fx.Node] = set()
        self.known: dict[Any, fx.Node] = {}
        self.calls: Counter[str] = Counter()
        for node in given.nodes:
            self.take(node)
        self.steps = max(self.calls.values())
        for name, count in self.calls.items():
            if count != self.steps:
                raise UnsupportedNode(
                    f"population {name!r} is called {count} times, others {self.steps}; a "
                    "loop over time calls each once a step"
                )

    def take(self, node: fx.Node) -> None:
        """One operation of the unrolled loop."""
        function = getattr(node.target, "__name__", "")
        if node.op == "placeholder":
            self.step[node] = self.graph.placeholder(str(node.target))
            self.time[node] = None
        elif node.op == "get_attr":
            self.states[node] = "", -1  # what a population starts from
        elif node.op == "output":
            self.output(node)
        elif called(node, self.model):
            self.population(node)
        elif function == "getitem" and self.part(node):
            return
        elif node.target is torch.stack:
            self.stack(node)
        else:
            self.operation(node)

    def refuse(self, node: fx.Node, why: str) -> UnsupportedNode:
        """An error that names the operation."""
        return UnsupportedNode(f"{described(node)}: in a loop over time, {why}")

    def population(self, node: fx.Node) -> None:
        """A population hears this step's values, and its own state of the step before."""
        name = str(node.target)
        now = self.calls[name]
        self.calls[name] += 1
        heard = node.args[0] if node.args else None
        if not isinstance(heard, fx.Node) or heard not in self.step:
            raise self.refuse(node, "a population hears one tensor, its input first")
        if self.time[heard] not in (None, now):
            raise self.refuse(node, f"call {now} hears a value of step {self.time[heard]}")
        before = (name, now - 1) if now else ("", -1)
        for state in (n for n in node.all_input_nodes if n is not heard):
            if before not in (self.states.get(state), self.spikes.get(state)):
                raise self.refuse(node, f"call {now} goes on from a state that it did not leave")
        made = self.same(("call_module", name, self.step[heard]), node, (self.step[heard],))
        self.step[node], self.time[node] = made, now

    def part(self, node: fx.Node) -> bool:
        """x[t], or spikes or state out of a population's answer."""
        source, index = node.args
        if not isinstance(source, fx.Node) or not isinstance(index, int):
            return False
        if source.op == "placeholder":
            self.indexed = True
            self.step[node], self.time[node] = self.step[source], index
            return True
        if not called(source, self.model):
            return False
        made = self.same(("getitem", self.step[source], index), node, (self.step[source], index))
        self.time[node] = self.time[source]
        told = self.states if index else self.spikes
        told[node] = str(source.target), int(self.time[source] or 0)
        self.step[node] = made
        return True

    def operation(self, node: fx.Node) -> None:
        """Any other call, of this step's values."""
        heard = node.all_input_nodes
        if any(n in self.states for n in heard):
            raise self.refuse(
                node, "a state goes to its own population only, and a constant nowhere"
            )
        times = {self.time[n] for n in heard} - {None}
        if len(times) > 1:
            raise self.refuse(node, f"it takes values of steps {sorted(map(str, times))} at once")
        args = fx.node.map_arg(node.args, lambda n: self.step[n])
        kwargs = fx.node.map_arg(node.kwargs, lambda n: self.step[n])
        key = (node.op, node.target, repr(args), repr(kwargs))
        self.step[node] = self.same(key, node, args, kwargs)
        self.time[node] = times.pop() if times else None

    def same(self, key: Any, node: fx.Node, args: Any, kwargs: Any = None) -> fx.Node:
        """The operation of the one step, made when it is met first."""
        if key not in self.known:
            made = self.graph.create_node(node.op, node.target, tuple(args), kwargs or {})
            made.stack_trace = node.stack_trace
            self.known[key] = made
        return self.known[key]

    def stack(self, node: fx.Node) -> None:
        """torch.stack of a value of every step is that value."""
        values: Any = node.args[0]
        dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if dim != 0 or [self.time.get(v) for v in values] != list(range(len(values))):
            raise self.refuse(node, "torch.stack takes the values of all steps in order, dim=0")
        if len({self.step[v] for v in values}) > 1:
            raise self.refuse(node, "the values stacked are not the same layer's in every step")
        if len(values) != max(self.calls.values()):
            raise self.refuse(node, f"{len(values)} values are stacked, of more steps")
        self.step[node] = self.step[values[0]]
        self.stacked.add(node)
        if values[0] in self.states:
            self.states[node] = self.states[values[0]]

    def output(self, node: fx.Node) -> None:
        """What is returned must be stacked."""
        for value in node.all_input_nodes:
            if value not in self.stacked:
                raise self.refuse(
                    node, "what is returned must be torch.stack of every step's spikes or values"
                )
        self.graph.output(fx.node.map_arg(node.args[0], lambda n: self.step[n]))
