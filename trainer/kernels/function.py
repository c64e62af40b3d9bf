"""A fused population as one operation of autograd: what it saves, and what it hands back.

It saves the membranes that were tested and nothing else of [T, B, *shape]: spikes follow from
them. Where the input's gain is learned it keeps the input as well, and where the decay of a
current is, or the gain of one, the current. After a dead step spikes do not follow, and the
output is kept too, which the next layer keeps anyway.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
        laid = strides(x[0])
        heard = rows(x, laid)
        needs = way.needs(ctx.needs_input_grad[0], ctx.needs_input_grad[4:])
        found, shape = engine(x), (steps, heard.shape[1])
        numbers = found.numbers(way.numbers(given), heard)
        done = found.forward(heard, numbers, way.form, shape, (needs.membranes, needs.currents))
        done.run(heard, passes.Span(way.late, 0, steps))
        if needs.any:
            fired = done.spikes if way.form.dead else None
            ctx.save_for_backward(*done.kept, fired, heard if needs.x else None)
        ctx.way, ctx.held, ctx.numbers, ctx.learn = way, held, numbers, needs.learn
        ctx.shape, ctx.laid, ctx.rows, ctx.given = x.shape[1:], laid, shape, given
        return unrolled(done.spikes.to(x.dtype), ctx.shape, laid)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | float | None, ...]:
        way, to_x = ctx.way, ctx.needs_input_grad[0]
        membranes, currents, fired, x = ctx.saved_tensors
        came = rows(grad, ctx.laid)
        told = passes.Told(came, passes.Kept(membranes, currents), fired, x, ctx.numbers)
        how = way.form, way.shape, way.detach, ctx.learn, to_x
        done = engine(grad).backward(told, how, ctx.rows, ctx.held, way.late)
        done.run(came, passes.Span(way.late, 0, ctx.rows[0]))
        to_input = unrolled(done.to_input().to(grad.dtype), ctx.shape, ctx.laid) if to_x else None
        if to_input is not None and ctx.held:
            to_input = to_input[0]
        return to_input, None, None, None, *gradients(done.of_numbers(), ctx.learn, ctx.given)
