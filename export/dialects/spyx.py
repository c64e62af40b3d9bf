"""Spyx 1.0: r = beta; it tests the membrane before it updates it, so that spikes come a step
late, and resets by subtraction; an input of a recurrent layer is led into its own weights."""

import numpy as np

from ...core.arrays import frozen
from ...core.errors import NetworkError, UnsupportedNode
from ...core.hdf5 import RawGraph
from ...core.nodes import Neuron
from .base import (
    NEAR,
    Dialect,
    Fields,
    Reading,
    close,
    number,
    numbers_are,
    populations,
    refuse_unless,
    unbatched,
    undone,
)


def neuron(kind: str, fields: Fields, name: str, reading: Reading) -> Neuron:
    """IF, LIF, CuBaLIF and, with a loop, RIF, RLIF, RCuBaLIF; LI, of PSU_LIF."""
    shape = tuple(number(fields, "r").shape)
    if kind == "LI":
        tau = np.asarray(fields["tau"])
        dt = reading.step()
        return Neuron(shape, undone(tau, lambda b: dt / (1 - b), 1 - dt / tau))
    if kind not in ("IF", "LIF", "CubaLIF"):
        raise UnsupportedNode(f"is a {kind}, which Spyx's exporter does not write")
    threshold = number(fields, "v_threshold")
    beta = frozen(1.0) if kind == "IF" else number(fields, "r")
    if (beta < 0).any() or (beta > 1).any():
        raise UnsupportedNode("has a beta outside of 0 to 1, which Spyx clips as it steps")
    if kind == "CubaLIF":  # takes the threshold off before the leak
        tau, dt = np.asarray(fields["tau_syn"]), reading.step()
        alpha = undone(tau, lambda a: dt / (1 - a), 1 - dt / tau)
        return Neuron(shape, beta, threshold, decay_u=alpha, reset="subtract")
    if (beta == 0).any():
        raise UnsupportedNode("subtracts after the leak and has beta = 0, which forgets the spike")
    amount = frozen(threshold / beta)
    return Neuron(shape, beta, threshold, reset="subtract", reset_amount=amount)


def step(raw: RawGraph, said: float | None) -> float | None:
    """tau (1 - r), which is dt."""
    found = []
    for kind, fields in populations(raw).values():
        if kind in ("LIF", "CubaLIF"):
            tau = number(fields, "tau" if kind == "LIF" else "tau_mem")
            found += list(np.ravel(tau * (1 - number(fields, "r"))))
    told = float(f"{np.median(found):.6g}") if found else None
    if told is not None and said is not None and abs(told - said) > NEAR * said:
        raise NetworkError(f"--dt {said} contradicts the file, whose tau (1 - r) is {told:g} s")
    if told is None and said is None and any(k == "LI" for k, _ in populations(raw).values()):
        raise NetworkError("its LIs do not tell their dt; say --dt (to_nir takes 1 if not told)")
    return told if said is None else said


def mended(raw: RawGraph, reading: Reading) -> RawGraph:
    """What is led into a recurrent layer's weights goes to its neurons instead."""
    edges = []
    for a, b in raw.edges:
        if b.endswith(".w_rec") and a != (own := b.removesuffix("w_rec") + "lif"):
            reading.note(f"the input {a!r} of the recurrent layer goes to {own!r}, not into {b!r}")
            b = own
        edges.append((a, b))
    return RawGraph(raw.nodes, edges, raw.metadata)


def always(kind: str, fields: Fields, name: str) -> None:
    """What its exporter writes for every population."""
    numbers_are(fields, name, v_leak=0, v_reset=0, w_in=1)
    if kind in ("IF", "LI"):
        numbers_are(fields, name, r=1)


def fits(raw: RawGraph) -> list[str]:
    """r = beta = 1 - dt / tau with one dt for all."""
    unbatched(raw)
    found = populations(raw)
    steps = []
    for name, (kind, fields) in found.items():
        refuse_unless(kind in ("IF", "LIF", "CubaLIF", "LI"), f"{name!r} is a {kind}")
        always(kind, fields, name)
        r = number(fields, "r")
        if kind in ("IF", "LI"):
            continue
        refuse_unless(bool((r < 1).all() and (r >= 0).all()), f"{name!r}: r is no beta")
        steps.append(number(fields, "tau" if kind == "LIF" else "tau_mem") * (1 - r))
    refuse_unless(bool(steps), "no LIF or CubaLIF whose r could be its beta")
    first = float(steps[0].flat[0])
    alike = all(close(s / first, 1) or bool((abs(s / first - 1) < 1e-4).all()) for s in steps)
    refuse_unless(alike, "tau (1 - r) is not one dt")
    return [f"r = 1 - dt / tau in every population, with dt = {first:.4g} s"]


SPYX = Dialect("spyx", "Spyx 1.0", neuron, fits, (), step, mended, always, late=True)
