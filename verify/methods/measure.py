"""One net on one engine: the same spikes, or a refusal with its reason. `verify.run` compares."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from ...core.arrays import Numbers
from ...core.errors import BackendUnavailable, SpikeportError
from ...core.network import Network
from ...export import recipes
from ...export.passes.base import run_passes
from ..run import Baseline, EngineRun, Outcome, Request, verify

ENGINES = ("reference", "norse", "lava-float", "loihi", "lava-fixed")


@dataclass(frozen=True)
class Cell:
    """verdict: 'exact' (no differing spike against the trained model), 'integers' (every bit
    that of the integer interpreter), 'rounding', 'differs', 'refused', or 'not there' for an
    engine that is not installed. why: of a refusal or a difference. fired: population -> the
    trained model's spikes, each of which was compared."""

    verdict: str
    why: str = ""
    fired: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A method on every engine."""

    group: str
    name: str
    cells: Mapping[str, Cell]

    @property
    def spikes(self) -> int:
        """How many spikes the trained model fired, on engines that did not refuse."""
        return max((sum(cell.fired.values()) for cell in self.cells.values()), default=0)

    def facts(self) -> dict[str, Any]:
        """JSON-ready."""
        cells = {engine: asdict(cell) for engine, cell in self.cells.items()}
        return {"group": self.group, "name": self.name, "engines": cells}


class Model(Protocol):
    """A trained model."""

    def lowered(self) -> Network:
        """As a graph; SpikeportError if there is none."""
        ...

    def baseline(self, network: Network) -> Baseline:
        """What engines that run the graph are held against."""
        ...


def row(group: str, name: str, model: Model, x: Numbers, engines: Sequence[str]) -> Row:
    """The method's net on each engine, for a sample [T, B, *shape], against the trained model."""
    try:
        network = run_passes(model.lowered(), recipes.FLOAT).network
    except SpikeportError as error:
        return Row(group, name, dict.fromkeys(engines, Cell("refused", str(error))))
    held = model.baseline(network)
    return Row(group, name, {engine: cell(network, x, held, engine) for engine in engines})


def cell(network: Network, x: Numbers, baseline: Baseline, engine: str) -> Cell:
    """The network on one engine."""
    requests = [Request(engine)]
    try:
        found = verify(network, [(x, None)], requests, baseline, calibration=lambda: x)
    except BackendUnavailable as error:
        return Cell("not there", str(error))
    except SpikeportError as error:
        return Cell("refused", str(error))
    return judged(found.outcomes[0])


def judged(outcome: Outcome) -> Cell:
    """In a word."""
    run: EngineRun = outcome.run
    fired = {name: layer.baseline_spikes for name, layer in run.tally.layers.items()}
    if outcome.complaints:
        return Cell("differs", "; ".join(outcome.complaints), fired)
    if run.integers:
        return Cell("integers", "", fired)
    if not run.tally.differing:
        return Cell("exact", "", fired)
    return Cell("rounding", f"{run.tally.differing} spikes, each explained by rounding", fired)
