"""NIR as its documents have it, with time constants in seconds: forward Euler, a strict
threshold, reset to v_reset. The user's word fills what a file cannot say."""

from ...core.hdf5 import RawGraph
from ...core.nir_read import Told, node_from
from ...core.nodes import Neuron
from .base import (
    Dialect,
    Fields,
    Question,
    Reading,
    close,
    number,
    populations,
    refuse_unless,
    unbatched,
)

RESET = Question("reset", "the reset rule", ("value", "subtract"), "value")
IF_R = Question(
    "if_r",
    "IF: v += r x (step), or v += r x dt (ode)",
    ("auto", "step", "ode"),
    "auto",
    ("IF", "I"),
)


def neuron(kind: str, fields: Fields, name: str, reading: Reading) -> Neuron:
    """Every kind of NIR's."""
    way = reading.answers["if_r"]
    told = Told(reading.dt, None if way == "auto" else way, reading.answers["reset"])  # type: ignore[arg-type]
    made = node_from(kind, fields, told, None)
    assert isinstance(made, Neuron)
    return made


def fits(raw: RawGraph) -> list[str]:
    """Time constants of less than a second, and r = 1 where there are any: as NIR's documents
    write a neuron. None of that excludes a file of an exporter that happens to write so."""
    unbatched(raw)
    for name, (kind, fields) in populations(raw).items():
        for tau in (key for key in ("tau", "tau_mem", "tau_syn") if key in fields):
            short = bool((number(fields, tau) < 1).all())
            refuse_unless(short, f"{name!r}: a {tau} of a second or more")
        timed = kind not in ("I", "IF")
        refuse_unless(not timed or close(number(fields, "r"), 1), f"{name!r}: r is not 1")
    return ["r = 1 beside every time constant, all of less than a second"]


PLAIN = Dialect("plain", "NIR in seconds", neuron, fits, (RESET, IF_R))
