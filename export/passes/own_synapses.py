"""A synapse that several populations hear gets a copy for each, where each needs its own numbers:
a residual stream's convolution is heard by every later block. Exact; the synapses of K blocks
grow with K^2, as the fan-in of a chip without graded messages must."""

from dataclasses import dataclass

from ...core.network import Network
from ...core.nodes import BatchNorm, Conv, Linear, Neuron, Node
from ...core.schedule import compile
from .edit import free_name
from .fold_gain import FoldGain


@dataclass(frozen=True)
class OwnSynapses:
    """Copies for the norms that hear a shared layer, or for the populations.

    norms: for norms, which fold into what they hear; else for populations. unless: a fold
    whose gain the population has already; then weights may stay shared.
    """

    norms: bool = False
    unless: FoldGain | None = None
    name: str = "own_synapses"

    def apply(self, network: Network) -> Network:
        """Every Linear or Conv with several targets of which one needs its own."""
        nodes, origin = dict(network.nodes), dict(network.origin)
        moved: dict[tuple[str, str], str] = {}  # edge -> the copy that takes it over
        late = {target for _, target in compile(network).back_edges}
        for name in network.named(Linear, Conv):
            if name in late:  # a copy would hear this step where the layer hears the one before
                continue
            targets = network.targets[name]
            alone = [t for t in targets if self.wanted(network, name, t)]
            for target in alone[1 if len(alone) == len(targets) else 0 :]:
                moved[name, target] = free_name(network, f"{name}.to.{target}")
        if not moved:
            return network
        edges = [(moved.get((a, b), a), b) for a, b in network.edges]
        for (name, _), copied in moved.items():
            nodes[copied], origin[copied] = nodes[name], None
            edges += [(source, copied) for source in network.sources[name]]
        return network.changed(nodes=nodes, edges=tuple(edges), origin=origin)

    def wanted(self, network: Network, source: str, target: str) -> bool:
        """Whether this edge needs weights of its own. A listed back edge keeps its name."""
        node: Node = network.nodes[target]
        if (source, target) in (network.meaning.back_edges or ()):
            return False
        if self.norms:
            return isinstance(node, BatchNorm)
        if not (isinstance(node, Neuron) and node.spiking) or node.memoryless:
            return False
        return self.unless is None or self.unless.wanted(node) is not None
