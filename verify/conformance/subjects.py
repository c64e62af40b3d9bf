"""What can be judged: an engine behind backends.protocol, or a function of a NIR graph.

A subject takes a case and gives (network, wanted, got): the network whose populations are compared,
what core.interpreter says of it, and what the subject says. Whatever it raises on purpose is a
refusal.
"""

import contextlib
import importlib
import inspect
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import nir
import numpy as np

from ...backends import registry
from ...backends.conformance import Case
from ...backends.conformance.nested import as_graph
from ...backends.protocol import Backend, complaints
from ...core import interpreter, store
from ...core.arrays import Numbers
from ...core.errors import ConfigError, NetworkError, WorkerTimeout
from ...core.network import Network
from ...core.recording import Recording
from ...core.schedule import compile
from ...export import recipes
from ...export.passes.base import run_passes
from ..prepare import prepare
from ..readers import Importer, graph_for, importer, written_for
from ..rename import as_original
from .verdict import Promise, Verdict, judge


class Subject(Protocol):
    """Whatever runs cases."""

    @property
    def name(self) -> str:
        """What the matrix calls it."""
        ...

    def versions(self) -> dict[str, str]:
        """The packages that do the work."""
        ...

    def verdict(self, case: Case) -> Verdict:
        """What becomes of one case."""
        ...


def expected(network: Network, inputs: Mapping[str, Numbers]) -> Recording:
    """The definition: every population's spikes, states, and all outputs."""
    return interpreter.run(compile(network), inputs, ("all",))


@dataclass(frozen=True)
class Engine:
    """A backend of the protocol: brought within its capabilities by passes, then opened."""

    backend: Backend

    @property
    def name(self) -> str:
        return self.backend.name

    def versions(self) -> dict[str, str]:
        return self.backend.versions()

    def verdict(self, case: Case) -> Verdict:
        """A SpikeportError of the network is a refusal by name, and so is an engine that was ended
        because its time was up: it gave nothing that could be wrong. Anything else that is raised
        is not, and neither is a refusal without a reason."""
        try:
            return self.ran(case)
        except (NetworkError, WorkerTimeout) as error:
            return Verdict("refuses", str(error))
        except Exception as error:  # an engine's own crash: it promised to run this
            return Verdict("WRONG", f"crashes: {type(error).__name__}: {error}")

    def ran(self, case: Case) -> Verdict:
        """Run and compare."""
        able = self.backend.capabilities()
        given = read_back(case) if case.nested else case.network
        prepared = prepare(given, able, case.inputs)
        network = prepared.network
        with self.backend.open(network) as session:
            got = as_original(session.run(case.inputs, ("all",)), network, given, {})
            alone = sliced(case.inputs, 1)
            again = as_original(session.run(alone, ("all",)), network, given, {})
        broken = next(complaints(network, able), None)
        if broken is not None:
            return Verdict("WRONG", f"opened what its capabilities exclude: {broken}")
        integers = network.number_format == "loihi"
        held = network if integers else given
        wanted = expected(held, case.inputs)
        if integers:
            wanted = as_original(wanted, network, given, {})
        promise = Promise(able.agreement, able.epsilon, integers)
        found = judge(held, case.inputs, wanted, got, promise)
        return found if found.bad else leaks(got, again, 1) or found


def sliced(inputs: Mapping[str, Numbers], sample: int) -> dict[str, Numbers]:
    """One sample of a batch."""
    return {name: values[:, sample : sample + 1] for name, values in inputs.items()}


def leaks(together: Recording, alone: Recording, sample: int) -> Verdict | None:
    """A second run of a session, of one sample: state must not leak from run to run, nor from
    sample to sample."""
    for name, spikes in together.spikes.items():
        off = spikes[:, sample] != alone.spikes[name][:, 0]
        if off.any():
            step = int(np.argwhere(off)[0][0])
            return Verdict(
                "WRONG",
                f"a sample run by itself after the batch differs in {name!r} at step {step}: "
                "state is kept between runs or shared between samples",
                name,
                step,
            )
    return None


def read_back(case: Case) -> Network:
    """The case through a file, which holds graphs within the graph."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nested.nir"
        nir.write(path, as_graph(case.network, nested=True))
        return store.read(path)


@dataclass(frozen=True)
class Function:
    """run(graph, x) -> outputs, anybody's.

    graph: nir.NIRGraph, its meaning in metadata["spikeport"]. x: [T, B, *shape], or Input node ->
    array where there are several. It may take `dt` (seconds) by name. It returns the Output's
    values [T, B, *shape], or node -> array with all Outputs, and any populations it can show.
    """

    name: str
    run: Callable[..., Any]
    epsilon: float = float(np.finfo(np.float64).eps)
    reader: Importer | None = None  # for whom the network is written

    def versions(self) -> dict[str, str]:
        """Of its package, if it says one."""
        module = inspect.getmodule(self.run)
        top = (module.__name__ if module else self.name).partition(".")[0]
        version = getattr(importlib.import_module(top), "__version__", None) if module else None
        return {top: str(version)} if version else {}

    def verdict(self, case: Case) -> Verdict:
        """Whatever the function raises is a refusal, and its text the reason."""
        network = run_passes(case.network, recipes.FLOAT).network
        if network.number_format == "loihi" or network.meaning.timing == "pipelined":
            return Verdict("refuses", "not asked: a chip's own integers and timing, not NIR's")
        wanted = expected(network, case.inputs)
        given, written = dict(case.inputs), network
        if self.reader is not None:
            try:
                written = written_for(network, self.reader)
            except NetworkError as error:
                return Verdict("refuses", str(error))
        told = {"dt": written.meaning.dt} if "dt" in inspect.signature(self.run).parameters else {}
        x = next(iter(given.values())) if len(given) == 1 else given
        try:
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for machines
                found = self.run(self.graph(written, case), x, **told)
        except Exception as error:
            return Verdict("refuses", f"{type(error).__name__}: {error}")
        got = recorded(found, network)
        if isinstance(got, Verdict):
            return got
        return judge(network, case.inputs, wanted, got, Promise("spikes", self.epsilon))

    def graph(self, network: Network, case: Case) -> nir.NIRGraph:
        """What the function gets."""
        if self.reader is not None:
            return graph_for(network, self.reader)
        return as_graph(network, case.nested)


def recorded(found: Any, network: Network) -> Recording | Verdict:
    """What a function returned, by name."""
    if isinstance(found, Recording):
        return found
    if not isinstance(found, Mapping):
        if len(network.outputs) > 1:
            return Verdict(
                "WRONG", f"gives one array where there are Outputs {', '.join(network.outputs)}"
            )
        found = {network.outputs[0]: found}
    arrays = {str(name): np.asarray(values) for name, values in found.items()}
    strangers = sorted(set(arrays) - set(network.outputs) - set(network.spiking))
    if strangers:
        return Verdict("WRONG", f"gives {strangers[0]!r}, which is no Output and no population")
    outputs = {n: a.astype(np.float64) for n, a in arrays.items() if n in network.outputs}
    return Recording(outputs, {n: a for n, a in arrays.items() if n in network.spiking})


def find(told: str, epsilon: float | None = None, reader: str | None = None) -> Subject:
    """A subject by the name of an engine, or as module:Class or module:function. reader: the
    importer for which a function's networks are written."""
    module, colon, name = told.partition(":")
    if not colon:
        return Engine(registry.get(told))
    try:
        made: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{told!r} cannot be imported: {error}") from None
    if isinstance(made, type):
        made = made()
    if hasattr(made, "capabilities") and hasattr(made, "open"):
        return Engine(made)
    if not callable(made):
        raise ConfigError(
            f"{told!r} is a {type(made).__name__}; a class with capabilities, versions and open, "
            "or a function run(graph, x) is meant"
        )
    function = Function(told, made, reader=None if reader is None else importer(reader))
    return function if epsilon is None else replace(function, epsilon=epsilon)
