"""A module lowered and rewritten in one go, and one proof for all of it.

What is written must be the module: the last network is held to the module's own spikes on the
passes' probe, which every step between must have kept then. Only where it does not hold is each
step held to its word alone, to name the one that broke it. The proof is handed out unproven, so
that whoever writes a file can do so meanwhile; the module's own spikes are computed from the moment
on that its code has been followed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from ...core.arrays import Shape
from ...core.errors import PassError, SpikeportError
from ...core.network import Network
from ...core.nodes import Input
from ...trainer.graph import GraphNet
from ..passes.base import PROBE_BATCH, PROBE_STEPS, Lowered, Pass, run_passes, unproven
from .held import Passing, held_against
from .lower import grown, lower
from .theirs import library_of


@dataclass(frozen=True)
class Claimed:
    """A network that is said to be the module's. prove: NetworkError or PassError if it is not;
    to be called before anything is handed out."""

    lowered: Lowered
    prove: Callable[[], None]


def claimed(
    model: nn.Module,
    input_shape: Shape,
    passes: Sequence[Pass],
    dt: float = 1e-3,
    *,
    steps: int | None = None,
    content: str = "analogue",
) -> Claimed:
    """The network after the passes; arguments and refusals as `lower` and `run_passes` have them.
    A model of another library, or a graph, is proven step by step at once."""
    if isinstance(model, GraphNet) or library_of(model) is not None:
        network = lower(model, input_shape, dt, steps=steps, content=content)
        if network.number_format == "loihi":
            return Claimed(Lowered(network, ()), lambda: None)
        return Claimed(run_passes(network, passes), lambda: None)
    port = Input(input_shape, content)  # type: ignore[arg-type]
    passing: list[Passing] = []

    def begin(whole: nn.Module) -> None:
        passing.append(Passing(whole, port, PROBE_STEPS, PROBE_BATCH))

    whole, network = grown(model, input_shape, dt, steps=steps, content=content, followed=begin)
    lowered = unproven(network, passes)
    return Claimed(lowered, lambda: prove(whole, network, passes, lowered.network, passing[0]))


def prove(
    whole: nn.Module, network: Network, passes: Sequence[Pass], last: Network, passing: Passing
) -> None:
    """All at once, and one by one where that fails. network: as it was lowered. passing: the
    module's own pass."""
    try:
        missing = [name for name in network.trained if name not in last.trained]
        if missing:
            raise PassError(f"neuron layer {missing[0]!r} is gone after {', '.join(last.history)}")
        held_against(whole, last, PROBE_STEPS, PROBE_BATCH, passing)
    except SpikeportError:
        held_against(whole, network, PROBE_STEPS, PROBE_BATCH)
        run_passes(network, passes)
        raise
