"""A live model of another library -> Network, held against the model itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ....core import interpreter
from ....core.arrays import Array, Numbers, Shape, frozen
from ....core.errors import DataError, NetworkError, UnsupportedNode
from ....core.network import Network, Readout
from ....core.nodes import Linear, Node, Output, Scale
from ....core.schedule import compile
from ....trainer.checkpoint import trained_digest
from ..lower import Builder
from ..modules import flattened, node_of
from ..neurons import Sum
from ..trace import described
from .kinds import population, refuse
from .library import kind
from .loops import Fold, repeated
from .population import Population
from .run import copied, rested, run
from .trace import Watch, takes_sequences, traced

CHECK_STEPS = 12
Path = tuple[Any, ...]  # keys that lead to a value in what forward returns
NORSE_STEPLESS = ("norse.IAF", "norse.IAFCell")  # their dt does nothing


def lower(
    model: nn.Module,
    input_shape: Shape,
    dt: float = 1e-3,
    *,
    readout: Readout | None = None,
    steps: int | None = None,
    content: str = "analogue",
) -> Network:
    """The network that a model of snnTorch, SpikingJelly or Norse computes in eval mode, in
    float64, from rest.

    model: takes one step [B, *input_shape] and keeps its state (snnTorch with init_hidden=True,
    SpikingJelly's step mode 's') or takes and returns it (Norse's cells), or takes a sequence
    [T, B, *input_shape] (step mode 'm', Norse's LIF), or loops over time in forward, over x[t] or
    the same x in every step, and returns what it stacks. What it returns beside a population's
    spikes as state is no output of the network. All else as in `from_torch.lower`.
    """
    made = twin(model, input_shape, dt, readout=readout, steps=steps, content=content)
    return made.network


def twin(
    model: nn.Module,
    input_shape: Shape,
    dt: float = 1e-3,
    *,
    readout: Readout | None = None,
    steps: int | None = None,
    content: str = "analogue",
) -> "Twin":
    """The network and, beside it, the model in float64, as a baseline for verification."""
    whole = copied(model)
    same_dt(whole, dt)
    graph, stepped = traced(whole, (CHECK_STEPS, 1, *input_shape))
    rested(whole)  # a loop in forward may have set the states out
    refused(whole, graph)
    loop = Fold(graph, whole) if repeated(graph, whole) else None
    graph = graph if loop is None else loop.graph
    lead = 2 if takes_sequences(whole, stepped) else 1
    watch = Watch(whole, graph, torch.zeros(*(1, 1)[:lead], *input_shape).double(), stepped, lead)
    watch.watched()
    rested(whole)
    builder = TheirBuilder(whole, watch, content)
    network = builder.grown(
        graph, dt=dt, readout=readout, steps=steps, trained_digest=trained_digest(model)
    )
    made = Twin(whole, builder, network, loop)
    held_against(made)
    return made


def refused(model: nn.Module, graph: fx.Graph) -> None:
    """UnsupportedNode for what no node states, before it is run and may fail in its own words."""
    modules = dict(model.named_modules())
    for node in graph.nodes:
        if node.op == "call_module":
            try:
                refuse(modules[str(node.target)])
            except UnsupportedNode as error:
                raise UnsupportedNode(f"{described(node)}: {error}") from None


def same_dt(model: nn.Module, dt: float) -> None:
    """Norse's modules step with a dt of their own."""
    for name, layer in model.named_modules():
        own = getattr(layer, "dt", dt)
        if kind(layer).startswith("norse.") and kind(layer) not in NORSE_STEPLESS and own != dt:
            raise NetworkError(
                f"population {name!r} steps by {own} s, and dt is {dt} s; say dt={own}"
            )


class TheirBuilder(Builder):
    """Takes in their populations; a value that is (spikes, state) is its spikes."""

    def __init__(self, model: nn.Module, watch: Watch, content: str) -> None:
        super().__init__(model, watch.shapes, content)
        self.lead = watch.lead
        self.stepped = watch.stepped
        self.pairs = watch.pairs
        self.states: set[fx.Node] = set()
        self.returned: dict[str, Path] = {}

    def add(self, node: fx.Node) -> None:
        """Take in one operation; of a state, nothing goes on but into what is returned."""
        known = [n for n in node.all_input_nodes if n in self.states]
        taken = getattr(node.target, "__name__", "") in ("getitem", "getattr")
        if known and taken:
            self.states.add(node)
        elif known and node.op != "output":
            raise UnsupportedNode(
                f"uses a population's state ({described(known[0])}); only its spikes can go on. "
                "A population that keeps its state itself needs none passed"
            )
        else:
            super().add(node)

    def module(self, node: fx.Node) -> Sum:
        """A population or layer of theirs, or a layer of torch."""
        name = str(node.target)
        layer = self.modules[name]
        heard, shape = self.heard(node)
        made = population(layer)
        if made is not None:
            self.once(name, layer)
            return self.populate(name, made(layer, shape), heard)
        plain = self.layer(name, layer, shape)
        if plain is None:
            return heard
        self.same_shape(plain, shape, node)
        return self.new(name, plain, heard)

    def layer(self, name: str, layer: Any, shape: Shape) -> Node | None:
        """A layer without a state."""
        if kind(layer) == "spikingjelly.VotingLayer":
            votes = layer.voting_size
            return Linear(np.repeat(np.eye(shape[0] // votes), votes, axis=1) / votes)
        if kind(layer) and type(layer).__name__.startswith("Dropout"):
            return None
        if isinstance(layer, nn.Flatten):
            sample = name in self.stepped or getattr(layer, "step_mode", "s") == "m"
            return flattened(layer.start_dim, layer.end_dim, 1 if sample else self.lead)
        return node_of(layer, shape)

    def populate(self, name: str, made: Population, heard: Sum) -> Sum:
        """The population with its maps; what others hear of it."""
        if made.before is not None:
            heard = self.new(f"{name}.input", made.before, heard)
        fired = self.new(name, made.node, heard)
        if made.back is not None:
            self.loop(self.new(f"{name}.recurrent", made.back, fired), fired)
        if made.graded is not None:
            scale = Scale(frozen(np.broadcast_to(made.graded, made.node.shape)))
            return self.new(f"{name}.graded", scale, fired)
        return fired

    def function(self, node: fx.Node) -> Sum:
        """Spikes or state out of (spikes, state), or a function of torch."""
        pair = next((n for n in node.all_input_nodes if n in self.pairs), None)
        if pair is not None and getattr(node.target, "__name__", "") == "getitem":
            if node.args[1] != 0:
                self.states.add(node)
            return self.values[pair]
        return super().function(node)

    def output(self, given: Any) -> None:
        """What forward returns, but for states."""
        found = dict(self.paths(given))
        if not found:
            raise UnsupportedNode("forward returns no spikes or numbers but states")
        for path, value in found.items():
            name = ".".join(("output", *map(str, path))) if len(found) > 1 else "output"
            self.new(name, Output(self.shapes[value]), self.values[value])
            self.returned[name] = path if value not in self.pairs else (*path, 0)

    def paths(self, given: Any) -> Iterator[tuple[Path, fx.Node]]:
        """Where in what is returned which value is."""
        if isinstance(given, fx.Node):
            if given not in self.states:
                yield (), given
        elif isinstance(given, tuple | list | dict):
            items = given.items() if isinstance(given, dict) else enumerate(given)
            for key, value in items:
                yield from (((key, *path), found) for path, found in self.paths(value))
        elif given is not None:
            raise UnsupportedNode(f"forward returns {given!r}, which is no tensor")

    def named(self, returned: Any) -> dict[str, torch.Tensor]:
        """Output -> its value, out of what forward really returned."""
        found = {}
        for name, path in self.returned.items():
            value = returned
            for key in path:
                value = value[key]
            found[name] = value
        return found


@dataclass(frozen=True, eq=False)
class Twin:
    """A model in float64 and its network. Called with x [T, B, *shape] it gives what
    `trainer.evaluate.run_recorded` gives of a model of ours: outputs and spikes."""

    model: nn.Module
    builder: TheirBuilder
    network: Network
    loop: Fold | None

    def __call__(self, x: Numbers) -> tuple[Array, dict[str, Numbers]]:
        outputs, fired = self.run(np.asarray(x, np.float64))
        shown = [outputs[name] for name in sorted(outputs)]
        if len(shown) > 1:
            shown = [np.concatenate([v.reshape(*v.shape[:2], -1) for v in shown], 2)]
        return shown[0], {n: (fired[n] != 0).astype(np.uint8) for n in self.network.trained}

    def run(self, x: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Outputs and, as others hear them, spikes; DataError for steps that a loop in forward
        cannot run."""
        sequences = self.builder.lead == 2 or self.loop is not None
        given = x
        if self.loop is not None and not self.loop.indexed:
            if len(x) != self.loop.steps or (x != x[:1]).any():
                raise DataError(
                    f"forward holds one input for {self.loop.steps} steps; x must be that many "
                    "times the same"
                )
            given = x[0]
        returned, fired = run(self.model, given, sequences)
        told = [self.builder.named(value) for value in returned]
        outputs = {
            name: told[0][name] if sequences else torch.stack([step[name] for step in told])
            for name in self.builder.returned
        }
        return arrays(outputs), arrays(fired)


def arrays(tensors: dict[str, torch.Tensor]) -> dict[str, Array]:
    """As numpy has them."""
    return {name: values.numpy() for name, values in tensors.items()}


def held_against(made: Twin) -> None:
    """The network must give the model's own spikes and outputs on a sample; else the lowering is
    wrong and nothing is handed out."""
    network, loop = made.network, made.loop
    (name, *others) = network.inputs
    if others:
        raise UnsupportedNode(f"forward takes {1 + len(others)} tensors; one can be lowered")
    steps = CHECK_STEPS if loop is None else loop.steps
    x = np.random.default_rng(11).random((steps, 2, *network.nodes[name].output_shape(())))
    if made.builder.content == "spikes":
        x = (x < 0.3).astype(np.float64)
    if loop is not None and not loop.indexed:
        x = np.broadcast_to(x[:1], x.shape)
    ours = interpreter.run(compile(network), {name: x}, ("all",))
    outputs, fired = made.run(x)
    for layer, spikes in ours.spikes.items():
        graded = network.nodes.get(f"{layer}.graded")
        amount = graded.scale if isinstance(graded, Scale) else 1.0
        wrong = int((spikes * amount != fired[layer]).sum())
        if wrong:
            raise NetworkError(
                f"the lowered network differs from the model in {wrong} of {spikes.size} spikes of "
                f"{layer!r} on a sample: its forward does more than its layers say, or this is a "
                "bug; please report it"
            )
    for out, values in ours.outputs.items():
        apart = np.abs(values - outputs[out])
        if (apart > 1e-9 * np.maximum(1, np.abs(values))).any():
            raise NetworkError(
                f"the lowered network's {out!r} is up to {apart.max():.3g} off the model's on a "
                "sample: its forward does more than its layers say, or this is a bug; please "
                "report it"
            )
