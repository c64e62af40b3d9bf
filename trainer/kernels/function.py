"""A fused population as one operation of autograd: what it saves, and what it hands back.

It saves the membranes that were tested and nothing else of [T, B, *shape]: spikes follow from
them. Where the input's gain is learned it keeps the input as well, and where the decay of a
current is, or the gain of one, the current.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..surrogate import SHAPES, Surrogate
from . import loops, on_cpu
from .layout import one_step, rows, still, strides, unrolled

if TYPE_CHECKING:
    from ..neurons.base import Numbers

IDLE = {  # what moves no bit where a number is None, in the order of the kernel's numbers
    "decay_v": 1.0,
    "decay_u": 0.0,
    "gain_u": 1.0,
    "gain_v": 1.0,
    "bias": -0.0,  # x + -0 is x for every x, 0 and -0 too
    "threshold": 0.0,
    "v_reset": -0.0,
    "amount": 0.0,
}
SHAPE_OF = {kind: loops.Shape[name.upper()] for name, kind in SHAPES.items()}


class Way(NamedTuple):
    """How a population runs, beside its numbers. held: x is one step, the same in all `steps`.
    keep: gradients may be asked for. detach: none through the reset."""

    steps: int
    held: bool
    keep: bool
    form: loops.Form
    surrogate: Surrogate
    detach: bool


def population(
    x: Tensor, numbers: "Numbers", surrogate: Surrogate, compare: str, detach: bool
) -> Tensor:
    """Spikes [T, B, *shape] for x [T, B, *shape], as `Spiking.run` gives them."""
    form = loops.Form(numbers.decay_u is not None, numbers.amount is not None, compare == ">=")
    way = Way(len(x), still(x), torch.is_grad_enabled(), form, surrogate, detach)
    values = [idle if (v := getattr(numbers, name)) is None else v for name, idle in IDLE.items()]
    if numbers.v_reset == 0:
        values[loops.V_RESET] = IDLE["v_reset"]
    heard = one_step(x) if way.held else x
    spikes: Tensor = _Population.apply(heard, way, *values)  # type: ignore[no-untyped-call]
    return spikes


class _Population(torch.autograd.Function):
    """x [T, B, *shape], or [B, *shape] where it is held -> spikes [T, B, *shape]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, way: Way, *values: float | Tensor) -> Tensor:
        x = x.detach()[None] if way.held else x.detach()
        laid = strides(x[0])
        heard = rows(x, laid)
        to_x, _, *to_values = ctx.needs_input_grad
        learn = tuple(n for n in loops.LEARNABLE if to_values[n])
        needs_u = way.form.current and bool({loops.DECAY_U, loops.GAIN_V} & set(learn))
        needs_x = not way.form.current and loops.GAIN_V in learn
        plain = [v.item() if isinstance(v, Tensor) else v for v in values]
        numbers = [*plain, way.surrogate.width, way.surrogate.scale]
        keep = way.keep and (to_x or bool(learn))
        spikes, membranes, currents = on_cpu.forward(
            heard, numbers, way.form, way.steps, keep, keep and needs_u
        )
        if keep:
            ctx.save_for_backward(membranes, currents, heard if needs_x else None)
        ctx.way, ctx.numbers, ctx.learn, ctx.values = way, numbers, learn, values
        ctx.shape, ctx.laid = x.shape[1:], laid
        return unrolled(spikes, ctx.shape, laid)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | float | None, ...]:
        way, to_x = ctx.way, ctx.needs_input_grad[0]
        membranes, currents, x = ctx.saved_tensors
        told = on_cpu.Told(rows(grad, ctx.laid), membranes, currents, x, ctx.numbers)
        how = way.form, SHAPE_OF[type(way.surrogate)], way.detach, ctx.learn, to_x
        found, sums = on_cpu.backward(told, how, way.held)
        grads: list[Tensor | None] = [None] * len(ctx.values)
        for n in ctx.learn:
            value = ctx.values[n]
            grads[n] = torch.tensor(sums[n], dtype=value.dtype, device=value.device)
        to_input = unrolled(found, ctx.shape, ctx.laid) if to_x else None
        return to_input[0] if to_input is not None and way.held else to_input, None, *grads
