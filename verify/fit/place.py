"""Which cores a network's populations take. Each population has cores of its own and is cut into
boxes of one size, the fewest that no known limit of a core forbids.

What a core sends depends on how the populations that hear it are cut, so they are cut first, and
again where a loop leads back, until nothing moves. What one neuron alone needs too much of,
no cut can help: the population is not placed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...core.arrays import Numbers
from .chips import CORE, Chip
from .cut import Cut, View, cuts
from .layers import Layer, Projection
from .need import Need, Store
from .window import Window

ROUNDS = 16  # of cutting again; a network without loops takes two


@dataclass(frozen=True)
class Placed:
    """A population that is cut. shared: whether its convolutions share lists and axons; needs:
    resource -> what each core needs [parts along c, y, x]; limits: what it has, None if unknown;
    each: what it needs of every projection."""

    layer: Layer
    cut: Cut
    shared: bool
    needs: Mapping[str, Numbers]
    limits: Mapping[str, int | None]
    each: tuple[Need, ...]

    def most(self, resource: str) -> int:
        """What the neediest core needs."""
        return int(self.needs[resource].max())

    @property
    def shares(self) -> dict[str, float]:
        """Resource -> the largest share of it that a core needs, where the limit is known."""
        return {r: self.most(r) / n for r, n in self.limits.items() if n}

    @property
    def fullest(self) -> float:
        """The largest share of all."""
        return max(self.shares.values())

    @property
    def limiting(self) -> str:
        """The resource that is scarcest."""
        shares = self.shares
        return max(shares, key=lambda resource: shares[resource])

    @property
    def exceeded(self) -> dict[str, tuple[int, int]]:
        """Resource -> (the neediest core's need, limit), of the known limits that are too low."""
        most = {r: (self.most(r), n) for r, n in self.limits.items() if n is not None}
        return {r: (need, n) for r, (need, n) in most.items() if need > n}


@dataclass(frozen=True)
class Unplaced:
    """A population that no cut can place: resource -> (need, limit). alone: the need is that of
    its neediest neuron; else of the neediest core, however it is cut."""

    layer: Layer
    over: Mapping[str, tuple[int, int]]
    alone: bool


@dataclass
class Placer:
    """Places layers on one kind of chip."""

    layers: Sequence[Layer]
    chip: Chip
    found: dict[str, Placed] = field(default_factory=dict)
    reaches: dict[tuple[int, Cut, bool], Numbers] = field(default_factory=dict)

    def place(self) -> list[Placed | Unplaced]:
        """All of them, in their order."""
        lost: dict[str, Unplaced] = {}
        seen: dict[str, object] = {}
        for _ in range(ROUNDS):
            before = dict(seen)
            for layer in reversed(self.layers):
                ahead = self.ahead(layer)
                if layer.name in lost or seen.get(layer.name) == ahead:
                    continue
                seen[layer.name] = ahead
                best = self.best(layer)
                if isinstance(best, Unplaced):
                    lost[layer.name] = best
                    self.found.pop(layer.name, None)
                else:
                    self.found[layer.name] = best
            if seen == before:
                break
        return [lost.get(layer.name) or self.checked(layer) for layer in self.layers]

    def ahead(self, layer: Layer) -> object:
        """How the other populations that hear a layer are cut now."""
        heard = [x for x in self.layers if any(p.source == layer.name for p in x.projections)]
        others = [self.found.get(x.name) for x in heard if x.name != layer.name]
        return [(p.layer.name, p.cut, p.shared) for p in others if p]

    def checked(self, layer: Layer) -> Placed | Unplaced:
        """With what its cores send to where everything lies in the end."""
        placed = self.found[layer.name]
        now = self.tried(layer, placed.cut, placed.shared)
        return Unplaced(layer, now.exceeded, False) if now.exceeded else now

    # --- one population ----------------------------------------------------------------------

    def best(self, layer: Layer) -> Placed | Unplaced:
        """The cut with the fewest cores, and among those the one whose fullest core has most
        to spare."""
        best: Placed | Unplaced | None = None
        for shared in self.ways(layer):
            most = best.cut.count - 1 if isinstance(best, Placed) else None
            tried = self.fewest(layer, shared, most)
            if best is None or isinstance(tried, Placed):
                best = tried
        assert best is not None
        return best

    def ways(self, layer: Layer) -> tuple[bool, ...]:
        """Whether its convolutions may share, and may not."""
        windows = [(p, w) for p in layer.projections if (w := window_of(p))]
        fit = all(self.source_view(p) in (None, w.in_view) for p, w in windows)
        return (True, False) if windows and fit else (False,)

    def source_view(self, projection: Projection) -> View | None:
        """How the source is cut; None of an input, which is on no core."""
        return next((x.view for x in self.layers if x.name == projection.source), None)

    def fewest(self, layer: Layer, shared: bool, most: int | None) -> Placed | Unplaced | None:
        """The best cut that shares, or that does not, into at most so many parts; None if
        there is none."""
        alone = dict(self.tried(layer, Cut(layer.view, (1, 1, 1)), shared).exceeded)
        if any(p.source == layer.name for p in layer.projections):
            alone.pop("output_axons", None)  # its own parts hear it: fewer may do
        if alone:
            return Unplaced(layer, alone, True)
        found: list[Placed] = []
        nearest: Placed | None = None
        for cut in self.candidates(layer):
            if found:
                most = found[0].cut.count
            if most is not None and cut.count > most:
                break
            placed = self.tried(layer, cut, shared)
            if not placed.exceeded:
                found.append(placed)
            elif nearest is None or placed.fullest < nearest.fullest:
                nearest = placed
        if not found and most is None and nearest is not None:
            return Unplaced(layer, nearest.exceeded, False)
        return min(found, key=lambda p: p.fullest) if found else None

    def candidates(self, layer: Layer) -> Iterator[Cut]:
        """Cuts whose parts have no more neurons than a core."""
        room = self.compartments(layer)
        return cuts(layer.view, None if room is None else room // self.each_takes(layer))

    def compartments(self, layer: Layer) -> int | None:
        """A core's, with the delays that the layer's synapses have."""
        most = self.chip.synapse["delay"].value
        return self.chip.compartments(layer.delay if most is None else min(layer.delay, most))

    def each_takes(self, layer: Layer) -> int:
        """Compartments that one neuron takes."""
        return self.chip.soft_reset_compartments if layer.soft_reset else 1

    def tried(self, layer: Layer, cut: Cut, shared: bool) -> Placed:
        """What every core needs under a cut, whether or not it has it."""
        each = tuple(
            p.map.need(cut, Store(self.chip.lists, p.weight_bits, p.delay), shares(p, shared))
            for p in layer.projections
        )
        zero = np.zeros(cut.shape, np.int64)
        needs = {
            "compartments": cut.neurons() * self.each_takes(layer),
            "synapse_bits": sum((n.bits for n in each), zero),
            "input_axons": sum((n.axons for n in each), zero),
            "output_axons": self.sent(layer, cut, shared),
            "decay_profiles": cut.distinct(layer.decays),
            "thresholds": cut.distinct(layer.thresholds),
        }
        limits = {r: self.chip.core[r].value for r in CORE} | {
            "compartments": self.compartments(layer)
        }
        return Placed(layer, cut, shared, needs, limits, each)

    # --- what cores send ---------------------------------------------------------------------

    def sent(self, layer: Layer, cut: Cut, shared: bool) -> Numbers:
        """Output axons of every part: one for each source and core that it reaches, more where
        the axon is shared by the channels of a pixel."""
        total = np.zeros(cut.shape, np.int64)
        for target in self.layers:
            own = target.name == layer.name
            at = None if own else self.found.get(target.name)
            if not own and at is None:
                continue  # not cut yet, or nowhere to send to
            there, way = (cut, shared) if at is None else (at.cut, at.shared)
            for p in target.projections:
                if p.source == layer.name:
                    total += self.sent_into(p, cut, there, shares(p, way))
        return total

    def sent_into(self, p: Projection, cut: Cut, there: Cut, shared: bool) -> Numbers:
        """Output axons into one projection. cut: of the source; there: of the target."""
        reach = self.reach(p, there, shared)
        if not shared:
            return cut.summed(reach.reshape(cut.view))
        assert isinstance(p.map, Window)
        groups = len(reach)
        pixels = Cut((groups, *cut.view[1:]), (1, *cut.size[1:])).summed(reach)
        wide = cut.view[0] // groups  # channels of the source in a group
        has = [
            [a < (g + 1) * wide and b > g * wide for g in range(groups)] for a, b in cut.ranges(0)
        ]
        return np.tensordot(np.array(has, np.int64), pixels, axes=1) * self.chip.lists.shared_slots

    def reach(self, p: Projection, there: Cut, shared: bool) -> Numbers:
        """How many parts each source reaches; kept, for another population is cut more rarely
        than it is asked for."""
        if p.source == p.target:
            return p.map.reach(there, shared)
        key = (id(p), there, shared)
        if key not in self.reaches:
            self.reaches[key] = p.map.reach(there, shared)
        return self.reaches[key]


def window_of(projection: Projection) -> Window | None:
    """The convolution or pool whose lists and axons could be shared."""
    return projection.map if projection.synapse and isinstance(projection.map, Window) else None


def shares(projection: Projection, shared: bool) -> bool:
    """Whether this projection's lists and axons are shared: a convolution's, if asked."""
    return shared and window_of(projection) is not None
