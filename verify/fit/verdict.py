"""Does a network fit? Where its layers go, and what is in the way, in words and numbers."""

from dataclasses import dataclass, replace

from ...core.errors import ConfigError
from ...core.network import Network
from .chips import CORE, Chip
from .cut import Cut
from .layers import Layer, Projection, layers_of
from .place import Placed, Placer, Unplaced

WORDS = {  # resource -> what it is called
    "compartments": "compartments",
    "synapse_bits": "bits of synapse memory",
    "input_axons": "input axons",
    "output_axons": "output axons",
    "decay_profiles": "combinations of decays",
    "thresholds": "thresholds",
    "cores": "cores",
    "synapses": "synapses",
    "weight_bits": "bits a weight",
    "delay": "steps of delay",
}
HELP = {
    "input_axons": "fewer inputs to each neuron: pool or stride more before it, prune its weights, "
    "or put a convolution or a smaller layer in between (more cores do not help: all that a neuron "
    "hears must reach its core)",
    "synapse_bits": "fewer inputs to each neuron, pruned weights or fewer bits a weight (more "
    "cores do not help: all weights of a neuron lie on its core)",
    "output_axons": "layers behind it that take fewer cores: fewer neurons, fewer bits a weight "
    "(more cores do not help: a neuron sends to every core that hears it)",
    "compartments": "reset to a value instead of by subtraction, or shorter delays",
    "delay": "a shorter skip, or a population on the way that passes the spikes on",
    "weight_bits": "fewer bits (--bits)",
}


@dataclass(frozen=True)
class Excess:
    """A limit that is exceeded. layer: the population, None where it is the whole network."""

    layer: str | None
    resource: str
    need: int
    limit: int
    what: str
    help: str

    @property
    def over(self) -> int:
        """By how much."""
        return self.need - self.limit


@dataclass(frozen=True)
class Fit:
    """The verdict. chips: that there are; cores: that the placed layers take; unjudged: what a
    core has of which nobody has published the limit."""

    chip: Chip
    chips: int
    layers: tuple[Placed | Unplaced, ...]
    exceeded: tuple[Excess, ...]
    unjudged: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether no known limit is exceeded."""
        return not self.exceeded

    @property
    def placed(self) -> tuple[Placed, ...]:
        """The layers that are placed."""
        return tuple(x for x in self.layers if isinstance(x, Placed))

    @property
    def cores(self) -> int:
        """Taken by the layers that are placed."""
        return sum(p.cut.count for p in self.placed)

    @property
    def synapses(self) -> int:
        """Weights in memory, of the layers that are placed."""
        return sum(int(need.kept.sum()) for p in self.placed for need in p.each)

    @property
    def chips_needed(self) -> int:
        """For the layers that are placed."""
        most = self.chip.chip["synapses"].value
        by_synapses = 1 if most is None else -(-self.synapses // most)
        return max(-(-self.cores // self.chip.cores), by_synapses)


def judge(network: Network, chip: Chip, chips: int = 1, bits: int = 8) -> Fit:
    """Place a network that is lowered as for the quantiser, or quantised. bits: of a weight,
    where the network does not say. UnsupportedNode or QuantisationError names a node that cannot
    lie on a chip at all."""
    if chips < 1:
        raise ConfigError(f"--chips {chips}: at least 1 chip")
    if bits < 1:
        raise ConfigError(f"--bits {bits}: a weight has at least 1 bit")
    widest = chip.synapse["weight_bits"]
    if widest.over(bits):
        raise ConfigError(f"--bits {bits}: a synapse of {chip.title} has {widest.value} bits")
    layers = layers_of(network, bits)
    placer = Placer(layers, chip)
    found = tuple(placer.place())
    unjudged = tuple(r for r in CORE if chip.core[r].value is None)
    fit = Fit(chip, chips, found, (), unjudged)
    exceeded = [e for x in layers for e in synapse_limits(x, chip)]
    exceeded += [e for x in found if isinstance(x, Unplaced) for e in unplaced(x, placer)]
    return replace(fit, exceeded=(*exceeded, *chip_limits(fit)))


def synapse_limits(layer: Layer, chip: Chip) -> list[Excess]:
    """Projections whose weights are too wide, or whose spikes wait too long."""
    found = []
    for p in layer.projections:
        for resource, need in (("weight_bits", p.weight_bits), ("delay", p.delay)):
            limit = chip.synapse[resource]
            if limit.value is not None and limit.over(need):
                what = f"{way(p)} takes {need:,} {WORDS[resource]}; a synapse of {chip.title} has"
                what += f" {limit.value:,}: {limit.over(need):,} too many"
                found.append(Excess(layer.name, resource, need, limit.value, what, HELP[resource]))
    return found


def way(p: Projection) -> str:
    """A projection in words."""
    return " -> ".join(repr(name) for name in (p.source, p.synapse, p.target) if name)


def unplaced(lost: Unplaced, placer: Placer) -> list[Excess]:
    """Why a layer cannot be placed."""
    found = []
    for resource, (need, limit) in lost.over.items():
        over = need - limit
        who = "a neuron of {} alone takes" if lost.alone else "however {} is cut, a core takes"
        what = (
            f"{who.format(repr(lost.layer.name))} {need:,} {WORDS[resource]}"
            f"{most_of_it(lost.layer, resource)}; a core of {placer.chip.title} has {limit:,}: "
            f"{over:,} too many ({100 * over / limit:.1f} % over)"
        )
        text = HELP[resource]
        if resource == "synapse_bits" and (enough := bits_that_fit(lost.layer, placer)):
            text += f"; with {enough} bits a weight it would fit"
        found.append(Excess(lost.layer.name, resource, need, limit, what, text))
    return found


def most_of_it(layer: Layer, resource: str) -> str:
    """Which projections bring a layer's inputs."""
    if resource not in ("input_axons", "synapse_bits"):
        return ""
    return f" (through {', '.join(way(p) for p in layer.projections)})"


def bits_that_fit(layer: Layer, placer: Placer) -> int | None:
    """The most bits a weight with which each neuron of a layer finds room; None if none do."""
    widest = max(p.weight_bits for p in layer.projections)
    alone = Cut(layer.view, (1, 1, 1))
    for bits in range(widest - 1, 0, -1):
        narrow = tuple(replace(p, weight_bits=min(bits, p.weight_bits)) for p in layer.projections)
        tried = placer.tried(replace(layer, projections=narrow), alone, False)
        if "synapse_bits" not in tried.exceeded:
            return bits
    return None


def chip_limits(fit: Fit) -> list[Excess]:
    """What all layers together take too much of."""
    chip, found = fit.chip, []
    for resource, need in (("cores", fit.cores), ("synapses", fit.synapses)):
        each = chip.chip[resource].value
        if each is None or need <= each * fit.chips:
            continue
        limit = each * fit.chips
        there = "1 chip has" if fit.chips == 1 else f"{fit.chips} chips have"
        what = (
            f"the network takes {need:,} {WORDS[resource]} of {chip.title}; {there} {limit:,}: "
            f"{need - limit:,} too many ({100 * (need - limit) / limit:.1f} % over)"
        )
        text = f"--chips {fit.chips_needed}, or a smaller network"
        largest = sorted(fit.placed, key=lambda p: -p.cut.count)[:3]
        text += "; the largest layers are " + ", ".join(
            f"{p.layer.name!r} ({p.cut.count:,} cores, limited by {WORDS[p.limiting]})"
            for p in largest
        )
        found.append(Excess(None, resource, need, limit, what, text))
    return found
