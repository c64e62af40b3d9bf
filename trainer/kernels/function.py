"""A fused population as one operation of autograd: what it saves, and what it hands back.

It saves the membranes that were tested and nothing else of [T, B, *shape]: spikes follow from
them. Where the input's gain is learned it keeps the input as well, and where the decay of a
current is, or the gain of one, the current. After a dead step spikes do not follow, and the
output is kept too, which the next layer keeps anyway.

An input that is held, [B, *shape], or in half precision takes less memory than all that. Then it
alone is saved, and the backward pass makes the rest again, a block of neurons at a time.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..spiking import state_type
from . import passes
from .engines import engine
from .layout import one_step, rows, still, strides, unrolled
from .way import Given, Way, gradients


def population(x: Tensor, way: Way, given: Given) -> Tensor:
    """Its output [T, B, *shape] for x [T, B, *shape], as `Spiking.run` gives it."""
    held = still(x)
    heard = one_step(x) if held else x
    out: Tensor = _Population.apply(heard, way, len(x), held, *given)  # type: ignore[no-untyped-call]
    return out


class _Population(torch.autograd.Function):
    """x [T, B, *shape], or [B, *shape] where it is held -> output [T, B, *shape]."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, way: Way, steps: int, held: bool, *given: float | Tensor
    ) -> Tensor:
        x = x.detach()[None] if held else x.detach()
        laid = strides(x)
        heard = rows(x, laid)
        found, shape = engine(x), (steps, heard.shape[1])
        smaller = (held and steps > 1) or state_type(x.dtype) != x.dtype
        again = found.again and smaller
        needs = way.needs(ctx.needs_input_grad[0], ctx.needs_input_grad[4:], again)
        numbers = found.numbers(way.numbers(given), heard)
        done = found.forward(heard, numbers, way.form, shape, (needs.membranes, needs.currents))
        done.run(heard, passes.Span(way.late, 0, steps))
        if needs.any:
            fired = done.spikes if needs.spikes else None
            ctx.save_for_backward(*done.kept, fired, heard if needs.x else None)
        ctx.way, ctx.held, ctx.numbers, ctx.needs, ctx.engine = way, held, numbers, needs, found
        ctx.shape, ctx.laid, ctx.rows, ctx.given = x.shape[1:], laid, shape, given
        return unrolled(like(done.spikes, x), ctx.shape, laid)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | float | None, ...]:
        way, needs, to_x = ctx.way, ctx.needs, ctx.needs_input_grad[0]
        membranes, currents, fired, x = ctx.saved_tensors
        came = rows(grad, ctx.laid)
        kept = passes.Kept(membranes, currents)
        told = passes.Told(came, kept, fired, x, ctx.numbers, needs.again)
        how = way.form, way.shape, way.detach, needs.learn, to_x
        done = ctx.engine.backward(told, how, ctx.rows, ctx.held, way.late)
        done.run(came, passes.Span(way.late, 0, ctx.rows[0]))
        to_input = unrolled(like(done.to_input(), grad), ctx.shape, ctx.laid) if to_x else None
        if to_input is not None and ctx.held:
            to_input = to_input[0]
        if not needs.learn:
            return (to_input, *(None,) * (3 + len(ctx.given)))
        return to_input, None, None, None, *gradients(done.of_numbers(), needs.learn, ctx.given)


def like(found: Tensor, other: Tensor) -> Tensor:
    """In the type of the other one. To be asked for what is there already takes torch a while."""
    return found if found.dtype == other.dtype else found.to(other.dtype)
