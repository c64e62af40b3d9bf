"""A file of another library, read by a dialect that is named or found from evidence."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ...core import lavadl_read, store
from ...core.errors import ConfigError, NetworkError, SpikeportError
from ...core.hdf5 import RawGraph, Reader
from ...core.metadata import KEY
from ...core.nested import flattened, nodes_of
from ...core.network import Meaning, Network
from ...core.nir_read import Told, node_from, refuse_short
from ...core.nodes import Delay, Node
from ...core.schedule import compile
from .base import NEURONS, SPIKING, Dialect, NotMine, Reading, populations
from .lavadl import LAVADL, SUFFIX
from .table import DIALECTS

AUTO = "auto"
Read = TypeVar("Read")


@dataclass(frozen=True)
class Imported:
    """evidence: why this dialect, if it was found. assumed: what was taken for granted or put
    right, a line each."""

    network: Network
    dialect: Dialect
    evidence: tuple[str, ...]
    assumed: tuple[str, ...]


def load(
    path: str | Path, dialect: str, dt: float | None = None, said: Mapping[str, str] | None = None
) -> Imported:
    """The network in a foreign .nir file. dialect: one of DIALECTS or 'auto'. dt: seconds a step.
    said: answers to what the exporter drops, such as {'reset': 'subtract'}.

    NetworkError where something that matters is neither in the file nor said, naming the option;
    where `dialect` is 'auto' and two dialects fit that would give different networks.
    """
    if dialect == LAVADL.name or (dialect == AUTO and Path(path).suffix == SUFFIX):
        return from_lavadl(path, dt, said or {})
    raw = Reader(Path(path)).read()
    if KEY in raw.metadata:
        raise NetworkError(f"{path}: is a file of ours, which says itself what it means; use it")
    if dialect not in (*DIALECTS, AUTO):
        raise ConfigError(
            f"--dialect {dialect}: choose from {', '.join((*DIALECTS, LAVADL.name, AUTO))}"
        )
    try:
        flat = flattened(raw)
        if dialect == AUTO:
            return found(flat, dt, said or {})
        return read(flat, DIALECTS[dialect], dt, said or {})
    except ConfigError:
        raise
    except SpikeportError as error:
        raise type(error)(f"{path}: {error}") from None


def from_lavadl(path: str | Path, dt: float | None, said: Mapping[str, str]) -> Imported:
    """A .net file, whose neurons are Loihi's: nothing of them is open."""
    for name, value in said.items():
        raise ConfigError(f"{name}={value}: lava-dl's files say that themselves; leave it out")
    network = lavadl_read.read(path, dt)
    return Imported(network, LAVADL, ("a .net file holds lava-dl's network",), ())


def read(raw: RawGraph, dialect: Dialect, dt: float | None, said: Mapping[str, str]) -> Imported:
    """The network by one dialect."""
    for name, (kind, fields) in populations(raw).items():
        missing = {"r", *(("v_threshold",) if kind in SPIKING else ())} - set(fields)
        if missing:
            raise NetworkError(f"node {name!r}: type {kind}: no field {', '.join(sorted(missing))}")
        empty = [key for key, values in fields.items() if np.size(values) == 0]
        if empty:
            raise NetworkError(
                f"node {name!r}: type {kind}: field {empty[0]} holds no numbers; a population has "
                "at least one neuron"
            )
    for name, (kind, fields) in populations(raw).items():
        try:
            understood(partial(dialect.always, kind, fields, name), dialect)
        except NotMine as unlike:
            raise NetworkError(
                f"{dialect.title} does not write such a population: {unlike}. Its dialect would "
                "not look at that; say the --dialect of whoever wrote the file, or plain"
            ) from None
    reading = Reading(
        understood(lambda: dialect.dt(raw, dt), dialect), answered(raw, dialect, said), looped(raw)
    )
    for question in asked(raw, dialect):
        if question.name not in said and question.default is not None:
            reading.note(f"{question.about}: {question.default} ({question.option()})")
    flat = understood(lambda: dialect.mended(raw, reading), dialect)
    nodes: dict[str, Node] = {}
    for name, (kind, fields) in nodes_of(flat).items():
        try:
            made = partial(node, kind, fields, name, dialect, reading)
            nodes[name] = understood(made, dialect)
        except SpikeportError as error:
            raise type(error)(f"node {name!r}: {error}") from None
    edges = list(flat.edges)
    if dialect.late:
        nodes, edges = delayed(nodes, edges, reading)
    if reading.dt is not None and reading.dt != dt:
        why = (
            "on which no spike depends"
            if dialect.counts_steps
            else "as the file or exporter has it"
        )
        reading.note(f"a step is {reading.dt:g} s, {why}")
    network = Network(nodes, tuple(edges), Meaning(dt=reading.dt), {}, (f"import:{dialect.name}",))
    compile(network)  # whole or not at all: shapes and order
    return Imported(network, dialect, (), tuple(reading.notes))


def node(kind: str, fields: Any, name: str, dialect: Dialect, reading: Reading) -> Node:
    """A population by the dialect, everything else as NIR has it."""
    if kind in NEURONS:
        population = dialect.neuron(kind, fields, name, reading)
        refuse_short(population, Told(reading.dt))
        return population
    return node_from(kind, fields, Told(reading.dt), None)


def understood(read: Callable[[], Read], dialect: Dialect) -> Read:
    """What a dialect makes of a file; a damaged one makes numpy complain in many ways."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused by the network
            return read()
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, ArithmeticError) as error:
        if isinstance(error, SpikeportError):
            raise
        what = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise NetworkError(f"cannot be read as {dialect.title} writes: {what}") from None


def asked(raw: RawGraph, dialect: Dialect) -> list[Any]:
    """The dialect's questions that matter for this file."""
    kinds = {kind for kind, _ in populations(raw).values()}
    return [q for q in dialect.questions if kinds & set(q.of)]


def answered(raw: RawGraph, dialect: Dialect, said: Mapping[str, str]) -> dict[str, str]:
    """Every question with its answer; errors for what is open, unknown or out of range."""
    known = {q.name: q for q in dialect.questions}
    for name, value in said.items():
        if name not in known:
            raise ConfigError(
                f"{name}={value}: not a question of the dialect {dialect.name}, which has "
                f"{', '.join(known) or 'none'}"
            )
        if value not in known[name].values:
            raise ConfigError(f"{name}={value}: choose from {', '.join(known[name].values)}")
    matter = asked(raw, dialect)
    still = [q for q in matter if q.name not in said and q.default is None]
    if still:
        raise NetworkError(
            f"{dialect.title} does not export "
            + "; nor ".join(f"{q.about}: say {q.option()}" for q in still)
        )
    defaults = {q.name: q.default for q in dialect.questions if q.default is not None}
    return {**defaults, **said}


def looped(raw: RawGraph) -> frozenset[str]:
    """Nodes that hear themselves through one other node."""
    edges = set(raw.edges)
    return frozenset(a for a, b in edges if (b, a) in edges)


def delayed(
    nodes: dict[str, Node], edges: list[tuple[str, str]], reading: Reading
) -> tuple[dict[str, Node], list[tuple[str, str]]]:
    """Spikes heard a step late by all but the population itself, whose back edge is that step."""
    made, ends = dict(nodes), list(edges)
    for name, population in nodes.items():
        if not getattr(population, "spiking", False):
            continue
        late = f"{name}.late"
        own = {b for a, b in edges if a == name and (b, name) in edges}
        ends = [(late if a == name and b not in own else a, b) for a, b in ends] + [(name, late)]
        made[late] = Delay(1)
    reading.note("spikes are heard one step after they are fired")
    return made, ends


def found(raw: RawGraph, dt: float | None, said: Mapping[str, str]) -> Imported:
    """By the one dialect that fits, or by any of several that give the same network."""
    fitting: dict[str, list[str]] = {}
    against: dict[str, str] = {}
    for name, dialect in DIALECTS.items():
        try:
            fitting[name] = understood(partial(dialect.fits, raw), dialect)
        except NotMine as why:
            against[name] = str(why)
        except SpikeportError as error:
            against[name] = str(error)
    if not fitting:
        reasons = "; ".join(f"{name}: {why}" for name, why in against.items())
        raise NetworkError(f"no dialect shows in this file ({reasons}); say --dialect NAME")
    made: dict[str, Imported | str] = {}
    for name in fitting:
        try:
            made[name] = read(raw, DIALECTS[name], dt, said)
        except SpikeportError as error:
            made[name] = str(error)
    read_well = {n: m for n, m in made.items() if isinstance(m, Imported)}
    digests = {n: store.digest(m.network.changed(history=())) for n, m in read_well.items()}
    if len(made) > 1 and (len(read_well) < len(made) or len(set(digests.values())) > 1):
        words = "; ".join(f"{name} ({'; '.join(why)})" for name, why in fitting.items())
        raise NetworkError(
            f"{' and '.join(fitting)} both fit and would give different networks: {words}; say "
            "--dialect NAME"
        )
    name, first = next(iter(made.items()))
    if isinstance(first, str):
        raise NetworkError(f"this is {DIALECTS[name].title} ({'; '.join(fitting[name])}): {first}")
    return Imported(first.network, first.dialect, tuple(fitting[name]), first.assumed)
