"""A quantised network in three parts: what the host computes before the chip, the chip, and what
the host computes after it.

Each part is a network of its own. Where a signal crosses, the later part has an Input of the
name of the node that it comes from.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ..core.chip_delays import hold_delays
from ..core.chip_nodes import ChipNeuron, ChipSynapse, ToChip
from ..core.errors import UnsupportedNode
from ..core.network import Edge, Network
from ..core.nodes import Delay, Flatten, Input, Node, Output
from ..core.schedule import Program


@dataclass(frozen=True)
class Split:
    """before: None where nothing enters the chip but spikes. The chip part's Inputs are Inputs of
    the network and ToChip nodes. enters: ToChip node -> Output of `before`; leaves: chip node
    -> Output of `chip`."""

    chip: Network
    before: Network | None
    after: Network
    enters: Mapping[str, str]
    leaves: Mapping[str, str]

    @property
    def host(self) -> list[str]:
        """The nodes that the host runs."""
        parts = [part for part in (self.before, self.after) if part]
        found = {n for part in parts for n in part.nodes}
        crossing = {*self.enters.values(), *self.leaves, *self.chip.inputs}
        return sorted(found - crossing | set(self.enters))


def split(program: Program) -> Split:
    """The three parts; UnsupportedNode names what is in the wrong place."""
    return Splitter(program).split()


class Splitter:
    """Cuts one network."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.network = program.network
        self.nodes = self.network.nodes
        self.chip = self.chip_nodes()

    def split(self) -> Split:
        """All three."""
        if not any(self.is_chip(n) for n in self.nodes):
            raise UnsupportedNode(
                "nothing in this network is in the chip's integers; quantise it first"
            )
        entering = [n for n in self.network.named(ToChip) if self.targets_chip(n)]
        hold_delays(self.network, self.chip)
        after = self.after_nodes()
        leaving = [n for n in after if self.is_chip(n)]
        if not leaving:
            raise UnsupportedNode("nothing that runs on the chip reaches an Output")
        enters = {name: self.fresh(f"{name} out") for name in entering}
        leaves = {name: self.fresh(f"{name} out") for name in leaving}
        before = self.before_nodes(entering)
        return Split(
            self.chip_part(leaves),
            self.part({n: self.nodes[n] for n in before}, enters) if entering else None,
            self.after_part(after),
            enters,
            leaves,
        )

    # --- which node is where -----------------------------------------------------------------

    def is_chip(self, name: str) -> bool:
        """Whether the node is in the chip's integers."""
        return isinstance(self.nodes[name], ChipSynapse | ChipNeuron)

    def targets_chip(self, name: str) -> bool:
        """Whether a node of the chip part hears it."""
        return any(target in self.chip for target in self.network.targets[name])

    def chip_nodes(self) -> set[str]:
        """The chip's nodes, and every Flatten and Delay on the way to one."""
        found = {name for name in self.nodes if self.is_chip(name)}
        ahead = list(found)
        while ahead:
            for source in self.network.sources[ahead.pop()]:
                if source not in found and isinstance(self.nodes[source], Flatten | Delay):
                    found.add(source)
                    ahead.append(source)
        return found

    def before_nodes(self, entering: Iterable[str]) -> set[str]:
        """What the host computes for the chip."""
        found = self.upstream(entering, self.is_chip)
        for name in sorted(found):
            if self.is_chip(name):
                raise UnsupportedNode(
                    f"node {name!r} ({self.nodes[name].kind}) feeds a host part that enters the "
                    "chip again; only what comes before and after the chip can run on the host"
                )
        return found

    def after_nodes(self) -> set[str]:
        """What the host computes after the chip, with the chip's nodes and inputs it hears."""
        return self.upstream(self.network.outputs, self.is_chip)

    def upstream(self, start: Iterable[str], stop: Callable[[str], bool]) -> set[str]:
        """The nodes that lead to `start`, not beyond those where `stop` holds."""
        found: set[str] = set()
        ahead = list(start)
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += () if stop(name) else self.network.sources[name]
        return found

    # --- the parts ---------------------------------------------------------------------------

    def fresh(self, name: str) -> str:
        """A name that no node has."""
        while name in self.nodes:
            name += "'"
        return name

    def chip_part(self, leaves: Mapping[str, str]) -> Network:
        """What runs on the chip."""
        nodes: dict[str, Node] = {name: self.nodes[name] for name in self.chip}
        for name in self.chip:
            for source in self.network.sources[name]:
                if source not in self.chip:
                    nodes[source] = self.entrance(source, name)
        return self.part(nodes, leaves)

    def entrance(self, source: str, name: str) -> Input:
        """The chip's Input for a node that is not on it."""
        node = self.nodes[source]
        if isinstance(node, ToChip):
            return Input(node.shape, "analogue")
        if isinstance(node, Input) and node.content == "spikes":
            return node
        raise UnsupportedNode(
            f"node {source!r} ({node.kind}) brings real numbers to {name!r} "
            f"({self.nodes[name].kind}) on the chip; a ToChip node or an input of spikes is needed"
        )

    def after_part(self, after: set[str]) -> Network:
        """What the host computes from the chip's spikes and sums."""
        nodes: dict[str, Node] = {}
        for name in after:
            node = self.nodes[name]
            content = "spikes" if isinstance(node, ChipNeuron) else "analogue"
            shape = self.program.shapes[name]
            nodes[name] = Input(shape, content) if self.is_chip(name) else node  # type: ignore[arg-type]
        for source, target in self.program.back_edges:
            told = self.network.meaning
            late = told.timing == "aligned" and told.back_edge_at_t0 == "bias"
            if late and source in after and isinstance(self.nodes[source], ChipSynapse):
                if target in after and not self.is_chip(target):
                    raise UnsupportedNode(
                        f"back edge {source!r} -> {target!r} brings a chip synapse's sum to the "
                        "host one step late; let a neuron's spikes cross instead"
                    )
        return self.part(nodes, {})

    def part(self, nodes: Mapping[str, Node], outputs: Mapping[str, str]) -> Network:
        """A network of some nodes, with an Output for each of `outputs`."""
        made = dict(nodes)
        edges: list[Edge] = [
            (a, b) for a, b in self.network.edges if a in nodes and b in nodes and hears(made[b])
        ]
        back = tuple(edge for edge in edges if edge in self.program.back_edges)
        for name, output in outputs.items():
            made[output] = Output(self.program.shapes[name])
            edges.append((name, output))
        meaning = replace(self.network.meaning, back_edges=back)
        if meaning.timing == "pipelined":  # the program's back edges say it already
            meaning = replace(meaning, timing="aligned", back_edge_at_t0="nothing")
        return Network(made, tuple(edges), meaning)


def hears(node: Node) -> bool:
    """Whether edges may lead into the node."""
    return not isinstance(node, Input)
