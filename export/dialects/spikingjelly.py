"""SpikingJelly 2.0: tau in seconds of a dt of the user's, r = 1/dt of an IF; it fires at the
threshold, too, and starts at v_reset; a soft reset is not exported at all."""

from typing import Any

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
    """IFNode, LIFNode and ParametricLIFNode (LIF), CUBALIFNode (CubaLIF)."""
    if kind not in ("IF", "LIF", "CubaLIF"):
        raise UnsupportedNode(f"is a {kind}, which SpikingJelly's exporter does not write")
    dt = reading.step()
    threshold, rest = number(fields, "v_threshold"), number(fields, "v_reset")
    more: dict[str, Any] = {}
    decay = frozen(1.0)
    if kind == "LIF":
        tau = undone(fields["tau"], lambda t: t * dt, np.asarray(fields["tau"]) / dt)
        decay = frozen(1 - 1 / tau)
        if close(number(fields, "r"), 1):
            more = {"gain_v": frozen(1 / tau)}
    if kind == "CubaLIF":
        if rest.any():
            raise UnsupportedNode("starts at a v_reset other than 0 but leaks towards 0")
        decay, current = (
            undone(fields[n], lambda d: dt / (1 - d), 1 - dt / np.asarray(fields[n]))
            for n in ("tau_mem", "tau_syn")
        )
        more = {"decay_u": current}
    return Neuron(tuple(threshold.shape), decay, frozen(threshold - rest), compare=">=", **more)


def step(raw: RawGraph, said: float | None) -> float | None:
    """dt where the file tells it: an IF's 1 / r, tau / r where the input is not divided."""
    found: dict[str, float] = {}
    for name, (kind, fields) in populations(raw).items():
        r = float(number(fields, "r").flat[0])
        if kind == "LIF" and not close(r, 1):
            found[name] = float(number(fields, "tau").flat[0]) / r
        if kind in ("IF", "CubaLIF"):
            tau = 1.0 if kind == "IF" else float(number(fields, "tau_mem").flat[0])
            found[name] = tau / r
    if found and max(found.values()) - min(found.values()) > NEAR * max(found.values()):
        raise NetworkError(f"its populations tell different time steps, in s: {found}")
    told = float(f"{next(iter(found.values())):.12g}") if found else None
    if told is not None and said is not None and abs(told - said) > NEAR * said:
        raise NetworkError(
            f"--dt {said} contradicts the file, whose r gives {told} s; leave it out"
        )
    if told is None and said is None and any(k == "LIF" for k, _ in populations(raw).values()):
        raise NetworkError(
            "its LIFs have r = 1, so that nothing in it tells the dt with which it was exported; "
            "say --dt (export_to_nir takes 1e-4 if it is not told another)"
        )
    return told if said is None else said


def always(kind: str, fields: Fields, name: str) -> None:
    """What its exporter writes for every population."""
    if kind == "LIF" and "v_reset" in fields:
        same = np.array_equal(number(fields, "v_leak"), number(fields, "v_reset"))
        refuse_unless(same, f"{name!r}: v_leak is not v_reset")
    if kind == "CubaLIF":
        numbers_are(fields, name, v_leak=0)
        if "w_in" in fields:
            per_step = (number(fields, n) for n in ("w_in", "tau_syn", "r", "tau_mem"))
            w_in, tau_syn, r, tau_mem = per_step
            refuse_unless(
                close(w_in * tau_mem, r * tau_syn), f"{name!r}: w_in and r tell different steps"
            )
    refuse_unless(np.ptp(number(fields, "r")) == 0, f"{name!r}: r differs within the layer")


def fits(raw: RawGraph) -> list[str]:
    """One number a layer in float64, v_leak = v_reset, and r as above."""
    unbatched(raw)
    refuse_unless(bool(populations(raw)), "it has no neurons")
    for name, (kind, fields) in populations(raw).items():
        refuse_unless(kind in ("IF", "LIF", "CubaLIF"), f"{name!r} is a {kind}")
        for key, values in fields.items():
            array = np.asarray(values)
            one = array.dtype == np.float64 and array.size and (array == array.flat[0]).all()
            refuse_unless(bool(one), f"{name!r}: {key} is not one float64 number for the layer")
        always(kind, fields, name)
        if kind == "IF":
            r = float(number(fields, "r").flat[0])
            refuse_unless(not close(r, 1), f"{name!r}: r = 1 would be a time step of 1 s")
    try:
        dt = step(raw, 1e-4)
    except NetworkError:
        dt = step(raw, None)
    return [f"one float64 number a layer, v_leak = v_reset, r of dt = {dt:g} s"]


SPIKINGJELLY = Dialect("spikingjelly", "SpikingJelly 2.0", neuron, fits, (), step, always=always)
