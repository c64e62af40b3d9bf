"""Last layers that are not linear: a leaky integrator without spikes, and a vote."""

import torch
from torch import Tensor

from ...core.errors import ConfigError, NetworkError
from .. import kernels, segments
from ..layers import Whole
from ..neurons.base import Numbers
from ..spiking import state_type


class LeakyReadout(Whole):
    """U[n + 1] = decay U[n] + (1 - decay) I[n], from U[0] = initial (Zenke & Vogels 2021).

    I is the input x, or its synaptic current I[n + 1] = decay_syn I[n] + x[n]. [T, B, C] ->
    U[0 ... T-1]. The new current and membrane of `core.neuron.step` come one step earlier each,
    so a deployed one is that with a delay of `delay` steps.
    """

    def __init__(
        self, decay: float = 0.9, decay_syn: float | None = None, initial: float = 0.0
    ) -> None:
        super().__init__()
        for name, value in (("decay", decay), ("decay_syn", decay_syn)):
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name} of a leaky readout is {value}; it must be from 0 to 1")
        self.decay = decay
        self.decay_syn = decay_syn
        self.initial = initial

    @property
    def delay(self) -> int:
        """Steps between an input and what it changes."""
        return 1 if self.decay_syn is None else 2

    def forward(self, x: Tensor) -> Tensor:
        """Membranes [T, B, C]."""
        if self.initial == 0 and kernels.integrator(x).fused:
            return kernels.integrate(self._numbers(), x, self.delay)
        kind = state_type(x.dtype)
        zero = torch.zeros_like(x[0], dtype=kind)
        u, current = segments.memory(self) or (zero + self.initial, zero)
        out = []
        for now in x.to(kind).unbind(0):
            out.append(u.to(x.dtype))
            u = self.decay * u + (1 - self.decay) * (now if self.decay_syn is None else current)
            if self.decay_syn is not None:
                current = self.decay_syn * current + now
        segments.keep(self, (u, current))
        return torch.stack(out)

    def _numbers(self) -> Numbers:
        return Numbers(decay_v=self.decay, decay_u=self.decay_syn, gain_v=1 - self.decay)

    def extra_repr(self) -> str:
        return f"decay={self.decay}, decay_syn={self.decay_syn}, initial={self.initial}"


class Vote(Whole):
    """Mean over the `votes` outputs that stand for each class: [T, B, C votes] -> [T, B, C]."""

    def __init__(self, votes: int = 10) -> None:
        super().__init__()
        self.votes = votes

    def forward(self, x: Tensor) -> Tensor:
        """NetworkError if the outputs cannot be shared out evenly."""
        if x.shape[-1] % self.votes:
            raise NetworkError(f"{x.shape[-1]} outputs are no multiple of {self.votes} votes")
        return x.reshape(*x.shape[:-1], -1, self.votes).mean(-1)

    def extra_repr(self) -> str:
        return f"{self.votes}"
