"""Norse 1.1: tau times dt; an IAF's r = 1 means v += x, a LIFCell's w_in = 1 that the current
takes x undivided; the batch axis stands in the ports; the reset is dropped. Norse starts at
v_leak."""

from typing import Any

import numpy as np

from ...core.arrays import Array, Numbers, frozen
from ...core.errors import UnsupportedNode
from ...core.hdf5 import RawGraph
from ...core.nodes import Neuron
from .base import (
    Dialect,
    Fields,
    Question,
    Reading,
    batched,
    number,
    numbers_are,
    populations,
    refuse_unless,
    undone,
    without_batch,
)

RESET = Question("reset", "the reset rule of a LIFBoxCell", ("value", "subtract"), None, ("LIF",))
V_RESET = Question("v_reset", "the value that a membrane is reset to", ("0",), "0")


def rate(tau: Numbers, dt: float) -> Array:
    """dt / tau of a time constant that was multiplied by dt."""
    inverse = undone(tau, lambda inv: dt / inv, dt / np.asarray(tau))
    return frozen(dt * inverse)


def neuron(kind: str, fields: Fields, name: str, reading: Reading) -> Neuron:
    """LIFBoxCell (LIF), LIFCell (CubaLIF), IAFCell (IF), LIBoxCell (LI)."""
    if kind in ("I", "CubaLI"):
        raise UnsupportedNode(f"is a {kind}, which Norse's exporter does not write")
    shape = tuple(number(fields, "r").shape)
    if kind == "IF":
        return Neuron(shape, frozen(1.0), number(fields, "v_threshold"))
    leak = rate(fields["tau_mem" if kind == "CubaLIF" else "tau"], reading.step())
    rest = number(fields, "v_leak")
    if kind == "LI":
        if rest.any():
            raise UnsupportedNode("starts at a v_leak other than 0, and a node starts at 0")
        return Neuron(shape, frozen(1 - leak), gain_v=leak)
    more: dict[str, Any] = {"v_reset": frozen(-rest)}
    threshold = number(fields, "v_threshold")
    if kind == "CubaLIF":
        more["decay_u"] = frozen(1 - rate(fields["tau_syn"], reading.step()))
    elif reading.answers["reset"] == "subtract":
        more = {"reset": "subtract", "reset_amount": threshold}
    return Neuron(shape, frozen(1 - leak), frozen(threshold - rest), gain_v=leak, **more)


def always(kind: str, fields: Fields, name: str) -> None:
    """What its exporter writes for every population."""
    numbers_are(fields, name, r=1, v_reset=0, w_in=1)
    for tau in (key for key in ("tau", "tau_mem", "tau_syn") if key in fields):
        short = bool((number(fields, tau) < 1).all())
        refuse_unless(short, f"{name!r}: a {tau} of 1 or more would be no seconds times dt")


def fits(raw: RawGraph) -> list[str]:
    """r = 1 everywhere, and ports with one axis more than what they lead to."""
    for name, (kind, fields) in populations(raw).items():
        always(kind, fields, name)
    name = batched(raw) or ""
    refuse_unless(bool(name), "no Output has the batch as its first axis")
    return [f"r = 1 in every population, and the batch as the first axis of {name!r}"]


NORSE = Dialect(
    "norse", "Norse 1.1", neuron, fits, (RESET, V_RESET), mended=without_batch, always=always
)
