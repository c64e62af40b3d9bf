"""A fused population as one operation of autograd: what it saves, and what it hands back.

It saves the membranes that were tested and nothing else of [T, B, *shape]: spikes follow from
them. Where the input's gain is learned it keeps the input as well, and where the decay of a
current is, or the gain of one, the current. After a dead step spikes do not follow, and the
output is kept too, which the next layer keeps anyway.

An input that is held, [B, *shape], or in half precision takes less memory than all that. Then it
alone is saved, and the backward pass makes the rest again, a block of neurons at a time.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from ...core.errors import TrainingError
from .. import spike_bytes
from ..spiking import state_type
from . import passes
from .engines import Engine
from .layout import Signal, at, laid_as, one_step, rows, summed
from .way import Plan

Gradients = tuple[Tensor | None, ...]


def once(backward: Callable[[Any, Tensor], Gradients]) -> Callable[[Any, Tensor], Gradients]:
    """A backward pass that has no gradient itself. TrainingError where torch would go on without
    it: it hangs on what came, and where there are spikes on every membrane as well."""

    @wraps(backward)
    def checked(ctx: Any, grad: Tensor) -> Gradients:
        if not torch.is_grad_enabled():
            return backward(ctx, grad)
        if ctx.fires or grad.requires_grad:
            raise TrainingError(
                "a gradient of gradients is asked for (create_graph), and fused kernels have "
                "none; set run.kernels (or SPIKEPORT_KERNELS) to eager"
            )
        with torch.no_grad():
            return backward(ctx, grad)

    return checked


def population(x: Tensor, plan: Plan, engine: Engine) -> Tensor:
    """Its output [T, B, *shape] for x [T, B, *shape], as `Spiking.run` gives it."""
    held = summed(x)
    how = plan, engine, x.shape[0], held
    out: Tensor = _Population.apply(one_step(x) if held else x, how, *plan.tensors)  # type: ignore[no-untyped-call]
    return out


class _Population(torch.autograd.Function):
    """x [T, B, *shape], or [B, *shape] where it is held -> output [T, B, *shape]."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, how: tuple[Plan, Engine, int, bool], *learned: Tensor
    ) -> Tensor:
        plan, engine, steps, held = how
        way = plan.way
        x = x[None] if held else x
        signal = Signal.like(x, steps)
        heard = rows(x, signal.strides)
        smaller = (held and steps > 1) or state_type(x.dtype) != x.dtype
        smaller = smaller and not x.is_inference()  # which torch does not let us keep
        to_x, _, *to_learned = ctx.needs_input_grad
        needs = way.needs(to_x, plan.asked(to_learned), engine.again and smaller)
        numbers = plan.numbers(engine, heard)
        done = engine.forward(heard, numbers, way.form, signal, (needs.membranes, needs.currents))
        done.run(heard, passes.Span(way.late, 0, steps))
        if way.form.fires:
            spike_bytes.fired(done.spikes)
        if needs.any:
            fired = done.spikes if needs.spikes else None
            # detached: x may lead to spikes later, by being written to, and so back to here
            ctx.save_for_backward(*done.kept, fired, heard.detach() if needs.x else None)
        ctx.how, ctx.numbers, ctx.needs, ctx.fires = how, numbers, needs, way.form.fires
        # nothing that somebody else may hold is written to
        own = done.kept.membranes is not None and not spike_bytes.hooked()
        ctx.signal, ctx.place = signal, at(done.kept.membranes)[0] if own else None
        return spike_bytes.alike(like(done.spikes, x), done.spikes)

    @staticmethod
    @once
    def backward(ctx: Any, grad: Tensor) -> Gradients:
        plan, engine, steps, held = ctx.how
        way, needs, to_x = plan.way, ctx.needs, ctx.needs_input_grad[0]
        *kept_as, x = ctx.saved_tensors  # once: torch.utils.checkpoint makes them again for it
        membranes, currents, fired = as_kept(kept_as, ctx.signal)
        x = None if x is None else rows(x, None)
        came = rows(grad, ctx.signal.strides)
        kept = passes.Kept(membranes, currents)
        # the gradient takes the memory of the membranes if nobody asks for this pass again
        free = to_x and engine.again and not (held or way.late or KEPT())
        spare = membranes if free and membranes is not None else None
        if spare is not None and (
            at(spare)[0] != ctx.place or not spare.dtype == grad.dtype == ctx.numbers.dtype
        ):
            spare = None
        if spare is not None:  # should this fail, torch refuses to go back once more
            torch.autograd.graph.increment_version(spare)
        told = passes.Told(came, kept, fired, x, ctx.numbers, needs.again, spare)
        how = way.form, way.shape, way.detach, needs.learn, to_x
        done = engine.backward(told, how, ctx.signal, held, way.late)
        done.run(came, passes.Span(way.late, 0, steps))
        to_input = like(done.to_input(), grad) if to_x else None
        if to_input is not None and held:
            to_input = to_input[0]
        return to_input, None, *plan.gradients(done, needs.learn)


def as_kept(kept: Sequence[Tensor | None], signal: Signal) -> list[Tensor | None]:
    """What was kept, as it lay."""
    return [None if values is None else laid_as(signal, values) for values in kept]


def like(found: Tensor, other: Tensor) -> Tensor:
    """In the type of the other one. To be asked for what is there already takes torch a while."""
    return found if found.dtype == other.dtype else found.to(other.dtype)


# whether the graph is kept beyond the backward pass that is running
KEPT: Callable[[], bool] = getattr(
    torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True
)
