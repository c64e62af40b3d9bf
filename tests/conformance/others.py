"""Subjects of other people, as `spikeport conformance` is given them: good, lossy and broken."""

import json
import os
import time
from typing import Any

import nir
import numpy as np

from spikeport.backends.protocol import Capabilities
from spikeport.backends.reference import Reference, ReferenceSession
from spikeport.core import interpreter, store
from spikeport.core.errors import WorkerTimeout
from spikeport.core.network import Network
from spikeport.core.recording import Recording
from spikeport.core.schedule import compile


def euler(graph: nir.NIRGraph, x: Any, dt: float) -> Any:
    """Chains of Linear, Affine and plain LIF in forward Euler, from the equations in NIR's
    documentation; anything else is refused."""
    ahead = dict(graph.edges)
    if len(ahead) != len(graph.edges):
        raise NotImplementedError("the graph is no chain")
    name = next(n for n, node in graph.nodes.items() if isinstance(node, nir.Input))
    signal, shown = x, {}
    while name in ahead:
        name = ahead[name]
        node = graph.nodes[name]
        if isinstance(node, nir.Linear):
            signal = signal @ node.weight.T
        elif isinstance(node, nir.Affine):
            signal = signal @ node.weight.T + node.bias
        elif isinstance(node, nir.LIF):
            signal = shown[name] = leaky(node, signal, dt)
        elif not isinstance(node, nir.Output):
            raise NotImplementedError(f"no {type(node).__name__} here")
    return {**shown, name: signal}


def leaky(node: Any, drive: Any, dt: float) -> Any:
    """NIR's LIF over time; the reset is the file's v_reset and nothing else is looked at."""
    v, spikes = np.zeros(drive.shape[1:]), []
    for x in drive:
        v = v + dt / node.tau * (node.v_leak - v + node.r * x)
        fired = v > node.v_threshold
        v = np.where(fired, node.v_reset, v)
        spikes.append(fired)
    return np.array(spikes, np.float64)


def late(graph: nir.NIRGraph, x: Any, dt: float) -> Any:
    """Right, but a step late."""
    got = euler(graph, x, dt)
    (out,) = (n for n, node in graph.nodes.items() if isinstance(node, nir.Output))
    return np.concatenate([0 * got[out][:1], got[out][:-1]])


def talkative(graph: nir.NIRGraph, x: Any, dt: float) -> Any:
    """Right, and says so where machines listen."""
    print("reading a graph")
    return euler(graph, x, dt)


def by_file(graph: nir.NIRGraph, x: Any) -> Any:
    """The whole of NIR, and the metadata, by way of spikeport itself."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        nir.write(Path(folder) / "x.nir", graph)
        network = store.read(Path(folder) / "x.nir")
    assert json.loads(graph.metadata["spikeport"])["dt"] == network.meaning.dt
    inputs = x if isinstance(x, dict) else {network.inputs[0]: x}
    return interpreter.run(compile(network), inputs, ("all",)).outputs


def hangs(graph: nir.NIRGraph, x: Any) -> Any:
    """For ever, where there is a reset value."""
    if any(np.any(getattr(node, "v_reset", 0)) for node in graph.nodes.values()):
        time.sleep(1000)
    raise NotImplementedError("nothing else")


def dies(graph: nir.NIRGraph, x: Any) -> Any:
    """Takes its process with it."""
    os._exit(3)


class Boastful(Reference):
    """An engine that opens what it says it does not have."""

    name = "boastful"

    def capabilities(self) -> Capabilities:
        return Capabilities(nodes=frozenset({"Input", "Output", "Linear", "IF"}))

    def open(self, network: Network) -> ReferenceSession:
        return ReferenceSession(self, network)


class Forgetful(Reference):
    """An engine whose second run goes on where the first ended."""

    name = "forgetful"

    def open(self, network: Network) -> ReferenceSession:
        return Remembering(self, network)


class Remembering(ReferenceSession):
    """Runs everything that was ever given, and shows the end of it."""

    held: Any = None

    def run(self, inputs: Any, record: Any = ()) -> Recording:
        steps = len(next(iter(inputs.values())))
        batch = next(iter(inputs.values())).shape[1]
        held = {n: (x if self.held is None else np.concatenate([self.held[n][:, :batch], x]))
                for n, x in inputs.items()}  # fmt: skip
        self.held = held
        found = super().run(held, record)
        outputs = {n: o[-steps:] for n, o in found.outputs.items()}
        last = {n: s[-steps:] for n, s in found.spikes.items()}
        return Recording(outputs, last, {}, {}, found.header)


class Broken(Reference):
    """An engine that crashes on what it says it runs."""

    name = "broken"

    def open(self, network: Network) -> ReferenceSession:
        raise RuntimeError("out of luck")


class Slow(Reference):
    """An engine whose worker is ended before it answers."""

    name = "slow"

    def open(self, network: Network) -> ReferenceSession:
        raise WorkerTimeout("no answer in 2 s")


NUMBER = 3
