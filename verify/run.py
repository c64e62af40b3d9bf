"""Run a network over data on many engines, hold each against the baseline, and judge."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from ..backends import registry
from ..backends.protocol import Agreement, Backend, Capabilities, Session
from ..backends.reference import Reference
from ..core import interpreter, schedule
from ..core.arrays import Array, Numbers
from ..core.errors import DataError, NetworkError, SpikeportError, UnknownBackend
from ..core.network import Network
from ..core.nodes import Conv
from ..core.schedule import Program
from ..export.quantise.options import by_interpreter
from . import verdict
from .compare import Tally, read_out
from .counts import Counter, LayerCounts
from .emulated import by_emulator
from .names import under_original_names
from .prepare import Prepared, prepare
from .refusals import Refusal, Refusals
from .rename import in_given_shape
from .roots import Roots, find_roots

Batch = tuple[Numbers, Numbers | None]  # x [T, B, *shape], labels [B]
Watch = Callable[[str, int], None]  # told (engine, samples done)

WINDOW_BYTES = 256 << 20  # the largest im2col of the reference on one batch
MAX_BATCH = 256


class Baseline(Protocol):
    """What the engines are held against."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def populations(self) -> Sequence[str]:
        """Its spiking populations, in network order."""
        ...

    def run(self, x: Numbers) -> tuple[Array, Mapping[str, Numbers]]:
        """(output [T, B, *shape], population -> spikes uint8 [T, B, *shape]) of a batch."""
        ...


class ReferenceBaseline:
    """The network itself, as it was given, on the reference interpreter."""

    name = "reference"

    def __init__(self, network: Network) -> None:
        self.session = Reference().open(network)
        order = self.session.program.order
        self.populations: Sequence[str] = tuple(n for n in order if n in network.trained)
        self.input, self.output = only_ports(network)

    def run(self, x: Numbers) -> tuple[Array, Mapping[str, Numbers]]:
        """See Baseline."""
        got = self.session.run({self.input: x}, ("all",))
        return got.outputs[self.output], got.spikes


@dataclass(frozen=True)
class Request:
    """One engine, and how many samples it gets; None: all."""

    name: str
    samples: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Request":
        """'norse' or 'lava-float:200'."""
        name, colon, count = text.partition(":")
        if colon and not (count.isdigit() and int(count) > 0):
            raise DataError(f"backend {text!r}: after the colon comes a number of samples")
        return cls(name, int(count) if colon else None)


@dataclass
class EngineRun:
    """An engine at work, and what came of it."""

    request: Request
    backend: Backend
    able: Capabilities
    prepared: Prepared
    session: Session
    tally: Tally
    roots: Roots = field(default_factory=Roots)
    counts: dict[str, LayerCounts] = field(default_factory=dict)
    bits_apart: int = 0
    seconds: float = 0.0
    header: Mapping[str, Any] = field(default_factory=dict)
    counter: Counter | None = None
    program: Program | None = None  # of the integer network, for the interpreter
    sample: Mapping[str, Numbers] = field(default_factory=dict)  # first sample's spikes
    counted: bool = True  # in the verdict

    @property
    def integers(self) -> bool:
        """Whether it runs a quantised network."""
        return self.prepared.network.number_format == "loihi"

    @property
    def agreement(self) -> Agreement:
        """The level it declares."""
        return self.able.agreement


@dataclass(frozen=True)
class Outcome:
    """One engine's row. complaints: why it fails; empty if it meets its level."""

    run: EngineRun
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """All of it. sample: the baseline's spikes on the first sample, for the pictures. refused:
    engines that did not run it."""

    network: Network
    baseline: str
    outcomes: tuple[Outcome, ...]
    samples: int
    steps: int
    sample: Mapping[str, Numbers]
    refused: tuple[Refusal, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether every engine ran it and meets its level of agreement."""
        return self.verdict == "agrees"

    @property
    def verdict(self) -> Literal["agrees", "differs", "incomplete"]:
        """incomplete: those that ran it agree, and others did not."""
        if any(o.complaints for o in self.outcomes if o.run.counted):
            return "differs"
        return "incomplete" if self.refused else "agrees"


def verify(
    network: Network,
    batches: Iterable[Batch],
    requests: Sequence[Request],
    baseline: Baseline | None = None,
    *,
    calibration: Callable[[], Numbers] | None = None,
    also: Sequence[Backend] = (),
    max_drop: float = 2.0,
    watch: Watch | None = None,
) -> Verification:
    """Run the data through the baseline (default: the network on the reference) and through
    every engine; nothing is kept but totals.

    batches: (x [T, B, *shape], labels [B] or None), of numpy or torch on the CPU. calibration:
    gives x [T, B, *shape] for engines that need a quantised network. also: engines outside of
    the registry that get a row but no say in the verdict, such as the training's own float32
    forward. max_drop: points of accuracy that integers may cost. An engine that refuses the
    network stands in `refused`; if all do, that is raised.
    """
    told, network = network, under_original_names(network)
    held = baseline or ReferenceBaseline(network)
    calibrated = Once(calibration) if calibration is not None else None
    runs: list[EngineRun] = []
    refusals = Refusals()
    samples = steps = 0
    first: Mapping[str, Numbers] = {}
    try:
        for request in requests:
            try:
                backend = registry.get(request.name)
                runs.append(opened(network, request, backend, held, calibrated))
            except UnknownBackend:
                raise
            except SpikeportError as error:
                refusals.note(request.name, error)
        refusals.raise_if_all(len(runs))
        for backend in also:
            runs.append(opened(network, Request(backend.name), backend, held, None))
            runs[-1].counted = False
        for given, classes in batches:
            x, labels = np.asarray(given), None if classes is None else np.asarray(classes)
            output, spikes = held.run(x)
            check_labels(labels, output)
            first = first or {name: s[:, :1].copy() for name, s in spikes.items()}
            samples, steps = samples + x.shape[1], x.shape[0]
            for run in tuple(runs):
                try:
                    advance(run, network, x, labels, (output, spikes))
                except SpikeportError as error:
                    if not run.counted:
                        raise
                    refusals.note(run.request.name, error)
                    runs = [other for other in runs if other is not run]
                    run.session.close()
                    continue
                if watch is not None:
                    watch(run.request.name, run.tally.samples)
            refusals.raise_if_all(sum(run.counted for run in runs))
    finally:
        for run in runs:
            run.session.close()
    if not samples:
        raise DataError("there are no samples to verify on")
    outcomes = tuple(Outcome(run, tuple(judged(run, max_drop))) for run in runs)
    return Verification(told, held.name, outcomes, samples, steps, first, refusals.told())


def check_labels(labels: Numbers | None, output: Array) -> None:
    """DataError for a class that the output [T, B, *shape] does not have."""
    if labels is None:
        return
    if labels.shape != output.shape[1:2]:
        raise DataError(
            f"labels have shape {list(labels.shape)}; a batch of {output.shape[1]} samples, x "
            f"[T, B, *shape], takes [{output.shape[1]}]"
        )
    classes = int(np.prod(output.shape[2:]))
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise DataError(
            f"{wrong.size} samples of a batch have labels such as {wrong[0]}; the network has "
            f"{classes} outputs, so classes are 0 to {classes - 1}: give other data, or the "
            "network that was trained on these"
        )


class Once:
    """Calibration data, loaded at first use and then kept."""

    def __init__(self, load: Callable[[], Numbers]) -> None:
        self.load = load
        self.values: Numbers | None = None

    def __call__(self) -> Numbers:
        if self.values is None:
            self.values = np.asarray(self.load())
        return self.values


def opened(
    network: Network,
    request: Request,
    backend: Backend,
    baseline: Baseline,
    calibration: Once | None,
) -> EngineRun:
    """An engine with the network lowered to what it can run."""
    able = backend.capabilities()
    given = None
    if able.number_format == "loihi" and network.number_format == "real":
        given = None if calibration is None else {only_ports(network)[0]: calibration()}
    prepared = prepare(network, able, given, run=by_emulator() if given else by_interpreter)
    lowered = prepared.network
    there = {lowered.original(n) for n in lowered.spiking}
    missing = [n for n in baseline.populations if n not in there]
    if missing:
        raise NetworkError(
            f"the baseline's neurons {', '.join(missing)} are not in the network that "
            f"{request.name!r} runs; is this the file of another model?"
        )
    tally = Tally(baseline.populations, able.epsilon)
    run = EngineRun(request, backend, able, prepared, backend.open(lowered), tally)
    run.counter = Counter(lowered)
    run.program = schedule.compile(lowered) if run.integers else None
    return run


def advance(
    run: EngineRun,
    network: Network,
    x: Numbers,
    labels: Numbers | None,
    expected: tuple[Array, Mapping[str, Numbers]],
) -> None:
    """One batch on one engine, cut to the samples it still gets."""
    left = x.shape[1] if run.request.samples is None else run.request.samples - run.tally.samples
    if left <= 0:
        return
    x = x[:, :left]
    labels = None if labels is None else labels[:left]
    output, spikes = expected[0][:, :left], {n: s[:, :left] for n, s in expected[1].items()}
    lowered = run.prepared.network
    enters, leaves = only_ports(lowered)
    start = time.perf_counter()
    got = run.session.run({enters: x}, tuple(lowered.spiking))
    run.seconds += time.perf_counter() - start
    run.header = got.header
    named = {lowered.original(n): s for n, s in got.spikes.items()}
    theirs = {n: in_given_shape(named[n], network.nodes.get(n)) for n in run.tally.order}
    readout = network.meaning.readout
    logits = read_out(output, readout), read_out(got.outputs[leaves], readout)
    differs = run.tally.take(spikes, theirs, logits, labels)
    if not run.sample:
        run.sample = {name: s[:, :1].copy() for name, s in theirs.items()}
    if differs.any() and run.able.epsilon > 0 and not run.integers:
        cut = (
            {n: s[:, differs] for n, s in spikes.items()},
            {n: s[:, differs] for n, s in theirs.items()},
        )
        found = find_roots(network, {only_ports(network)[0]: x[:, differs]}, *cut, run.able.epsilon)
        run.roots = run.roots.plus(found)
    if run.program is not None:
        run.bits_apart += bits_apart(run.program, enters, x, got.spikes)
    add_counts(run, enters, x, got.spikes)


def bits_apart(program: Program, enters: str, x: Numbers, spikes: Mapping[str, Numbers]) -> int:
    """Integer spikes that differ from core.interpreter's on the same network."""
    definition = interpreter.run(program, {enters: x}, tuple(spikes)).spikes
    return sum(int((definition[name] != s).sum()) for name, s in spikes.items())


def add_counts(run: EngineRun, enters: str, x: Numbers, spikes: Mapping[str, Numbers]) -> None:
    """Operations of this batch, added to the engine's totals."""
    assert run.counter is not None
    for name, more in run.counter.count({enters: x}, spikes).items():
        before = run.counts.get(name)
        run.counts[name] = more if before is None else before.plus(more)


def judged(run: EngineRun, max_drop: float) -> Iterable[str]:
    """Why an engine fails its level."""
    return verdict.complaints(
        run.agreement, run.integers, run.tally, run.roots, run.bits_apart, max_drop
    )


def only_ports(network: Network) -> tuple[str, str]:
    """(Input, Output) of a network that has one of each; data sets feed one input."""
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise NetworkError(
            f"verification over a data set takes one Input and one Output; this network has "
            f"{', '.join(network.inputs)} and {', '.join(network.outputs)}"
        )
    return network.inputs[0], network.outputs[0]


def batch_size(network: Network) -> int:
    """How many samples fit the memory bound on the reference: its largest im2col is
    WINDOW_BYTES."""
    shapes = schedule.compile(network).shapes
    largest = 1
    for name, node in network.nodes.items():
        if isinstance(node, Conv):
            spots = int(np.prod(shapes[name][1:]))
            largest = max(largest, spots * int(np.prod(node.weight.shape[1:])) * node.groups * 8)
    return int(np.clip(WINDOW_BYTES // largest, 1, MAX_BATCH))
