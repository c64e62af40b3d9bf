"""A population over a whole sequence: `core.neuron.step`, looped over time here, nowhere else."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ..core.errors import ConfigError, NetworkError
from ..core.neuron import Law, State, step
from . import segments
from .spike_bytes import alike

Feedback = Callable[[Tensor], Tensor]  # spikes of one step [B, *shape] -> current [B, *shape]


def state_type(kind: torch.dtype) -> torch.dtype:
    """What currents and membranes are computed and kept in, for an input of a kind.

    Halves have 8 or 11 bits: a membrane would stand still once it is some hundred times its
    input. So float16 and bfloat16 are what a population hears and says, and no more."""
    return torch.float32 if kind in (torch.float16, torch.bfloat16) else kind


class Advance(Protocol):
    """One step of a population: drive [B, *shape] -> (spikes, state). state: all that it carries
    from one step to the next."""

    state: Any

    def __call__(self, drive: Tensor) -> tuple[Tensor, State]: ...


class Spiking(nn.Module):
    """What every kind of population does with its law.

    delay: whole steps after which its spikes are heard, by others and by itself. Rules that
    test the membrane before they update it fire later than `core.neuron.step`, by a delay.
    """

    watch: Callable[[Tensor, State], None] | None = None  # told (spikes, state) of every step
    delay: int = 0

    def law(self) -> Law:
        """How `core.neuron.step` is carried out in torch."""
        raise NotImplementedError

    def forward(self, x: Tensor, feedback: Feedback | None = None) -> Tensor:
        """Spikes [T, B, *shape] in x's dtype, for input current x [T, B, *shape]; the state is
        of `state_type`.

        feedback: a current made from the population's own spikes and added to this step's
        input: the last step's, or, where they are heard late anyway, those heard in this step.
        Before the first step there were none.
        """
        return self.run(x, self.law(), feedback)

    def run(self, x: Tensor, law: Law, feedback: Feedback | None = None) -> Tensor:
        """Every step by one law, from rest."""
        return self.steps(x, Stepper(law), feedback)

    def steps(self, x: Tensor, advance: Advance, feedback: Feedback | None = None) -> Tensor:
        """Every step, from rest."""
        if x.ndim < 2 or not len(x):
            raise NetworkError(
                f"a neuron gets an input of shape {list(x.shape)}; "
                "give [T, B, *shape] with at least one step"
            )
        fired = self.before(x, advance)
        for t, drive in enumerate(x.unbind(0)):
            drive = drive.to(state_type(x.dtype))
            spikes, state = advance(drive if feedback is None else drive + feedback(fired[t]))
            fired.append(alike(spikes.to(x.dtype), spikes))
            if self.watch is not None:
                self.watch(spikes, state)
        segments.keep(self, (advance.state, fired[len(x) :]))
        out = fired[: len(x)] if self.delay else fired[1:]
        return alike(torch.stack(out), *out)

    def before(self, x: Tensor, advance: "Advance") -> list[Tensor]:
        """Spikes of the steps before the first of x; `advance` is then where it was left."""
        if (carried := segments.memory(self)) is not None:
            advance.state, fired = carried
            return list(fired)
        silent = torch.zeros_like(x[0])
        rest = silent.to(state_type(x.dtype))
        # Whoever fires late has tested a membrane at rest by then, in vain, but a gradient to
        # the threshold comes of it.
        early = [advance(rest)[0] for _ in range(self.delay)]
        return [alike(spikes.to(x.dtype), spikes) for spikes in early] or [silent]


def heard_in_time(net: nn.Module, steps: int) -> None:
    """ConfigError if the delays of a chain of populations leave nothing of a sample's steps."""
    late = _late(net)
    if late >= steps:
        raise ConfigError(
            f"data.steps is {steps}, and this model's neurons answer {late} steps late, so that "
            f"no spike would reach the output; give at least {late + 1} steps, or fewer layers"
        )


def _late(part: nn.Module) -> int:
    """Steps that a chain of layers answers late; blocks with shortcuts say their shortest way."""
    if hasattr(part, "shortest_delay"):
        return int(cast(int, part.shortest_delay))
    own = part.delay if isinstance(part, Spiking) else 0
    return own + sum(_late(inner) for inner in part.children())


class Stepper:
    """One population at rest, advanced by every call."""

    def __init__(self, law: Law) -> None:
        self.law = law
        self.state = State()

    def __call__(self, drive: Tensor) -> tuple[Tensor, State]:
        spikes, self.state = step(self.state, drive, self.law)
        return spikes, self.state


def detached(law: Law) -> Law:
    """The law with no gradient through its reset."""
    attached = law.reset
    return dataclasses.replace(law, reset=lambda v, s: attached(v, s.detach()))
