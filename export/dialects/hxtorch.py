"""hxtorch, for BrainScaleS-2: time constants in milliseconds (seconds in its first exporter), r in
seconds; w_in = 1 means that the current takes x undivided; the membrane hears the current of the
step before, so that every synapse costs a step; dt, refractory periods and all terms beside the
leak are dropped. It starts at v_leak. Read from its source: it wants BrainScaleS' own software."""

import re
from typing import Any

import numpy as np

from ...core.arrays import Array, frozen
from ...core.errors import UnsupportedNode
from ...core.hdf5 import RawGraph
from ...core.nodes import Neuron
from .base import (
    Dialect,
    Fields,
    Question,
    Reading,
    number,
    numbers_are,
    populations,
    refuse_unless,
    unbatched,
)

CUBA = ("CubaLI", "CubaLIF")
QUESTIONS = (
    Question("tau", "the unit of time constants, which has changed", ("ms", "s"), None, CUBA),
    Question("refractory_time", "how long a neuron rests after a spike", ("0",), "0"),
    Question("adaptation", "adaptation and exponential terms", ("none",), "none", CUBA),
    Question("c_mem", "a readout's capacitance times its leak", ("tau_mem",), "tau_mem", CUBA[:1]),
)
SECONDS = {"ms": 1e-3, "s": 1.0}


def neuron(kind: str, fields: Fields, name: str, reading: Reading) -> Neuron:
    """LIF, AELIF (CubaLIF), LI (CubaLI)."""
    if kind not in CUBA:
        raise UnsupportedNode(f"is a {kind}, which hxtorch's exporter does not write")
    if name in reading.looped:
        raise UnsupportedNode("hears itself; hxtorch's exporter writes no loops")

    def leak(tau: str) -> Array:
        return frozen(reading.step() / (number(fields, tau) * SECONDS[reading.answers["tau"]]))

    r, rest = number(fields, "r"), number(fields, "v_leak")
    membrane = leak("tau_mem")
    how: dict[str, Any] = {"decay_u": frozen(1 - leak("tau_syn")), "gain_v": frozen(r * membrane)}
    decay = frozen(1 - membrane)
    if kind == "CubaLI":
        if rest.any():
            raise UnsupportedNode("starts at a v_leak other than 0, and a node starts at 0")
        return Neuron(tuple(r.shape), decay, **how)
    threshold, reset = number(fields, "v_threshold"), number(fields, "v_reset")
    return Neuron(tuple(r.shape), decay, frozen(threshold - rest), v_reset=frozen(reset - rest),
                  **how)  # fmt: skip


def mended(raw: RawGraph, reading: Reading) -> RawGraph:
    """What a population hears comes a step later, since its membrane hears the old current."""
    late = {name: f"{name}.old_current" for name in populations(raw)}
    nodes = dict(raw.nodes)
    for name, before in late.items():
        shape = number(populations(raw)[name][1], "r").shape
        nodes[before] = ("Delay", {"delay": np.full(shape, reading.step())})
    edges = [(a, late.get(b, b)) for a, b in raw.edges]
    reading.note("a membrane hears the current of the step before")
    return RawGraph(nodes, edges + [(before, name) for name, before in late.items()], raw.metadata)


def always(kind: str, fields: Fields, name: str) -> None:
    """What its exporter writes for every population."""
    numbers_are(fields, name, w_in=1)


def fits(raw: RawGraph) -> list[str]:
    """Its graph's nodes are numbers, and it has two kinds of them beside weights."""
    unbatched(raw)
    for name in raw.nodes:
        refuse_unless(bool(re.fullmatch(r"-?\d+", name)), f"{name!r} is no number")
    kinds = {made[0] for made in raw.nodes.values() if isinstance(made, tuple)}
    others = kinds - {"Input", "Output", "Linear", *CUBA}
    refuse_unless(not others, f"it has a {', '.join(sorted(others))}")
    for name, (kind, fields) in populations(raw).items():
        always(kind, fields, name)
    refuse_unless(bool(populations(raw)), "it has no neurons")
    return ["numbers for names, ports included, and CubaLI and CubaLIF with w_in = 1"]


HXTORCH = Dialect("hxtorch", "hxtorch", neuron, fits, QUESTIONS, mended=mended, always=always)
