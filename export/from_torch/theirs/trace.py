"""A model of another library as a torch.fx graph, and the shapes of its values."""

import inspect
from typing import Any

import torch
from torch import fx, nn

from ....core.errors import UnsupportedNode
from .. import trace
from .kinds import leaf, opened, over_time, population


class Tracer(trace.Tracer):
    """Leaves: their neurons and layers, and torch's. A container that runs its layers step by
    step out of a sequence is followed, and these layers are noted in `stepped`."""

    def __init__(self, size: tuple[int, ...]) -> None:
        super().__init__()
        self.size = size
        self.stepped: set[str] = set()

    def proxy(self, node: fx.Node) -> fx.Proxy:
        if node.op == "placeholder" and len(self.graph.nodes) == 1:
            return Sequence(node, self, self.size)
        return super().proxy(node)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, nn.Sequential) and not leaf(m):
            return False
        return leaf(m) or super().is_leaf_module(m, module_qualified_name)

    def follow(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        inner = opened(m)
        if inner is None:
            return super().follow(m, forward, args, kwargs)
        (x,) = args
        for layer in inner:
            for each in layer.modules():
                self.stepped.add(self.path_of_module(each))
            x = layer(x)
        return x


class Sequence(fx.Proxy):
    """The input [T, B, *shape] of a forward that loops over as many steps as it has."""

    def __init__(self, node: fx.Node, tracer: fx.Tracer, size: tuple[int, ...]) -> None:
        super().__init__(node, tracer)
        self.whole = torch.Size(size)

    @property
    def shape(self) -> torch.Size:
        """As a tensor has it."""
        return self.whole

    def size(self, dim: int | None = None) -> Any:
        """As a tensor has it."""
        return self.whole if dim is None else self.whole[dim]

    def __len__(self) -> int:
        return self.whole[0]

    def __iter__(self) -> Any:
        return (self.__getitem__(t) for t in range(len(self)))


def traced(model: nn.Module, size: tuple[int, ...]) -> tuple[fx.Graph, set[str]]:
    """The model's graph for its first argument, the others at their defaults, and the names of
    the layers that see one step at a time. size: of an input with time, for loops over it."""
    tracer = Tracer(size)
    defaults = defaults_of(model)
    try:
        graph = tracer.trace(model, concrete_args=defaults or None)
    except UnsupportedNode:
        raise
    except Exception as error:  # tracing runs the user's code, which may raise anything
        raise UnsupportedNode(
            f"{type(model).__name__}.forward cannot be followed: {error}. What can be is a "
            "forward without branches, loops or numbers taken from the data: one time step, "
            "[B, *shape], or layers that take the whole sequence, [T, B, *shape]; lower the part "
            "of the model that is so"
        ) from error
    first = next(node for node in graph.nodes if node.op == "placeholder")
    for node in reversed(list(graph.nodes)):  # fx checks in the graph that a default stayed one
        checks = node.op == "call_function" and "_assert_is_none" in str(node.target)
        if checks or (node.op == "placeholder" and node is not first and not node.users):
            graph.erase_node(node)
    return graph, tracer.stepped


def defaults_of(model: nn.Module) -> dict[str, Any]:
    """The arguments of forward after the first that are None unless given: states, mostly."""
    others = list(inspect.signature(model.forward).parameters.values())[1:]
    for other in others:
        if other.default is inspect.Parameter.empty and other.kind is other.POSITIONAL_OR_KEYWORD:
            raise UnsupportedNode(
                f"{type(model).__name__}.forward wants {other.name!r} beside its input; a model "
                "whose populations keep their own state (snnTorch: init_hidden=True), or whose "
                "state may be None (Norse), can be lowered"
            )
    return {other.name: None for other in others if other.default is None}


def takes_sequences(model: nn.Module, stepped: set[str]) -> bool:
    """Whether the model takes [T, B, *shape], told from its populations."""
    found = {
        name: over_time(layer)
        for name, layer in model.named_modules()
        if population(layer) and name not in stepped and not within(name, model)
    }
    if len(set(found.values())) > 1:
        one, other = (next(n for n, m in found.items() if m is mode) for mode in (True, False))
        raise UnsupportedNode(
            f"population {one!r} takes sequences and {other!r} single steps; set one mode for all"
        )
    return bool(stepped) or any(found.values())


def within(name: str, model: nn.Module) -> bool:
    """Whether the module is inside of a population, such as a recurrent container."""
    parents = [name.rpartition(".")[0]]
    while parents[-1]:
        parents.append(parents[-1].rpartition(".")[0])
    return any(population(model.get_submodule(parent)) for parent in parents if parent)


class Watch(trace.Watch):
    """Notes the shapes. Populations may give (spikes, state): the value is the spikes."""

    def __init__(
        self, model: nn.Module, graph: fx.Graph, sample: torch.Tensor, stepped: set[str], lead: int
    ) -> None:
        super().__init__(model, graph, sample, lead)
        self.stepped = stepped
        self.pairs: set[fx.Node] = set()  # values that are (spikes, state)

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.op == "call_module" and isinstance(value, tuple):
            self.pairs.add(n)
            self.shapes[n] = tuple(value[0].shape[self.lead :])
        return value

    def hint(self, layer: nn.Module | None) -> str:
        """Our own layers are none of theirs."""
        return ""

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        if target not in self.stepped:
            return super().call_module(target, args, kwargs)
        x = args[0][0] if isinstance(args[0], tuple) else args[0]
        given = super().call_module(target, (x[0], *args[1:]), kwargs)
        if isinstance(given, tuple):
            return (given[0].expand(len(x), *given[0].shape), *given[1:])
        return given.expand(len(x), *given.shape)
