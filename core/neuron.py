"""What ONE time step of a spiking population means. Stated here, nowhere else.

    u <- limit(decay(u) + take(x))        synaptic current, absent in plain LIF (u = take(x))
    v <- limit(decay(v) + inject(u))      membrane, with the NEW u and the membrane's bias
    v <- v_reset where a spike was less than r + 1 steps ago            refractory period r
    s <- fire(v)
    v <- v_reset where s     or     v - amount * s                      reset

The step is written with arithmetic operators only, so it runs on numpy arrays (the reference),
on torch tensors (the trainer, with a surrogate in `fire`) and on Loihi's integers. What differs
between them is a `Law`, never the order of events.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

Values = Any  # numpy.ndarray or torch.Tensor, [batch, *neurons]
Map = Callable[[Values], Values]


class State(NamedTuple):
    """What a population carries from one step to the next, each `[batch, *neurons]` or 0."""

    u: Values = 0.0  # synaptic current
    v: Values = 0.0  # membrane, after the reset
    rest: Values = 0  # steps for which the neuron is still held


def same(values: Values) -> Values:
    """A number format without limits."""
    return values


def resting(rest: Values) -> Values:
    """1 where a neuron is still held, else 0."""
    return (rest > 0) * 1


@dataclass(frozen=True)
class Law:
    """How one number format carries out the events of a step."""

    decay_v: Map
    fire: Map | None  # v -> 0 or 1; None: no spikes, the membrane is the output
    reset: Callable[[Values, Values], Values]  # (v, s) -> v
    take: Map = same  # drive -> current
    inject: Map = same  # current -> membrane, with the bias
    decay_u: Map | None = None  # None: no synaptic current
    limit_u: Map = same
    limit_v: Map = same
    refractory: Values | None = None  # steps, per neuron or one number; None: none
    v_reset: Values = 0.0
    held: Map = resting  # steps left to hold -> 0 or 1; another one may let a gradient through


def step(state: State, drive: Values, law: Law) -> tuple[Values, State]:
    """Advance one time step; returns (spikes, state), or (membrane, state) without `fire`.

    drive `[batch, *neurons]`: this step's summed input.
    """
    u = law.take(drive)
    if law.decay_u is not None:
        u = law.limit_u(law.decay_u(state.u) + u)
    v = law.limit_v(law.decay_v(state.v) + law.inject(u))
    if law.fire is None:
        return v, State(u, v)
    if law.refractory is None:
        spikes = law.fire(v)
        return spikes, State(u, law.reset(v, spikes))
    held = law.held(state.rest)
    v = v * (1 - held) + law.v_reset * held
    spikes = law.fire(v)
    rest = spikes * law.refractory + (1 - spikes) * (state.rest - held)
    return spikes, State(u, law.reset(v, spikes), rest)


def real(
    *,
    fire: Map | None,
    decay_v: Values | None = None,
    decay_u: Values | None = None,
    gain_u: Values | None = None,
    gain_v: Values | None = None,
    bias: Values | None = None,
    v_reset: Values = 0.0,
    amount: Values | None = None,
    refractory: Values | None = None,
) -> Law:
    """The step in real numbers: numpy arrays, torch tensors or plain numbers alike.

    What is None does not happen (no leak, no current, no gain, no bias, no refractory period),
    so that it costs nothing and moves no bit. amount: reset by subtraction of it; None: reset
    by value, to v_reset. One number or one per neuron each.
    """

    def inject(u: Values) -> Values:
        current = u if gain_v is None else gain_v * u
        return current if bias is None else current + bias

    return Law(
        take=same if gain_u is None else lambda x: gain_u * x,
        decay_u=None if decay_u is None else lambda u: decay_u * u,
        decay_v=same if decay_v is None else lambda v: decay_v * v,
        inject=inject,
        fire=fire,
        reset=reset_to(v_reset) if amount is None else reset_by(amount),
        refractory=refractory,
        v_reset=v_reset,
    )


def reset_to(v_reset: Values) -> Callable[[Values, Values], Values]:
    """Reset by value: v_reset where a spike was. Exact for spikes of 0 and 1."""
    if isinstance(v_reset, float | int) and v_reset == 0:
        return lambda v, s: v * (1 - s)
    return lambda v, s: v * (1 - s) + v_reset * s


def reset_by(amount: Values) -> Callable[[Values, Values], Values]:
    """Reset by subtraction."""
    return lambda v, s: v - amount * s
