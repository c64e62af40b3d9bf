"""A population that hears itself, as one operation of autograd.

Spikes of the past go through the weights step by step, as they must, by torch's own product, so
that the sums are those of the eager loop. The gradient of the weights is one product over all
steps at the end, where autograd would add up T of them.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from torch import Tensor

from .. import spike_bytes
from . import passes
from .engines import engine
from .function import Gradients, as_kept, once
from .layout import Signal, in_pieces
from .way import Plan


class Loop(NamedTuple):
    """Which spikes a step hears. late: of the first steps, which hear nothing. back: how many
    steps old the spikes are."""

    late: int
    back: int

    @classmethod
    def of(cls, late: int) -> "Loop":
        """Those of the step before, or, if spikes are late anyway, those heard in the step."""
        return cls(late, max(late, 1))


def recurrent(x: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan) -> Tensor:
    """Spikes [T, B, N] for x [T, B, N]; weight [N, N] and bias [N] of the way back."""
    out: Tensor = _Scan.apply(x, weight, bias, plan, *plan.tensors)  # type: ignore[no-untyped-call]
    return out


class _Scan(torch.autograd.Function):
    """x [T, B, N], weight [N, N], bias [N] or None -> spikes [T, B, N]."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        plan: Plan,
        *learned: Tensor,
    ) -> Tensor:
        x = in_pieces(x)
        to_x = any(ctx.needs_input_grad[:3])
        way = plan.way
        needs = way.needs(to_x, plan.asked(ctx.needs_input_grad[4:]))
        found = engine(x)
        numbers = plan.numbers(found, x)
        signal, wanted = Signal.like(x, x.shape[0]), (needs.membranes, needs.currents)
        done = found.forward(x, numbers, way.form, signal, wanted, goes_on=True)
        heard = _forward(done, x, weight, bias, Loop.of(way.late), needs.x)
        spike_bytes.fired(done.spikes)
        if needs.any:
            ctx.save_for_backward(*done.kept, done.spikes, heard, weight)
        ctx.plan, ctx.numbers, ctx.learn = plan, numbers, needs.learn
        ctx.to_x, ctx.signal, ctx.fires = to_x, signal, True
        return done.spikes

    @staticmethod
    @once
    def backward(ctx: Any, grad: Tensor) -> Gradients:
        *kept, weight = ctx.saved_tensors
        membranes, currents, spikes, heard = as_kept(kept, ctx.signal)
        assert spikes is not None
        grad = in_pieces(grad)
        way = ctx.plan.way
        loop = Loop.of(way.late)
        fired = spikes if way.form.dead else None
        told = passes.Told(grad, passes.Kept(membranes, currents), fired, heard, ctx.numbers)
        how = way.form, way.shape, way.detach, ctx.learn, True
        done = engine(grad).backward(told, how, ctx.signal, False, way.late, goes_on=True)
        _backward(done, grad, weight, loop)
        of_linear = _of_linear(done.to_x[: ctx.signal.steps], spikes, loop)
        wanted = [
            g if n else None
            for g, n in zip((done.to_input(), *of_linear), ctx.needs_input_grad, strict=False)
        ]
        return *wanted, None, *ctx.plan.gradients(done, ctx.learn)


def _forward(
    done: passes.Forward,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    loop: Loop,
    keep: bool,
) -> Tensor | None:
    """Every step; what each heard, [T, B, N], where it is to be kept."""
    steps, spikes = x.shape[0], done.spikes
    rest = torch.zeros_like(x[0])
    heard = torch.zeros_like(spikes) if keep else None
    done.run(rest[None], passes.Span(loop.late, 0, min(loop.late, steps)))
    for k in range(loop.late, steps):
        before = spikes[k - loop.back] if k >= loop.back else rest
        drive = x[k - loop.late] + F.linear(before, weight, bias)
        if heard is not None:
            heard[k - loop.late] = drive
        done.run(drive[None], passes.Span(loop.late, k, k + 1))
    return heard


def _backward(done: passes.Backward, grad: Tensor, weight: Tensor, loop: Loop) -> None:
    """Every step, from the last."""
    steps = grad.shape[0]
    felt = done.to_x[:steps]
    for k in range(steps - 1, -1, -1):
        came = grad[k]
        if k + loop.back < steps:
            came = torch.addmm(came, felt[k + loop.back], weight)
        done.run(came[None], passes.Span(loop.late, k, k + 1))


def _of_linear(felt: Tensor, spikes: Tensor, loop: Loop) -> tuple[Tensor, Tensor]:
    """Gradients of weight and bias. felt [T, B, N]: those of what every step heard."""
    later = felt[loop.back :].flatten(0, 1)
    before = spikes[: max(len(felt) - loop.back, 0)].flatten(0, 1)
    return later.T @ before, felt[loop.late :].sum((0, 1))
