"""A trained torch module -> Network, norms and max-pools still nodes. Never a silent drop."""

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from ...core.arrays import Shape
from ...core.errors import SpikeportError, UnsupportedNode
from ...core.network import Edge, Meaning, Network, Readout
from ...core.nodes import Input, Node, Output
from ...trainer.checkpoint import trained_digest
from ...trainer.graph import GraphNet
from ...trainer.joins import Add
from ...trainer.layers import Recurrent
from ...trainer.neurons import Neuron
from ...trainer.norms import BNTT, NeuNorm
from ...trainer.readouts import LeakyReadout
from ..binary import binary
from .graph import of_graph
from .held import held_against, named_outputs
from .joins import JOINS, joined
from .modules import flattened, instead, node_of
from .neurons import Sum, populate, refuse
from .norms import neunorm
from .readouts import leaky
from .steps import steps_of
from .trace import described, shapes, traced

ADDITIONS = (operator.add, operator.iadd, torch.add)
PARTS = ("sum", "pixels", "inhibition", "weight")  # of a NeuNorm


def lower(
    model: nn.Module,
    input_shape: Shape,
    dt: float = 1e-3,
    *,
    readout: Readout | None = None,
    steps: int | None = None,
    content: str = "analogue",
) -> Network:
    """The network that the module computes in eval mode, in float64.

    model: forward takes [T, B, *input_shape] and is made of spikeport's neurons and layers,
    torch's layers, additions and flattens; or it is a model of snnTorch, SpikingJelly or Norse,
    see `theirs.lower`; or it is a graph that was fine-tuned, which may give
    a network in the chip's integers. dt: seconds a step. steps: T of training, kept for
    whoever verifies. content: 'analogue' or 'spikes'. Node names are the modules' names.
    UnsupportedNode names the operation and the source line of whatever cannot be lowered;
    NetworkError if the result does not give the module's own spikes on a sample.
    """
    from . import theirs  # it builds on this file

    if theirs.library_of(model) is not None:
        return theirs.lower(model, input_shape, dt, readout=readout, steps=steps, content=content)
    if isinstance(model, GraphNet):
        made = of_graph(model, dt, steps)
        held_against(copy.deepcopy(model).double().cpu(), made)
        return made
    whole, network = grown(model, input_shape, dt, readout, steps, content)
    held_against(whole, network)
    return network


def grown(
    model: nn.Module,
    input_shape: Shape,
    dt: float,
    readout: Readout | None = None,
    steps: int | None = None,
    content: str = "analogue",
    followed: Callable[[nn.Module], None] = lambda whole: None,
) -> tuple[nn.Module, Network]:
    """A copy of the module in eval mode, in float64, and its network, not yet held against it; of
    a module of our layers. See `lower`. followed: is given the copy once its code has been
    followed, which no other thread may run modules beside."""
    whole = in_float64(model)
    for name, layer in whole.named_modules():
        if word := instead(layer):
            raise UnsupportedNode(
                f"layer {name!r} is a {type(layer).__name__}, which cannot be lowered{word}"
            )
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) and layer.running_var is None:
            raise UnsupportedNode(
                f"layer {name!r} keeps no running statistics, so that its result depends on the "
                "batch; train with track_running_stats=True"
            )
    graph = traced(whole)
    followed(whole)
    sample = torch.zeros(steps_of(whole) or 1, 1, *input_shape, dtype=torch.float64)
    builder = Builder(whole, shapes(whole, graph, sample), content)
    network = builder.grown(
        graph,
        dt=dt,
        readout=readout or getattr(model, "readout", None),
        steps=steps or steps_of(whole),
        trained_digest=trained_digest(model),
    )
    return whole, network


def in_float64(model: nn.Module) -> nn.Module:
    """A copy in eval mode, in float64, on the CPU; its weights are copied once."""
    memo: dict[int, Any] = {
        id(p): nn.Parameter(p.detach().to("cpu", torch.float64, copy=True), p.requires_grad)
        for p in model.parameters()
        if type(p) is nn.Parameter and p.is_floating_point()
    }
    return copy.deepcopy(model, memo).double().cpu().eval()


class Builder:
    """Grows nodes and edges as the traced operations come by, in their order."""

    lead = 2  # axes of a value before its shape: time and batch

    def __init__(self, model: nn.Module, shapes: dict[fx.Node, Shape], content: str) -> None:
        self.modules = dict(model.named_modules())
        self.shapes = shapes
        self.content = content
        self.values: dict[fx.Node, Sum] = {}
        self.timed: dict[fx.Node, BNTT] = {}  # values of which a norm for every step is wanted
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.sources: dict[str, Sum] = {}
        self.origin: dict[str, None] = {}
        self.back: list[Edge] = []
        self.neurons: dict[int, str] = {}

    def grown(self, graph: fx.Graph, **meaning: Any) -> Network:
        """The network of all operations; an error names the one and its source line. meaning: of
        `Meaning`, all but the back edges."""
        for node in graph.nodes:
            try:
                self.add(node)
            except SpikeportError as error:
                raise type(error)(f"{described(node)}: {error}") from None
        back = tuple(sorted(self.back)) or None
        whole = Meaning(back_edges=back, **meaning)
        return Network(self.nodes, tuple(self.edges), whole, self.origin)

    def add(self, node: fx.Node) -> None:
        """Take in one operation."""
        match node.op:
            case "placeholder":
                self.values[node] = self.new(str(node.target), self.input(node), ())
            case "call_module":
                self.values[node] = self.module(node)
            case "call_function" | "call_method":
                self.values[node] = self.function(node)
            case "output":
                self.output(node.args[0])
            case _:
                raise UnsupportedNode(
                    "a number or parameter used outside of a layer cannot be lowered; put it "
                    "into a layer's weight or bias"
                )

    def input(self, node: fx.Node) -> Node:
        """An argument of forward."""
        if node not in self.shapes:
            raise UnsupportedNode("the sample gives it no value; forward takes one tensor")
        return Input(self.shapes[node], self.content)  # type: ignore[arg-type]

    def new(self, name: str, node: Node, heard: Sum) -> Sum:
        """A node under a free name that hears a sum."""
        free, count = name, 1
        while free in self.nodes:
            count += 1
            free = f"{name}.{count}"
        self.nodes[free] = node
        self.sources[free] = heard
        self.edges += [(source, free) for source in heard]
        return (free,)

    def added(self, name: str, node: Node, heard: Sum) -> Sum:
        """A node that the model does not have, so that nobody compares it with one."""
        made = self.new(name, node, heard)
        self.origin[made[0]] = None
        return made

    def binary(self, name: str) -> bool:
        """Whether a node's output is provably 0 or 1."""
        return binary(self.nodes, self.sources, name)

    def loop(self, source: Sum, target: Sum) -> None:
        """A back edge."""
        edge = source[0], target[0]
        self.edges.append(edge)
        self.back.append(edge)

    def heard(self, node: fx.Node) -> tuple[Sum, Shape]:
        """What a layer with one tensor argument hears."""
        given = [a for a in (*node.args, *node.kwargs.values()) if isinstance(a, fx.Node)]
        if len(given) != 1:
            raise UnsupportedNode(f"takes {len(given)} tensors; one can be lowered")
        return self.values[given[0]], self.shapes[given[0]]

    def module(self, node: fx.Node) -> Sum:
        """A layer."""
        name = str(node.target)
        layer = self.modules[name]
        if isinstance(layer, JOINS):
            return self.join(name, layer, node)
        heard, shape = self.heard(node)
        refuse(layer)
        if isinstance(layer, BNTT):
            self.timed[node] = layer
            return self.untimed(node, heard)
        if isinstance(layer, Neuron):
            self.once(name, layer)
            return populate(self, name, layer, heard, shape, norm=self.norm_of(node))
        if isinstance(layer, Recurrent):
            self.once(name, layer)
            made = node_of(layer.linear, shape)
            assert made is not None
            return populate(
                self, f"{name}.neuron", layer.neuron, heard, shape, (f"{name}.linear", made)
            )
        if isinstance(layer, NeuNorm):
            return self.neunorm(name, layer, heard, shape)
        if isinstance(layer, LeakyReadout):
            membrane, delay = leaky(layer, shape)
            return self.new(f"{name}.delay", delay, self.new(name, membrane, heard))
        made = node_of(layer, shape)
        if made is None:
            return heard
        self.same_shape(made, shape, node)
        return self.new(name, made, heard)

    def norm_of(self, node: fx.Node) -> BNTT | None:
        """The norm for every step that a layer hears, if there is one."""
        return next(
            (self.timed[a] for a in node.args if isinstance(a, fx.Node) and a in self.timed), None
        )

    def untimed(self, node: fx.Node, heard: Sum) -> Sum:
        """What a norm for every step hears, which only neurons can take in its place."""
        for user in node.users:
            layer = self.modules.get(str(user.target)) if user.op == "call_module" else None
            if not isinstance(layer, Neuron):
                raise UnsupportedNode(
                    f"is a BNTT, with moments for each of {len(self.timed[node].weight)} steps, "
                    f"and is heard by {described(user)}; what can be lowered is one heard by "
                    "populations alone. Collapse it with spikeport.trainer.approximate, which "
                    "says what that costs, or train with model.norm=bn"
                )
        return heard

    def once(self, name: str, layer: nn.Module) -> None:
        """A population that is called twice would be two, under one name."""
        if id(layer) in self.neurons:
            raise UnsupportedNode(
                f"the same neurons are used as {self.neurons[id(layer)]!r} and {name!r}; give "
                "each place a module of its own"
            )
        self.neurons[id(layer)] = name

    def neunorm(self, name: str, layer: NeuNorm, heard: Sum, shape: Shape) -> Sum:
        """What it hears, and the inhibition that it makes of that."""
        made = heard
        for part, node in zip(PARTS, neunorm(layer, shape), strict=False):
            made = self.new(f"{name}.{part}", node, made)
        return (*heard, *made)

    def function(self, node: fx.Node) -> Sum:
        """An addition, a flatten, or something that changes nothing."""
        called = node.target if node.op == "call_function" else f".{node.target}"
        if called in ADDITIONS or called in (".add", ".add_"):
            return self.addition(node)
        if called in (torch.flatten, ".flatten"):
            heard, shape = self.heard(node)
            given = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False))
            axes: dict[str, Any] = {"start_dim": 0, "end_dim": -1, **given, **node.kwargs}
            made = flattened(int(axes["start_dim"]), int(axes["end_dim"]), self.lead)
            self.same_shape(made, shape, node)
            return self.new(node.name, made, heard)
        if called in (".contiguous", ".clone", ".float", ".double"):
            return self.heard(node)[0]
        raise UnsupportedNode(
            "cannot be lowered; what can be is layers, additions of two tensors, and flatten"
        )

    def join(self, name: str, layer: nn.Module, node: fx.Node) -> Sum:
        """A module that puts two branches together."""
        if isinstance(layer, Add):
            return self.addition(node)
        given = {**dict(zip("as", node.args, strict=False)), **node.kwargs}
        a, s = (given[key] for key in "as")
        assert isinstance(a, fx.Node) and isinstance(s, fx.Node)
        self.same_shapes(a, s)
        return joined(self, name, layer, self.values[a], self.values[s], self.shapes[a])

    def addition(self, node: fx.Node) -> Sum:
        """A sum is two edges into whatever hears it."""
        given = [*node.args, *(v for k, v in node.kwargs.items() if k == "other")]
        if any(k != "other" for k in node.kwargs):
            raise UnsupportedNode(
                f"has arguments {sorted(node.kwargs)}; a plain sum can be lowered"
            )
        tensors = [a for a in given if isinstance(a, fx.Node)]
        if len(given) != 2 or len(tensors) != 2:
            raise UnsupportedNode(
                "adds a number or a parameter; put it into a bias. A sum of two tensors can be "
                "lowered"
            )
        first, second = tensors
        self.same_shapes(first, second)
        total = (*self.values[first], *self.values[second])
        if len(set(total)) < len(total):
            raise UnsupportedNode(
                "adds a value to itself, and a graph has no edge twice; double the weights instead"
            )
        return total

    def same_shapes(self, first: fx.Node, second: fx.Node) -> None:
        """What is joined must not be stretched."""
        if self.shapes[first] != self.shapes[second]:
            raise UnsupportedNode(
                f"joins shapes {list(self.shapes[first])} and {list(self.shapes[second])}; the "
                "two must be the same"
            )

    def same_shape(self, made: Node, shape: Shape, node: fx.Node) -> None:
        """The node must turn shapes as torch did."""
        found, real = made.output_shape(shape), self.shapes[node]
        if found != real:
            raise UnsupportedNode(f"gives shape {list(real)}; its node would give {list(found)}")

    def output(self, given: Any) -> None:
        """One tensor, or several as a tuple or dict."""
        named = named_outputs(given)
        if not named or not all(isinstance(v, fx.Node) for v in named.values()):
            raise UnsupportedNode("forward must return a tensor, or a tuple or dict of tensors")
        for name, value in named.items():
            self.new(name, Output(self.shapes[value]), self.values[value])
