"""A lowered network as a torch module: x [T, B, *shape] -> outputs [T, B, *shape'].

Node by node, each over all steps at once; where a population hears its own last spikes, the way
back is walked step by step inside of it. Modules carry the nodes' names, so that weights,
recordings and errors speak of the network that was trained.

In the chip's integers, what goes forward is what the integer network computes, bit for bit
(`core.interpreter` on what `export` writes), and gradients are those of the real numbers.
"""

from collections.abc import Iterable
from dataclasses import replace

from torch import Tensor, nn

from ...core import loihi
from ...core.arrays import frozen
from ...core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from ...core.errors import SpikeportError, UnsupportedNode
from ...core.network import Network
from ...core.nodes import AvgPool2d, Conv, Flatten, Input, Linear, Neuron, Node, Output, SumPool2d
from ...core.schedule import compile
from ..layers import held, is_static, over_time
from ..spiking import Feedback
from ..surrogate import Surrogate, Triangle
from .maps import EXACT, ChipMap, Map
from .populations import ChipPopulation, RealPopulation
from .start import Start
from .straight import through

MAPS = Linear | Conv | SumPool2d | AvgPool2d | Flatten


class GraphNet(nn.Module):
    """The module of a start. Weights and biases of the layers are parameters; what a pass added,
    and the numbers of the neurons, stay as they are.

    UnsupportedNode names a node that cannot be trained on.
    """

    def __init__(
        self, start: Start, surrogate: Surrogate | None = None, detach_reset: bool = True
    ) -> None:
        super().__init__()
        if start.network.meaning.timing != "aligned":
            raise UnsupportedNode(
                f"timing is {start.network.meaning.timing!r}, a chip's own; a network whose layers "
                "hear each other in the same step can be trained on"
            )
        self.start = start
        self.program = compile(start.network)
        self.readout = start.real.meaning.readout or "mean_t"
        self.bounds: dict[str, int] = {}
        fire = surrogate or Triangle()
        for name in self.program.order:
            try:
                self.bounds[name] = self.grow(name, fire, detach_reset)
            except SpikeportError as error:
                raise type(error)(f"node {name!r}: {error}") from None
        for source, target in sorted(self.program.back_edges):
            self.check_loop(source, target)
        self.needed = self.before_output()

    # --- making ----------------------------------------------------------------------------

    def grow(self, name: str, surrogate: Surrogate, detach_reset: bool) -> int:
        """Make a node's module; returns the bound of |output| on the chip, 0 off it."""
        node, real = self.program.network.nodes[name], self.start.real.nodes.get(name)
        heard = sum(self.bounds.get(s, 0) for s in self.program.network.sources[name])
        trained = self.program.network.original(name) is not None
        match node:
            case Input():
                return 1 if node.content == "spikes" else 0
            case Output():
                return 0
            case ToChip():
                return EXACT  # no bound is known: what hears it adds up in float64
            case ChipNeuron():
                assert isinstance(real, Neuron)
                self.put(name, ChipPopulation(name, real, node, surrogate, detach_reset))
                return 1
            case ChipSynapse():
                assert real is not None
                made = ChipMap(real, node, trained, max(heard, 1))
                self.put(name, made)
                return made.bound
            case Neuron() if node.schedule is not None:
                raise UnsupportedNode(
                    f"has numbers of its own for each of {node.schedule.steps} steps (a "
                    "BNTT's), which are not fine-tuned; train with model.norm=bn"
                )
            case Neuron() if node.spiking and not node.memoryless:
                self.put(name, RealPopulation(node, surrogate, detach_reset))
                return 1
            case Linear() | Conv() | SumPool2d() | AvgPool2d() | Flatten():
                self.put(name, Map(node, trained, exactly=self.hosts(name)))
                return heard
            case _:
                raise UnsupportedNode(
                    f"a {node.kind} is not fine-tuned: what is are IF, LIF and CubaLIF in one "
                    "step, and layers and pools between them; train such a model from its start, "
                    "and quantise it after training"
                )

    def hosts(self, name: str) -> bool:
        """Whether the node computes on the host beside a chip. A Flatten changes no number."""
        on_chip = self.start.chip is not None
        return on_chip and not isinstance(self.program.network.nodes[name], Flatten)

    def put(self, name: str, module: nn.Module) -> None:
        """A module under the node's name, whose dots are levels. Kept where torch keeps modules,
        but not as attributes: a node may be called 'forward' or 'train'."""
        home: nn.Module = self
        *path, last = name.split(".")
        for part in path:
            inner = home._modules.get(part) or nn.Module()
            home._modules[part] = inner
            home = inner
        if (before := home._modules.get(last)) is not None:  # a level that others lie on
            module._modules.update(before._modules)
        home._modules[last] = module

    def at(self, name: str) -> nn.Module:
        """The node's module."""
        home: nn.Module = self
        for part in name.split("."):
            found = home._modules[part]
            assert found is not None
            home = found
        return home

    def check_loop(self, source: str, target: str) -> None:
        """UnsupportedNode unless a back edge leads from a population to itself through maps."""
        nodes, meaning = self.program.network.nodes, self.start.real.meaning
        waiting = [source]
        while waiting:
            name = waiting.pop()
            if name == target:
                continue
            node = nodes[name]
            biased = getattr(node, "bias", None) is not None
            if not isinstance(node, MAPS | ChipSynapse) or not self.program.now[name]:
                raise UnsupportedNode(
                    f"node {name!r} ({node.kind}) lies in a loop with {target!r}; only loops from "
                    "a population through layers to itself can be trained on"
                )
            if biased and meaning.back_edge_at_t0 == "nothing":
                raise UnsupportedNode(
                    f"node {name!r} has a bias that its loop does not carry at t = 0; move it "
                    "forward first (quiet_back_edges)"
                )
            waiting += self.program.now[name]

    def before_output(self) -> frozenset[str]:
        """The nodes that the output hears in the same step."""
        outputs = self.program.network.outputs
        if len(outputs) != 1 or len(self.program.network.inputs) != 1:
            raise UnsupportedNode("one Input and one Output can be trained on")
        found = {outputs[0]}
        for name in reversed(self.program.order):
            if name in found:
                found.update(self.program.now[name])
        return frozenset(found)

    # --- running ---------------------------------------------------------------------------

    def forward(self, x: Tensor) -> Tensor:
        """Outputs at every step."""
        values: dict[str, Tensor] = {}
        for name in self.program.order:
            if name in self.needed:
                heard = [values[s] for s in self.program.now[name]]
                values[name] = self.step(name, heard) if heard else x
        return values[self.program.network.outputs[0]]

    def step(self, name: str, heard: list[Tensor]) -> Tensor:
        """What a node makes of what it hears, [T, B, *shape]."""
        node = self.program.network.nodes[name]
        x = self.summed(name, heard)
        match node:
            case Output():
                return x
            case ToChip():
                scale = node.scale
                enter = through(lambda c: loihi.entered(c, scale), scale)
                return narrow(over_time(enter, x))
            case ChipNeuron():
                population = self.at(name)
                return population(x, self.feedback(name), self.bias_of(name))  # type: ignore[no-any-return]
            case Neuron():
                return self.at(name)(x, self.feedback(name))  # type: ignore[no-any-return]
            case _:
                return self.at(name)(x)  # type: ignore[no-any-return]

    def summed(self, name: str, heard: list[Tensor]) -> Tensor:
        """Several edges into one node, added up; on the chip exactly."""
        if len(heard) == 1:
            return heard[0]
        sources = self.program.network.sources[name]
        if self.start.chip is not None and sum(self.bounds[s] for s in sources) >= EXACT:
            heard = [x.double() for x in heard]
        return added(heard)

    def feedback(self, name: str) -> Feedback | None:
        """The current that a population's last spikes bring it; None if they bring none."""
        late = self.program.before[name]
        if not late:
            return None

        def current(spikes: Tensor) -> Tensor:
            heard = [self.back(source, name, spikes[None]) for source in late]
            return self.summed(name, heard)[0]

        return current

    def back(self, name: str, home: str, spikes: Tensor) -> Tensor:
        """What a node of a loop says of the spikes [1, B, *shape] of its population."""
        if name == home:
            return spikes
        heard = [self.back(s, home, spikes) for s in self.program.now[name]]
        return self.step(name, heard)

    def bias_of(self, name: str) -> Tensor | None:
        """The biases of a chip population's synapses, in real numbers, in float64."""
        network = self.program.network
        total: Tensor | None = None
        axes = len(self.program.shapes[name])
        for source in network.sources[name]:
            if isinstance(network.nodes[source], ChipSynapse):
                bias = self.at(source).bias
                if isinstance(bias, Tensor):
                    laid = bias.double().reshape(-1, *(1,) * (axes - 1))
                    total = laid if total is None else total + laid
        return total

    # --- what was learned ------------------------------------------------------------------

    def network(self) -> Network:
        """The network in real numbers, with the weights and biases that it has now."""
        real = self.start.real
        nodes: dict[str, Node] = dict(real.nodes)
        for name, node in real.nodes.items():
            if isinstance(node, Linear | Conv):
                layer = self.at(name)
                numbers = {
                    key: frozen(values.detach().double().cpu().numpy())
                    for key in ("weight", "bias")
                    if isinstance(values := getattr(layer, key), Tensor)
                }
                nodes[name] = replace(node, **numbers)  # type: ignore[arg-type]
        return real.changed(nodes=nodes)


def narrow(x: Tensor) -> Tensor:
    """Whole numbers [T, B, *shape] in float32, if that holds them."""
    seen = x[0] if is_static(x) else x
    if seen.detach().abs().max() >= EXACT:
        return x
    return held(seen.float(), len(x)) if is_static(x) else seen.float()


def added(values: Iterable[Tensor]) -> Tensor:
    """The sum of signals [T, B, *shape]; held if all of them are."""
    given = list(values)
    if len(given) > 1 and all(is_static(x) for x in given):
        return held(added(x[0] for x in given), len(given[0]))
    total = given[0]
    for more in given[1:]:
        total = total + more
    return total
