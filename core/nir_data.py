"""Recordings as NIR data (nir.data_ir) and back, with every spike.

Spikes are events in the middle of their step: nir finds the step of an event by rounding down, so
that one at its beginning may fall into the step before. NIR data knows samples, steps and one flat
axis of neurons: a layer of more axes is written in C order, and `shapes` brings its axes back;
nir's own check_nodes takes layers of one axis only. States and outputs are grids of numbers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nir
import numpy as np

from . import hdf5_damage
from .arrays import Numbers, Shape
from .errors import DataError, SpikeportError
from .files import written_whole
from .recording import Recording

OUTPUT = "output"
STATES = ("v", "u")
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
    with written_whole(path) as part:
        nir.write_data(part, nir.NIRGraphData(nodes))


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
    try:
        hdf5_damage.check(Path(path), "NIR data")
        graph = nir.read_data(path)
    except SpikeportError as error:
        raise DataError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise DataError(f"no file {path}") from None
    except Exception as error:  # nir and h5py raise whatever they meet
        raise DataError(f"{path} is not readable NIR data: {error}") from None
    kept: dict[str, dict[str, Numbers]] = {key: {} for key in (OUTPUT, "spikes", *STATES)}
    for name, node in graph.nodes.items():
        if not isinstance(node, nir.NIRNodeData):
            raise DataError(f"{path}: node {name!r} is a graph; data of one graph can be read")
        for what, data in node.observables.items():
            if what not in kept:
                raise DataError(f"{path}: node {name!r} has {what!r}; known are {', '.join(kept)}")
            try:
                values = gridded(data, dt).swapaxes(0, 1)
                shape = (shapes or {}).get(name, values.shape[2:])
                kept[what][name] = values.reshape(*values.shape[:2], *shape)
            except ValueError as error:
                raise DataError(f"{path}: {what} of node {name!r}: {error}") from None
    return Recording(kept[OUTPUT], kept["spikes"], kept["v"], kept["u"])


def gridded(data: Any, dt: float) -> Numbers:
    """[B, T, neurons]; ValueError where the data does not fit steps of dt."""
    if isinstance(data, nir.TimeGriddedData):
        if abs(data.dt - dt) > NEAR * dt:
            raise ValueError(f"steps of {data.dt:g} s; {dt:g} s are meant")
        return np.asarray(data.data)
    if type(data) is not nir.EventData:
        raise ValueError(f"{type(data).__name__}; spikes of 0 and 1, or a grid, can be read")
    sample, place = np.nonzero(data.idx != -1)
    neuron = data.idx[sample, place]
    step = np.floor(data.time[sample, place] / dt + NEAR)
    steps = round(data.t_max / dt)
    inside = (step >= 0) & (step < steps) & (neuron >= 0) & (neuron < data.n_neurons)
    if not inside.all():
        raise ValueError(f"{int((~inside).sum())} events lie outside of its steps or neurons")
    spikes = np.zeros((len(data.idx), steps, data.n_neurons), np.uint8)
    spikes[sample, step.astype(np.int64), neuron] = 1
    lost = len(sample) - int(spikes.sum())
    if lost:
        raise ValueError(f"{lost} events share a step of {dt:g} s with another of their neuron")
    return spikes
