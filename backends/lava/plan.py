"""Network -> the Lava processes that run it, and when each of them is in which step.

A value of time t of a node with shift k is there at chip step n T + t + k (sample n of T steps,
steps from 0): `core.pipeline` finds the shifts. Edges that wait get a Line; edges that cross
steps (back edges, delays) are closed at the start of each sample, so that no sample leaks into
the next. Every loop holds a synapse or a Line, without which Lava's runtime would wait for ever:
the shifts of a loop can only meet if it does.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.arrays import Array, Numbers
from ...core.chip_nodes import hop
from ...core.pipeline import Pipeline, pipeline
from ...core.schedule import Program
from .pieces import Piece, shaped


@dataclass(frozen=True)
class Kept:
    """What the sink keeps of one node."""

    name: str
    hears: tuple[str, ...]
    node: str
    dtype: str


@dataclass(frozen=True)
class Plan:
    """The pieces for samples of `interval` steps, without the inputs' numbers. added: what the
    host adds to an output, [k, *shape]. currents: population -> its constant current."""

    program: Program
    timing: Pipeline
    interval: int
    pieces: Mapping[str, Piece]
    outputs: Mapping[str, tuple[str, ...]]  # Output -> the pieces it hears
    added: Mapping[str, Numbers]
    currents: Mapping[str, Numbers]

    @cached_property
    def arrays(self) -> dict[str, Numbers]:
        """Everything that does not change from run to run, by its key on the wire."""
        return {f"{p.name}/{k}": v for p in self.pieces.values() for k, v in p.arrays.items()}

    def kept(self, record: Collection[str]) -> list[Kept]:
        """The outputs, and the spikes of some populations."""
        found = [Kept(f"output/{n}", hears, n, "<f8") for n, hears in self.outputs.items()]
        return found + [Kept(f"spikes/{n}", (piece_of(n),), n, "|u1") for n in record]

    def needed(self, kept: Collection[Kept]) -> list[Piece]:
        """The pieces that what is kept depends on."""
        found: set[str] = set()
        ahead = [name for one in kept for name in one.hears]
        while ahead:
            name = ahead.pop()
            if name not in found:
                found.add(name)
                ahead += self.pieces[name].hears
        return [piece for name, piece in self.pieces.items() if name in found]

    def described(
        self, count: int, record: Collection[str], states: Mapping[str, Collection[str]]
    ) -> dict[str, Any]:
        """For the wire. count: steps of all samples. states: population -> of v and u, what is
        kept at each step."""
        kept = self.kept(record)
        shift = self.timing.shift
        return {
            "interval": self.interval,
            "count": count,
            "steps": count + self.timing.depth,
            "pieces": [piece.described() for piece in self.needed(kept)],
            "kept": [
                {
                    "name": one.name,
                    "hears": list(one.hears),
                    "shape": list(shaped(self.program.shapes[one.node])),
                    "shift": shift[one.node],
                    "dtype": one.dtype,
                }
                for one in kept
            ],
            "states": [
                {"name": n, "piece": piece_of(n), "states": list(which), "shift": shift[n]}
                for n, which in states.items()
            ],
        }


def piece_of(node: str) -> str:
    """Name of a node's own piece."""
    return f"node/{node}"


def timing_of(program: Program) -> Pipeline:
    """When each node runs; NetworkError names a loop that cannot be timed."""
    return pipeline(program, hop)


def rows_of(rows: int, interval: int) -> NDArray[np.int32]:
    """Which row holds at each step of a sample [T]: the last one from its step on."""
    return np.minimum(np.arange(interval, dtype=np.int32), rows - 1)


def with_added(plan: Plan, name: str, heard: Array) -> Array:
    """An output [T, B, *shape] with what biases add to it."""
    if name not in plan.added:
        return heard
    rows = rows_of(len(plan.added[name]), plan.interval)
    total: Array = heard + plan.added[name][rows][:, None]
    return total
