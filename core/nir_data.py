"""Recordings as NIR data (nir.data_ir) and back, with every spike.

Spikes are events in the middle of their step: nir finds the step of an event by rounding down, so
that one at its beginning may fall into the step before. NIR data knows samples, steps and one flat
axis of neurons: a layer of more axes is written in C order, and `shapes` brings its axes back;
nir's own check_nodes takes layers of one axis only. States and outputs are grids of numbers.

A file is read by core.hdf5's rules, and its events become a grid only where that is in keeping
with its size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import nir
import numpy as np

from .arrays import Numbers, Shape
from .errors import DataError, NetworkError
from .files import written_whole
from .hdf5 import PACKED, Reader
from .recording import Recording

OUTPUT = "output"
STATES = ("v", "u")
FREE = 512 << 20  # bytes of spikes that the smallest file of events may come to
NEAR = 1e-6  # of a step: how far before its step a foreign event may lie


def write(recording: Recording, path: str | Path, dt: float | None) -> None:
    """A file that nir.read_data reads, whole or not at all. dt in seconds."""
    if dt is None or not dt > 0:
        raise DataError(f"NIR data is timed in seconds, and a step is {dt} s; say --dt SECONDS")
    found: dict[str, dict[str, Any]] = {}
    for name, values in recording.outputs.items():
        found.setdefault(name, {})[OUTPUT] = nir.TimeGriddedData(flat(values), dt)
    for name, values in recording.spikes.items():
        found.setdefault(name, {})["spikes"] = events(flat(values), dt)
    for group in STATES:
        for name, values in getattr(recording, group).items():
            found.setdefault(name, {})[group] = nir.TimeGriddedData(flat(values), dt)
    nodes = {name: nir.NIRNodeData(observables) for name, observables in found.items()}
    held = BytesIO()  # HDF5's library does not survive a disk that is full
    nir.write_data(held, nir.NIRGraphData(nodes))
    with written_whole(path) as part:
        part.write_bytes(held.getbuffer())


def flat(values: Numbers) -> Numbers:
    """[T, B, *shape] -> [B, T, neurons]."""
    steps, batch = values.shape[:2]
    return np.ascontiguousarray(values.reshape(steps, batch, -1).swapaxes(0, 1))


def events(spikes: Numbers, dt: float) -> nir.EventData:
    """[B, T, neurons] of 0 and 1 -> as many events; rows are filled up as nir does it."""
    batch, steps, neurons = spikes.shape
    sample, step, neuron = np.nonzero(spikes)
    counts = np.bincount(sample, minlength=batch)
    place = np.arange(len(sample)) - np.repeat(np.cumsum(counts) - counts, counts)
    index = np.full((batch, counts.max(initial=0)), -1)
    time = np.full(index.shape, np.inf)
    index[sample, place], time[sample, place] = neuron, (step + 0.5) * dt
    end = steps * dt
    while int(end / dt) < steps:  # nir rounds the number of steps down
        end = np.nextafter(end, np.inf)
    return nir.EventData(index, time, neurons, float(end))


def read(path: str | Path, dt: float, shapes: Mapping[str, Shape] | None = None) -> Recording:
    """The recording in a file of NIR data. dt: seconds a step. shapes: node -> its axes; a layer
    that is not named keeps the flat one. DataError if it is none, or is of other steps."""
    reader = Reader(Path(path))
    try:
        found = reader.data(lambda top: observables(reader, top))
    except NetworkError as error:  # it names the file
        raise DataError(str(error)) from None
    kept: dict[str, dict[str, Numbers]] = {key: {} for key in (OUTPUT, "spikes", *STATES)}
    room = max(FREE, PACKED * reader.size)
    for (name, what), data in found.items():
        try:
            values, room = gridded(data, dt, room)
            values = values.swapaxes(0, 1)
            shape = (shapes or {}).get(name, values.shape[2:])
            kept[what][name] = values.reshape(*values.shape[:2], *shape)
        except ValueError as error:
            raise DataError(f"{path}: {what} of node {name!r}: {error}") from None
    return Recording(kept[OUTPUT], kept["spikes"], kept["v"], kept["u"])


@dataclass(frozen=True)
class Grid:
    """values [B, T, neurons]; dt in seconds."""

    values: Numbers
    dt: float


@dataclass(frozen=True)
class Events:
    """index, time [B, events]: a neuron and its seconds, or -1; of so many neurons, until end."""

    index: Numbers
    time: Numbers
    neurons: float
    end: float


def observables(reader: Reader, top: Any) -> dict[tuple[str, str], Grid | Events]:
    """(node, what) -> what the file holds of it; NetworkError if it is no recording of ours or
    of nir's."""
    if reader.attribute(top, "__type__") != "NIRGraphData":
        raise NetworkError("its type is not NIRGraphData; this is no NIR data")
    found: dict[tuple[str, str], Grid | Events] = {}
    nodes = reader.group(top, "nodes")
    for name in reader.names(nodes):
        node = reader.group(nodes, name)
        if reader.attribute(node, "__type__") != "NIRNodeData":
            raise NetworkError(f"node {name!r} is a graph; data of one graph can be read")
        members = reader.group(node, "observables")
        for what in reader.names(members):
            if what not in (OUTPUT, "spikes", *STATES):
                known = ", ".join((OUTPUT, "spikes", *STATES))
                raise NetworkError(f"node {name!r} has {what!r}; known are {known}")
            try:
                found[name, what] = observable(reader, reader.group(members, what))
            except NetworkError as error:
                raise NetworkError(f"{what} of node {name!r}: {error}") from None
    return found


def observable(reader: Reader, group: Any) -> Grid | Events:
    """One grid or train of events."""
    kind = reader.attribute(group, "__type__")
    if kind == "TimeGriddedData":
        return Grid(table(reader, group, "data", 3), positive(reader, group, "dt"))
    if kind != "EventData":
        raise NetworkError(f"{kind}; spikes of 0 and 1, or a grid, can be read")
    index, time = table(reader, group, "idx", 2), table(reader, group, "time", 2)
    if index.shape != time.shape:
        raise NetworkError(f"{index.shape} neurons spike at {time.shape} times")
    count, end = (positive(reader, group, name) for name in ("n_neurons", "t_max"))
    return Events(index, time, count, end)


def table(reader: Reader, group: Any, name: str, axes: int) -> Numbers:
    """Numbers of so many axes."""
    values = reader.value(group, name)
    if not isinstance(values, np.ndarray) or values.ndim != axes or values.dtype.kind not in "biuf":
        raise NetworkError(f"{name} is no table of numbers with {axes} axes")
    return values


def positive(reader: Reader, group: Any, name: str) -> float:
    """A number over 0, not infinite."""
    value = reader.attribute(group, name)
    if isinstance(value, str) or not 0 < value < np.inf:
        raise NetworkError(f"{name} is {value!r}; a positive number is meant")
    return float(value)


def gridded(data: Grid | Events, dt: float, room: int) -> tuple[Numbers, int]:
    """[B, T, neurons] and what is left of the room, in bytes; ValueError where the data does not
    fit steps of dt, or the room."""
    if isinstance(data, Grid):
        if abs(data.dt - dt) > NEAR * dt:
            raise ValueError(f"steps of {data.dt:g} s; {dt:g} s are meant")
        return data.values, room
    batch, steps = len(data.index), data.end / dt
    if batch * (steps + 1) * data.neurons > room:
        raise ValueError(
            f"{batch} samples of {data.neurons:g} neurons until {data.end:g} s in steps of {dt:g} "
            f"s take over {room >> 20} MiB, the most for a file of its size ({FREE >> 20} MiB, or "
            f"{PACKED} times it); record fewer samples at a time"
        )
    size = batch, round(steps), int(data.neurons)
    sample, place = np.nonzero(data.index != -1)
    neuron = data.index[sample, place]
    with np.errstate(all="ignore"):  # what is no time lies outside
        step = np.floor(data.time[sample, place] / dt + NEAR)
        inside = (step >= 0) & (step < size[1]) & (neuron >= 0) & (neuron < size[2])
    if not inside.all():
        raise ValueError(f"{int((~inside).sum())} events lie outside of its steps or neurons")
    spikes = np.zeros(size, np.uint8)
    spikes[sample, step.astype(np.int64), neuron.astype(np.int64)] = 1
    lost = len(sample) - int(spikes.sum(dtype=np.int64))
    if lost:
        raise ValueError(f"{lost} events share a step of {dt:g} s with another of their neuron")
    return spikes, room - spikes.nbytes
