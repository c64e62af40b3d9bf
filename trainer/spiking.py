"""A population over a whole sequence: `core.neuron.step`, looped over time here, nowhere else."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..core.errors import NetworkError
from ..core.neuron import Law, State, step

Feedback = Callable[[Tensor], Tensor]  # last spikes [B, *shape] -> current [B, *shape]


class Spiking(nn.Module):
    """What every kind of population does with its law."""

    watch: Callable[[State], None] | None = None  # told the state at the end of every step

    def law(self) -> Law:
        """How `core.neuron.step` is carried out in torch."""
        raise NotImplementedError

    def forward(self, x: Tensor, feedback: Feedback | None = None) -> Tensor:
        """Spikes [T, B, *shape] in x's dtype, for input current x [T, B, *shape].

        feedback: a current made from the last step's spikes and added to this step's input;
        before the first step there were none.
        """
        return self.run(x, self.law(), feedback)

    def run(self, x: Tensor, law: Law, feedback: Feedback | None = None) -> Tensor:
        """Every step, from rest."""
        if x.ndim < 2 or not len(x):
            raise NetworkError(
                f"a neuron gets an input of shape {list(x.shape)}; "
                "give [T, B, *shape] with at least one step"
            )
        state, spikes = State(), []
        last = torch.zeros_like(x[0])
        for drive in x.unbind(0):
            last, state = step(state, drive if feedback is None else drive + feedback(last), law)
            spikes.append(last)
            if self.watch is not None:
                self.watch(state)
        return torch.stack(spikes)


def detached(law: Law) -> Law:
    """The law with no gradient through its reset."""
    attached = law.reset
    return dataclasses.replace(law, reset=lambda v, s: attached(v, s.detach()))
