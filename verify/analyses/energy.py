"""Accuracy against energy: what each further step buys, and what it costs.

The network is run once, and decided after each step; the counts up to a step are those of a run of
so many steps, since no layer looks ahead. What is counted is the network as a chip gets it: norms
folded, average pools merged into the next synapse.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...backends.protocol import Capabilities
from ...core.arrays import Numbers
from ...core.errors import DataError
from ...core.network import Network
from ...export.passes.base import run_passes
from ..compare import read_out
from ..counts import Counter, LayerCounts
from ..emulated import chip_capabilities
from ..energy import Estimate, estimates
from ..prepare import passes_for
from ..run import ReferenceBaseline


@dataclass(frozen=True)
class Point:
    """After `steps` steps: accuracy, 0 to 1, and what one sample took until then."""

    steps: int
    accuracy: float
    synaptic_operations: float
    macs: float
    energy: tuple[Estimate, ...]
    samples: int


@dataclass
class Sums:
    """What all samples took up to one step."""

    right: int = 0
    spikes: int = 0
    neuron_steps: int = 0
    counts: dict[str, LayerCounts] = field(default_factory=dict)


def against_energy(
    network: Network,
    batches: Iterable[tuple[Numbers, Numbers]],
    able: Capabilities | None = None,
) -> list[Point]:
    """A point for each step, over batches (x [T, B, *shape], labels [B]) of the same T.

    able: of the engine whose network is counted; None: a chip's. A layer whose input does not
    change in time is computed once. DataError if there are no samples.
    """
    lowered = run_passes(network, passes_for(network, able or chip_capabilities())).network
    runner, counter = ReferenceBaseline(lowered), Counter(lowered)
    sums: list[Sums] = []
    samples = 0
    for x, labels in batches:
        sums = sums or [Sums() for _ in x]
        output, spikes = runner.run(x)
        for t, so_far in enumerate(sums, 1):
            chosen = read_out(output[:t], network.meaning.readout).argmax(1)
            so_far.right += int((chosen == labels).sum())
            fired = {name: s[:t] for name, s in spikes.items()}
            so_far.spikes += sum(int(s.sum()) for s in fired.values())
            so_far.neuron_steps += sum(s.size for s in fired.values())
            for name, more in counter.count({runner.input: x[:t]}, fired).items():
                so_far.counts[name] = so_far.counts.get(name, LayerCounts(host=more.host)).plus(
                    more
                )
        samples += len(labels)
    if not samples:
        raise DataError("there are no samples to count operations on")
    integers = lowered.number_format == "loihi"
    return [point(t, so_far, samples, integers) for t, so_far in enumerate(sums, 1)]


def point(steps: int, sums: Sums, samples: int, integers: bool) -> Point:
    """The sums as a sample's share."""
    counts = sums.counts.values()
    return Point(
        steps,
        sums.right / samples,
        sum(c.synaptic_operations for c in counts) / samples,
        sum(c.macs_once for c in counts) / samples,
        tuple(estimates(sums.counts, sums.spikes, sums.neuron_steps, samples, integers)),
        samples,
    )
