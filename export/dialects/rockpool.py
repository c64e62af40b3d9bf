"""Rockpool 3: exponential decays, the current decayed after its input was added, r = tau / dt ·
exp(-dt / tau); it fires at the threshold, too, and by default several times a step; a bias and
recurrent weights are dropped without a word; the batch axis stands in the ports."""

from typing import Any

import numpy as np

from ...core.arrays import Array, frozen
from ...core.errors import NetworkError, UnsupportedNode
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
    without_batch,
)

SPIKES = Question(
    "spikes", "whether a neuron fires once a step (max_spikes_per_dt=1)", ("single", "multi")
)
BIAS = Question("bias", "the neurons' bias current", ("0",), "0")
LOOP = Question("has_rec", "whether a layer has weights of its own spikes", ("false",), "false")


def neuron(kind: str, fields: Fields, name: str, reading: Reading) -> Neuron:
    """LIFTorch (CubaLIF), LIFNeuronTorch (LIF), ExpSynTorch (LI)."""
    if kind not in ("LI", "LIF", "CubaLIF"):
        raise UnsupportedNode(f"is a {kind}, which Rockpool's exporter does not write")
    shape, dt = tuple(number(fields, "r").shape), reading.step()
    alpha = kept(fields, "tau_mem" if kind == "CubaLIF" else "tau", dt)
    if kind == "LI":
        return Neuron(shape, alpha, gain_v=alpha)
    if reading.answers["spikes"] == "multi":
        raise UnsupportedNode("fires several times a step; no node does. Train for one at most")
    more: dict[str, Any] = {}
    if kind == "CubaLIF":
        beta = kept(fields, "tau_syn", dt)
        more = {"decay_u": beta, "gain_u": beta}
    threshold = number(fields, "v_threshold")
    return Neuron(shape, alpha, threshold, reset="subtract", compare=">=", **more)


def kept(fields: Fields, tau: str, dt: float) -> Array:
    """What is left of a state after one step."""
    return frozen(np.exp(-dt / number(fields, tau)))


def steps_of(kind: str, fields: Fields) -> Array:
    """dt of every neuron: r = exp(-y) / y with y = dt / tau, solved by Newton's method."""
    r = np.atleast_1d(number(fields, "r"))
    y = np.log1p(1 / r)
    for _ in range(50):
        y = y - (y * np.exp(y) - 1 / r) / (np.exp(y) * (1 + y))
    return frozen(y * number(fields, "tau_mem" if kind == "CubaLIF" else "tau"))


def step(raw: RawGraph, said: float | None) -> float | None:
    """dt, which r tells to within float32: taken if a short number, else to be said."""
    found = [steps_of(kind, fields) for kind, fields in populations(raw).values()]
    if not found:
        return said
    about = float(np.median(np.concatenate([np.ravel(values) for values in found])))
    told = float(f"{about:.4g}") if said is None else said
    if any((abs(np.ravel(values) / told - 1) > 1e-5).any() for values in found):
        raise NetworkError(
            f"its r tells steps of about {about:.6g} s, not {told:g} s; say its --dt"
        )
    return told


def always(kind: str, fields: Fields, name: str) -> None:
    """What its exporter writes for every population."""
    numbers_are(fields, name, v_leak=0, v_reset=0, w_in=1)


def fits(raw: RawGraph) -> list[str]:
    """The batch axis, and one dt that r tells."""
    refuse_unless(batched(raw) is not None, "no Output has the batch as its first axis")
    found = []
    for name, (kind, fields) in populations(raw).items():
        refuse_unless(kind in ("LI", "LIF", "CubaLIF"), f"{name!r} is a {kind}")
        always(kind, fields, name)
        r = number(fields, "r")
        refuse_unless(bool((r > 0).all() and (r != 1).any()), f"{name!r}: r is 1, or not positive")
        found += list(np.ravel(steps_of(kind, fields)))
    refuse_unless(bool(found), "it has no neurons")
    one = bool(max(found) - min(found) <= 1e-4 * max(found))
    refuse_unless(one, "r = tau / dt exp(-dt / tau) tells no common dt")
    return [f"r = tau / dt · exp(-dt / tau) in every population, with dt = {found[0]:.4g} s"]


ROCKPOOL = Dialect(
    "rockpool",
    "Rockpool 3",
    neuron,
    fits,
    (SPIKES, BIAS, LOOP),
    step,
    mended=without_batch,
    always=always,
)
