"""Sinabs 2 and 3: tau counts steps and decays by exp(-1 / tau); an IAF's r = 1 means v += x; it
fires at the threshold, too, and by default several times a step, which no node can; the input's
factor 1 - exp(-1 / tau), the reset and the floor of the membrane are dropped."""

from typing import Any

import numpy as np

from ...core.arrays import frozen
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
    without_batch,
)

QUESTIONS = (
    Question("spikes", "whether a neuron fires once a step (spike_fn)", ("single", "multi")),
    Question("reset", "the reset rule (reset_fn)", ("subtract", "value")),
    Question("floor", "the least membrane (min_v_mem)", ("none", "clip")),
    Question(
        "norm_input", "whether x is scaled by 1 - exp(-1/tau)", ("true", "false"), "true", ("LIF",)
    ),
)


def neuron(kind: str, fields: Fields, name: str, reading: Reading) -> Neuron:
    """IAF (IF), LIF, ExpLeak (LI)."""
    if kind not in ("IF", "LIF", "LI"):
        raise UnsupportedNode(f"is a {kind}, which Sinabs' exporter does not write")
    shape = tuple(number(fields, "r").shape)
    more: dict[str, Any] = {}
    alpha = frozen(1.0)
    if kind != "IF":
        alpha = frozen(np.exp(-1 / number(fields, "tau")))
        if kind == "LI" or reading.answers["norm_input"] == "true":
            more["gain_v"] = frozen(1 - alpha)
    if kind == "LI":
        reading.note("an ExpLeak scales its input by 1 - exp(-1/tau) (norm_input=True)")
        return Neuron(shape, alpha, **more)
    if reading.answers["spikes"] == "multi":
        raise UnsupportedNode("fires several times a step; no node does. Train with SingleSpike")
    if reading.answers["floor"] == "clip":
        raise UnsupportedNode("has a least membrane (min_v_mem), which no node has")
    rule: Any = reading.answers["reset"]
    return Neuron(shape, alpha, number(fields, "v_threshold"), reset=rule, compare=">=", **more)


def step(raw: RawGraph, said: float | None) -> float:
    """Any will do: time constants count steps."""
    return 1e-3 if said is None else said


def always(kind: str, fields: Fields, name: str) -> None:
    """What its exporter writes for every population."""
    numbers_are(fields, name, r=1, v_leak=0, v_reset=0)
    if "tau" in fields:
        long = bool((number(fields, "tau") >= 1).all())
        refuse_unless(long, f"{name!r}: a tau below 1, which would be less than a step")


def fits(raw: RawGraph) -> list[str]:
    """r = 1, no leak, and time constants of a step or more."""
    refuse_unless(bool(populations(raw)), "it has no neurons")
    counted = False
    for name, (kind, fields) in populations(raw).items():
        refuse_unless(kind in ("IF", "LIF", "LI"), f"{name!r} is a {kind}")
        always(kind, fields, name)
        counted |= kind != "IF"
    return ["r = 1" + (" and every tau at least 1: steps, not seconds" if counted else "")]


SINABS = Dialect(
    "sinabs",
    "Sinabs 2 and 3",
    neuron,
    fits,
    QUESTIONS,
    step,
    without_batch,
    always,
    counts_steps=True,
)
