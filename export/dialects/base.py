"""What a dialect is: the questions that its files leave open, and its neurons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.arrays import Array, Numbers, frozen
from ...core.errors import NetworkError
from ...core.hdf5 import RawGraph
from ...core.nir_read import numbers
from ...core.nodes import Neuron

Fields = Mapping[str, Any]
SPIKING = ("IF", "LIF", "CubaLIF")
NEURONS = ("I", "LI", "CubaLI", *SPIKING)
ULPS = (0, 1, -1, 2, -2, 3, -3, 4, -4)
NEAR = 1e-6  # how far a relation between a file's float32 numbers may be off


@dataclass(frozen=True)
class Question:
    """Something that the exporter drops. default None: the user must say it, since people set it
    either way; else it is taken as that, and reported."""

    name: str
    about: str
    values: tuple[str, ...]
    default: str | None = None
    of: tuple[str, ...] = SPIKING  # node types in whose presence it matters

    def option(self) -> str:
        """What to type for it."""
        shown = "|".join(self.values)
        return f"--reset {shown}" if self.name == "reset" else f"--say {self.name}={shown}"


@dataclass
class Reading:
    """One file being read. dt: seconds a step, None where nothing needs it. answers: question ->
    value. looped: nodes that hear their own spikes through one other node. notes: what was
    taken for granted or put right."""

    dt: float | None
    answers: Mapping[str, str] = field(default_factory=dict)
    looped: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)

    def step(self) -> float:
        """dt, where a neuron needs it."""
        if self.dt is None:
            raise NetworkError("has time constants, and nothing says how long a step is; say --dt")
        return self.dt


@dataclass(frozen=True)
class Dialect:
    """One exporter. neuron: (type, fields, name, reading) -> population. fits: what in the file
    speaks for it; NotMine with what speaks against it. dt: the exporter's, where it has one of
    its own or the file tells it. mended: the flat graph with its edges and shapes put right.
    always: NotMine where a population (type, fields, name) holds another number than the one that
    the exporter writes always and that is not read, or time constants in another unit."""

    name: str
    title: str
    neuron: Callable[[str, Fields, str, Reading], Neuron]
    fits: Callable[[RawGraph], list[str]]
    questions: tuple[Question, ...] = ()
    dt: Callable[[RawGraph, float | None], float | None] = lambda raw, said: said
    mended: Callable[[RawGraph, Reading], RawGraph] = lambda raw, reading: raw
    always: Callable[[str, Fields, str], None] = lambda kind, fields, name: None
    late: bool = False  # spikes are heard a step after they are fired
    counts_steps: bool = False  # its time constants do, so that no spike depends on dt


class NotMine(Exception):
    """What in a file speaks against a dialect."""


def populations(raw: RawGraph) -> dict[str, tuple[str, Fields]]:
    """The neurons of a flat graph: name -> (type, fields)."""
    nodes = {n: made for n, made in raw.nodes.items() if isinstance(made, tuple)}
    return {n: (kind, fields) for n, (kind, fields) in nodes.items() if kind in NEURONS}


def number(fields: Fields, name: str) -> Array:
    """A field in float64; NetworkError if it is not there or no number."""
    if name not in fields:
        raise NetworkError(f"has no field {name}")
    return numbers(fields, name)


def undone(stored: Numbers, wrote: Callable[[Numbers], Numbers], guess: Numbers) -> Array:
    """The number that an exporter turned into `stored` by `wrote`, near a guess: the roundest
    (float32 first) of those that give the very same bits; the guess where none does."""
    stored = np.asarray(stored)
    kind = stored.dtype.type
    near = np.asarray(guess, stored.dtype)
    step = np.spacing(np.abs(near))
    tries = [near.astype(np.float32).astype(stored.dtype), *(near + kind(k) * step for k in ULPS)]
    found, known = near.copy(), np.zeros(near.shape, bool)
    with np.errstate(all="ignore"):
        for candidate in tries:
            hit = ~known & (np.asarray(wrote(candidate)) == stored)
            found = np.where(hit, candidate, found)
            known |= hit
    return frozen(found)


def close(values: Any, wanted: Any) -> bool:
    """Whether a file's numbers satisfy a relation, to within float32."""
    a, b = np.asarray(values, np.float64), np.asarray(wanted, np.float64)
    return bool((np.abs(a - b) <= NEAR * np.maximum(1, np.abs(b))).all())


def axes(made: Any) -> int | None:
    """How many axes a node's signal has, batch and time not counted; None if it does not say."""
    if not isinstance(made, tuple):
        return None
    kind, fields = made
    known = {"Linear": 1, "Affine": 1, "Conv1d": 2, "Conv2d": 3, "SumPool2d": 3, "AvgPool2d": 3}
    return int(np.ndim(fields["r"])) if kind in NEURONS and "r" in fields else known.get(kind)


def beside(raw: RawGraph, port: str) -> int | None:
    """The axes of what a port is joined to."""
    others = [b if a == port else a for a, b in raw.edges if port in (a, b)]
    return next((n for n in map(axes, map(raw.nodes.get, others)) if n is not None), None)


def batched(raw: RawGraph) -> str | None:
    """The Output, if there is one, whose shape has more axes than what leads to it."""
    for name, made in raw.nodes.items():
        if isinstance(made, tuple) and made[0] == "Output":
            real = beside(raw, name)
            if real is not None and np.size(made[1]["shape"]) > real:
                return name
    return None


def without_batch(raw: RawGraph, reading: Reading) -> RawGraph:
    """Ports without the batch and time axes of the sample that a tracer ran."""
    if batched(raw) is None:
        return raw
    nodes = dict(raw.nodes)
    for name, made in raw.nodes.items():
        if isinstance(made, tuple) and made[0] in ("Input", "Output"):
            shape = np.atleast_1d(np.asarray(made[1]["shape"]))
            real = beside(raw, name)
            extra = 1 if real is None else max(shape.size - real, 0)
            nodes[name] = (made[0], {"shape": shape[extra:]})
            if extra:
                which = (
                    "has the batch as its first axis" if extra == 1 else "has batch and time first"
                )
                reading.note(f"{made[0]} {name!r}: {shape.tolist()} {which}")
    return RawGraph(nodes, raw.edges, raw.metadata)


def unbatched(raw: RawGraph) -> None:
    """NotMine for a file with the batch axis in its ports."""
    name = batched(raw)
    refuse_unless(name is None, f"Output {name!r} has the batch as its first axis")


def zero(fields: Fields, *names: str) -> bool:
    """Whether fields are 0 or not there."""
    return not any(np.any(np.asarray(fields[name])) for name in names if name in fields)


def numbers_are(fields: Fields, name: str, **wanted: Any) -> None:
    """NotMine where a population's fields, if they are there, hold something else."""
    for key, values in wanted.items():
        if key in fields:
            refuse_unless(close(number(fields, key), values), f"{name!r}: {key} is not {values}")


def refuse_unless(true: bool, why: str) -> None:
    """NotMine."""
    if not true:
        raise NotMine(why)
