"""Network -> the pieces that run it: who hears whom, through what, and where biases go."""

from dataclasses import replace

import numpy as np

from ...core.arrays import Numbers, Shape
from ...core.chip_nodes import ChipNeuron, hop
from ...core.nodes import Delay, Flatten, Input, Neuron, Node, Output
from ...core.pipeline import Pipeline
from ...core.schedule import Program
from . import pieces
from .constants import constants
from .pieces import Piece, shaped
from .plan import Plan, piece_of


def plan(program: Program, timing: Pipeline, interval: int) -> Plan:
    """The plan for samples of `interval` steps."""
    return Planner(program, timing, interval).plan()


class Planner:
    """Turns a program into pieces."""

    def __init__(self, program: Program, timing: Pipeline, interval: int) -> None:
        self.program = program
        self.timing = timing
        self.interval = interval
        self.nodes = program.network.nodes
        self.added = constants(program, interval)
        self.pieces: dict[str, Piece] = {}
        self.currents: dict[str, Numbers] = {}

    def plan(self) -> Plan:
        """All of it."""
        for edge in self.program.network.edges:
            self.add_wait(*edge)
        for name, node in self.nodes.items():
            self.add_node(name, node)
        self.part_repeats()
        self.mark_binary()
        outputs = {n: self.apart(n, self.heard(n)) for n in self.program.network.outputs}
        added = {n: self.added[n] for n in outputs if n in self.added}
        return Plan(
            self.program, self.timing, self.interval, self.pieces, outputs, added, self.currents
        )

    # --- who hears whom ----------------------------------------------------------------------

    def width(self, source: str, target: str) -> int:
        """Steps at the start of a sample in which the edge carries the sample before."""
        node = self.nodes[target]
        held = node.least if isinstance(node, Delay) else 0
        return held + ((source, target) in self.program.back_edges)

    def waits(self, source: str, target: str) -> bool:
        """Whether the edge needs a process of its own."""
        return self.timing.wait[source, target] > 0 or self.width(source, target) > 0

    def heard(self, name: str) -> tuple[str, ...]:
        """The pieces whose outputs a node sums."""
        found: list[str] = []
        for source in self.program.now[name] + self.program.before[name]:
            if self.waits(source, name):
                found.append(edge_name(source, name))
            else:
                found += self.given(source)
        return tuple(found)

    def given(self, name: str) -> tuple[str, ...]:
        """The pieces that a node's output is the sum of. Flatten and Delay are no processes:
        ports are reshaped, and a delay is in the shifts, but for what some elements wait longer
        than others."""
        node = self.nodes[name]
        if isinstance(node, Flatten) or (isinstance(node, Delay) and node.least == node.most):
            return self.heard(name)
        return (piece_of(name),)

    # --- pieces ------------------------------------------------------------------------------

    def add(self, piece: Piece) -> None:
        """Add one."""
        self.pieces[piece.name] = piece

    def add_wait(self, source: str, target: str) -> None:
        """The process of an edge that waits, or is closed at the start of each sample."""
        if not self.waits(source, target):
            return
        steps = self.timing.wait[source, target]
        told = {"steps": steps, "width": self.width(source, target)}
        takes = shaped(self.program.shapes[source])
        kind = "line" if steps else "gate"
        heard_at = self.timing.shift[target] - hop(self.nodes[target])
        hears = self.given(source)
        self.add(Piece(edge_name(source, target), kind, takes, heard_at, hears, told))

    def add_node(self, name: str, node: Node) -> None:
        """The process of a node, and of a constant current into it."""
        shift = self.timing.shift[name]
        match node:
            case Input():
                takes, binary = shaped(node.shape), node.content == "spikes"
                self.add(Piece(piece_of(name), "stream", takes, shift, binary=binary))
            case Neuron() | ChipNeuron():
                self.add_neuron(name, node, shift)
            case Delay() if node.least < node.most:
                extra = {"steps": np.asarray(node.steps) - node.least}
                kept = Piece(piece_of(name), "hold", node.steps.shape, shift, arrays=extra)  # type: ignore[union-attr]
                self.add(replace(kept, hears=self.heard(name)))
            case Output() | Flatten() | Delay():
                return
            case _:
                takes = shaped(self.takes(name))
                made = pieces.synapse(piece_of(name), node, takes, shift, graded=True)
                self.add(replace(made, hears=self.heard(name)))

    def takes(self, name: str) -> Shape:
        """Shape of what a node hears."""
        return self.program.shapes[self.program.network.sources[name][0]]

    def add_neuron(self, name: str, node: Neuron | ChipNeuron, shift: int) -> None:
        """A population. A constant that a plain LIF hears is a bias of its membrane; elsewhere,
        or where it changes in the first steps, it is a current."""
        current = self.current(name, node)
        plain = isinstance(node, Neuron) and node.decay_u is None
        to_membrane = current is not None and plain and len(current) == 1
        bias = current[0] if current is not None and to_membrane else None
        made = pieces.neuron(piece_of(name), node, shift, bias)
        hears = self.heard(name)
        if current is not None and not to_membrane:
            source = constant_piece(name, current, shift)
            self.currents[name] = current
            self.add(source)
            hears += (source.name,)
        self.add(replace(made, hears=hears))

    def current(self, name: str, node: Neuron | ChipNeuron) -> Numbers | None:
        """What is added to a population's drive, [k, *shape]; None: nothing."""
        added = self.added.get(name)
        if isinstance(node, ChipNeuron) and node.current is not None and node.current.any():
            own = np.broadcast_to(node.current, (1, *node.shape))
            return own if added is None else added.astype(np.int64) + own
        return added

    def part_repeats(self) -> None:
        """Lava connects two ports once. A piece that hears another twice, by two ways that are
        no processes, gets a Gate that is never closed for the second."""
        for piece in list(self.pieces.values()):
            self.add(replace(piece, hears=self.apart(piece.name, piece.hears)))

    def apart(self, reader: str, hears: tuple[str, ...]) -> tuple[str, ...]:
        """The same pieces, each once."""
        found: list[str] = []
        for name in hears:
            if name in found:
                between = f"again/{len(self.pieces)}/{reader}"
                source = self.pieces[name]
                takes, told = self.gives(name), {"steps": 0, "width": 0}
                self.add(Piece(between, "gate", takes, source.shift, (name,), told))
                name = between
            found.append(name)
        return tuple(found)

    def gives(self, name: str) -> Shape:
        """Shape of a piece's output."""
        kind, _, node = name.partition("/")
        return shaped(self.program.shapes[node]) if kind == "node" else self.pieces[name].takes

    def mark_binary(self) -> None:
        """Synapses that hear one source of 0 and 1 take spikes; all others graded messages."""
        for piece in list(self.pieces.values()):
            if "graded" in piece.told:
                graded = not (len(piece.hears) == 1 and self.is_binary(piece.hears[0], set()))
                self.add(replace(piece, told={**piece.told, "graded": graded}))

    def is_binary(self, name: str, seen: set[str]) -> bool:
        """Whether the piece sends 0 and 1 only."""
        piece = self.pieces[name]
        if piece.kind in ("line", "gate", "hold") and name not in seen and len(piece.hears) == 1:
            return self.is_binary(piece.hears[0], seen | {name})
        return piece.binary


def edge_name(source: str, target: str) -> str:
    """Name of the piece of an edge; node names hold no slash."""
    return f"edge/{source}/{target}"


def constant_piece(name: str, current: Numbers, shift: int) -> Piece:
    """A constant current into a population, the same in every sample."""
    shape = shaped(current.shape[1:])
    rows = current.reshape(len(current), *shape)
    return Piece(f"constant/{name}", "stream", shape, shift, arrays={"values": rows})
