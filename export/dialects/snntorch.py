"""snnTorch 1.0: tau = dt / (1 - beta) and r = tau / dt with dt = 1e-4, whatever dt was meant; the
reset rule, its delay, graded spikes and a pool's padding are dropped."""

from typing import Any

import numpy as np

from ...core.arrays import Array, Numbers, frozen
from ...core.errors import NetworkError, UnsupportedNode
from ...core.hdf5 import RawGraph
from ...core.nodes import Neuron
from .base import (
    Dialect,
    Fields,
    Question,
    Reading,
    close,
    number,
    numbers_are,
    populations,
    refuse_unless,
    unbatched,
    undone,
)

DT = 1e-4
RESET = Question("reset", "the reset rule (reset_mechanism)", ("subtract", "value", "none"))
LATE = Question(
    "reset_delay", "whether the reset comes one step after the spike", ("true", "false"), "true"
)
GRADED = Question("graded_spikes_factor", "what a spike counts", ("1",), "1")


def forgotten(tau: Numbers) -> Array:
    """beta of a time constant, clipped as snnTorch does when it steps, and not when it writes."""
    with np.errstate(all="ignore"):
        return frozen(np.clip(undone(tau, wrote, 1 - DT / np.asarray(tau)), 0, 1))


def wrote(beta: Numbers) -> Numbers:
    """The exporter's formula, in its number type."""
    tau: Numbers = DT / (1 - beta)
    return tau


def neuron(kind: str, fields: Fields, name: str, reading: Reading) -> Neuron:
    """Leaky (LIF), Synaptic (CubaLIF), and both with a loop (RLeaky, RSynaptic)."""
    if kind not in ("LIF", "CubaLIF"):
        raise UnsupportedNode(f"is a {kind}, which snnTorch's exporter does not write")
    number(fields, "r")
    beta = forgotten(fields["tau" if kind == "LIF" else "tau_mem"])
    threshold = number(fields, "v_threshold")
    current: dict[str, Any] = {"decay_u": forgotten(fields["tau_syn"])} if kind == "CubaLIF" else {}
    keeps = kind == "LIF" and name not in reading.looped  # the input of the step after a spike
    return Neuron(
        tuple(threshold.shape), beta, threshold, **current, **reset(beta, threshold, keeps, reading)
    )


def reset(beta: Array, threshold: Array, keeps: bool, reading: Reading) -> dict[str, Any]:
    """The rule in the numbers of a node; `export.from_torch.theirs.snntorch` has the reasons."""
    rule, late = reading.answers["reset"], reading.answers["reset_delay"] == "true"
    if rule == "none":
        return {"reset": "subtract", "reset_amount": frozen(0.0)}
    if rule == "value":
        return {"reset": "value", "refractory": int(late and not keeps)}
    if not late:
        raise UnsupportedNode("subtracts without delay, which no node can state in snnTorch's way")
    if (beta == 0).any():
        raise UnsupportedNode("subtracts after the leak and has beta = 0, which forgets the spike")
    return {"reset": "subtract", "reset_amount": frozen(threshold / beta)}


def step(raw: RawGraph, said: float | None) -> float:
    """The exporter's own dt."""
    if said not in (None, DT):
        raise NetworkError(
            f"--dt {said}: snnTorch writes every file with dt = {DT} s; leave it out, since only "
            "with that dt the file gives back the decays that were trained"
        )
    return DT


def always(kind: str, fields: Fields, name: str) -> None:
    """What its exporter writes for every population."""
    numbers_are(fields, name, v_leak=0, v_reset=0)
    if kind in ("LIF", "CubaLIF"):
        tau = number(fields, "tau" if kind == "LIF" else "tau_mem")
        with np.errstate(all="ignore"):
            refuse_unless(
                close(number(fields, "r") * DT / tau, 1), f"{name!r}: r is not tau / 1e-4"
            )
            if kind == "CubaLIF" and "w_in" in fields:
                w_in = number(fields, "w_in") * DT / number(fields, "tau_syn")
                refuse_unless(close(w_in, 1), f"{name!r}: w_in is not tau_syn / 1e-4")


def fits(raw: RawGraph) -> list[str]:
    """r = tau / 1e-4 in every population."""
    unbatched(raw)
    refuse_unless(bool(populations(raw)), "it has no neurons")
    for name, (kind, fields) in populations(raw).items():
        refuse_unless(kind in ("LIF", "CubaLIF"), f"{name!r} is a {kind}")
        always(kind, fields, name)
    return ["r = tau / 1e-4 s in every population, and no leak or reset value"]


SNNTORCH = Dialect(
    "snntorch", "snnTorch 1.0", neuron, fits, (RESET, LATE, GRADED), step, always=always
)
