"""What every neuron did while a model ran: its spikes, and its membrane if asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..core.errors import NetworkError
from ..core.neuron import State
from .spiking import Spiking


@dataclass(frozen=True, eq=False)
class Trace:
    """One population's record: spikes [T, B, *shape], each at the step in which it was fired,
    which a neuron's delay may send on later; v, the membrane at the end of each step (after the
    reset), of the same shape, or None if it was not asked for."""

    spikes: Tensor
    v: Tensor | None = None


@contextmanager
def recording(
    model: nn.Module, membrane: bool = False, kind: torch.dtype | None = None
) -> Iterator[dict[str, Trace]]:
    """A dictionary that the next forward pass of the model fills: neuron's name -> Trace. kind:
    what spikes are kept as; None: as they come.

    The names are the modules' qualified names. Only one pass may be recorded; NetworkError if
    a neuron is called twice.
    """
    traces: dict[str, Trace] = {}
    handles = []
    neurons = {name: m for name, m in model.named_modules() if isinstance(m, Spiking)}
    for name, neuron in neurons.items():
        handles.append(_Recorder(name, neuron, traces, membrane, kind).handle)
    try:
        yield traces
    finally:
        for handle in handles:
            handle.remove()
        for neuron in neurons.values():
            neuron.watch = None


class _Recorder:
    """Listens to one population."""

    def __init__(
        self,
        name: str,
        neuron: Spiking,
        traces: dict[str, Trace],
        membrane: bool,
        kind: torch.dtype | None,
    ) -> None:
        self.name = name
        self.traces = traces
        self.kind = kind
        self.fired: list[Tensor] = []
        self.v: list[Tensor] | None = [] if membrane else None
        self.handle = neuron.register_forward_hook(self.after)
        neuron.watch = self.at_step

    def at_step(self, spikes: Tensor, state: State) -> None:
        self.fired.append(spikes.detach().to(self.kind or spikes.dtype))
        if self.v is not None:
            self.v.append(state.v.detach())

    def after(self, neuron: nn.Module, inputs: object, heard: Tensor) -> None:
        if self.name in self.traces:
            raise NetworkError(
                f"neuron '{self.name}' was called twice while recording; record one forward "
                "pass, and give each place in the model a neuron of its own"
            )
        v = None if self.v is None else torch.stack(self.v)
        self.traces[self.name] = Trace(torch.stack(self.fired), v)
