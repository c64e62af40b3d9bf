"""A trained module as a torch.fx graph: neurons and torch's layers are leaves, the rest is
followed. What cannot be followed is an error that names the operation and its source line."""

import copy
import linecache
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

import torch
from torch import fx, nn

from ...core.arrays import Shape
from ...core.errors import UnsupportedNode
from ...trainer import layers, norms
from ...trainer.layers import Recurrent, Whole
from ...trainer.neurons import Neuron, SingleSpike

OURS = str(Path(__file__).parent)  # a tracer's lines are no lines of the model
TRACING = Lock()
HEADS = (
    ("[B]", "the batch must stay the first axis"),
    ("[T, B]", "time and batch must stay the first two axes"),
)


class Tracer(fx.Tracer):
    """Leaves: our neurons, recurrent layers, and whatever derives from a layer of torch."""

    record_stack_traces = True

    def trace(self, *args: Any, **kwargs: Any) -> fx.Graph:
        """One tracer at a time: torch's changes what calling any module means, and puts back what
        it found, which may be another's."""
        with TRACING:
            self.thread = get_ident()
            return super().trace(*args, **kwargs)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """What another thread calls meanwhile is none of this module's."""
        if get_ident() != self.thread:
            return forward(*args, **kwargs)
        return self.follow(m, forward, args, kwargs)

    def follow(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        """A module that the one that is traced calls."""
        return super().call_module(m, forward, args, kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            return False
        kinds = (kind for kind in type(m).__mro__ if kind is not nn.Module)
        layer = any(kind.__module__.startswith("torch.nn.modules") for kind in kinds)
        return layer or isinstance(m, Neuron | SingleSpike | Recurrent | Whole)


def traced(model: nn.Module) -> fx.Graph:
    """The module's graph; UnsupportedNode where its code depends on the data."""
    try:
        return Tracer().trace(model)
    except Exception as error:  # tracing runs the user's code, which may raise anything
        raise UnsupportedNode(
            f"{type(model).__name__}.forward cannot be followed: {error}. Write it without "
            "branches, loops or numbers taken from the data, from layers of "
            "spikeport.trainer.layers and additions"
        ) from error


def shapes(model: nn.Module, graph: fx.Graph, sample: torch.Tensor) -> dict[fx.Node, Shape]:
    """Shape [*shape] of every value of the graph, for a sample [T, B, *shape]. Nothing is computed
    where the layers let themselves be run without numbers."""
    try:
        return Outline(hollow(model), graph, sample.to("meta")).watched()
    except Exception:  # whatever a layer needs numbers for; what is really wrong is said below
        return Watch(model, graph, sample).watched()


def hollow(model: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers have shapes and no numbers."""
    memo: dict[int, Any] = {
        id(p): nn.Parameter(p.detach().to("meta"), requires_grad=False) for p in model.parameters()
    }
    memo |= {id(b): b.to("meta") for b in model.buffers()}
    return copy.deepcopy(model, memo)


class Watch(fx.Interpreter):
    """Runs a graph on a sample and notes the shapes, and the first problem in our words.

    lead: how many axes a sample has before its shape: time and batch, or batch alone."""

    def __init__(
        self, model: nn.Module, graph: fx.Graph, sample: torch.Tensor, lead: int = 2
    ) -> None:
        super().__init__(fx.GraphModule(model, graph))
        self.sample = sample
        self.lead = lead
        self.head = sample.shape[:lead]
        self.shapes: dict[fx.Node, Shape] = {}
        self.problem: UnsupportedNode | None = None

    def watched(self) -> dict[fx.Node, Shape]:
        """The shapes of every value."""
        try:
            with torch.no_grad():
                self.run(self.sample)
        except Exception:  # fx wraps what went wrong in pages of its own
            if self.problem is None:
                raise
            raise self.problem from None
        return self.shapes

    def hint(self, layer: nn.Module | None) -> str:
        """What helps where a layer fails."""
        return timeless(layer)

    def run_node(self, n: fx.Node) -> Any:
        try:
            value = super().run_node(n)
        except Exception as error:  # a layer's own complaint about its input
            layer = dict(self.module.named_modules()).get(str(n.target))
            self.problem = UnsupportedNode(
                f"{described(n)} fails on a sample: {error}{self.hint(layer)}"
            )
            raise
        if isinstance(value, torch.Tensor):
            if n.op != "get_attr" and value.shape[: self.lead] != self.head:
                axes, first = HEADS[self.lead - 1]
                self.problem = UnsupportedNode(
                    f"{described(n)} turns {axes} = {list(self.head)} into a value of shape "
                    f"{list(value.shape)}; {first}"
                )
                raise RuntimeError  # fx adds pages to what is raised here; see shapes()
            self.shapes[n] = tuple(value.shape[self.lead :])
        return value


class Outline(Watch):
    """The same where nothing is computed: layers that keep the shape they get are passed by, since
    torch finds out at length what their many small operations do to it."""

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs and keeps_shape(self.fetch_attr(target), args[0]):
            return args[0]
        return super().call_module(target, args, kwargs)


def keeps_shape(layer: Any, x: torch.Tensor) -> bool:
    """Whether a layer of ours gives the shape [T, B, *shape] that it gets, by its class and the
    sizes of its numbers alone."""
    called = type(layer).forward
    if called is Neuron.forward:
        return all(t.numel() == 1 for t in (*layer.parameters(), *layer.buffers()))
    for kind, axes in ((norms.BatchNorm1d, 3), (norms.BatchNorm2d, 5)):
        if called is kind.forward:
            return x.ndim == axes and x.shape[2] == layer.num_features
    return False


def timeless(layer: nn.Module | None) -> str:
    """What helps where a layer of torch itself stands for one that knows time."""
    name = type(layer).__name__
    if layer is None or getattr(nn, name, None) is not type(layer) or not hasattr(layers, name):
        return ""
    return f"; a sample is [T, B, *shape], which spikeport.trainer.layers.{name} takes"


def described(node: fx.Node) -> str:
    """An operation and the line of source that it stands in."""
    target = node.target
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    what = {
        "call_module": "layer",
        "call_function": "function",
        "call_method": "method",
        "get_attr": "parameter or constant",
        "placeholder": "argument",
        "output": "result",
    }[node.op]
    return f"{what} {name!r}{line_of(node)}"


def line_of(node: fx.Node) -> str:
    """' (file:line: code)' of the innermost line of the model's own code."""
    own = [
        part.strip()
        for part in (node.stack_trace or "").splitlines()
        if part.strip().startswith("File ") and "/torch/" not in part and OURS not in part
    ]
    if not own:
        return ""
    file, line = own[-1].split('"')[1], own[-1].split("line ")[1].split(",")[0]
    code = linecache.getline(file, int(line)).strip()
    return f" ({file}:{line}: {code})"
