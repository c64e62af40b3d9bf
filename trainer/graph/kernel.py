"""The chip's neurons over all steps in one pass over memory, forward and backward, on the CPU.

`core.neuron.step` with `core.loihi.law`, written out as a loop: the same bits, and the gradients
of the straight-through law (`populations`); the tests hold one against the other. It is here
because a step's dozen small operations each cost a pass over memory, over and over.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from .. import spike_bytes
from ..surrogate import Surrogate

ALONE = 1 << 17  # neuron-steps that one thread does by itself


@dataclass(frozen=True)
class Numbers:
    """One number a neuron each [N], float64. Whole: what current and membrane are multiplied by
    (of 4096), and the threshold in states. For gradients: middle, the real threshold in states;
    unit, states per 1 of the real membrane."""

    keep_u: Tensor
    keep_v: Tensor
    theta: Tensor
    middle: Tensor
    unit: Tensor


@dataclass(frozen=True)
class Way:
    """surrogate: the spike's gradient. subtract: reset by subtraction. detach: no gradient
    through the reset."""

    surrogate: Surrogate
    subtract: bool
    detach: bool


def population(x: Tensor, steps: int, bias: Tensor, numbers: Numbers, way: Way) -> Tensor:
    """Spikes [T, B, N] in x's type for whole sums x [T or 1, B, N] and a membrane bias [N] in
    states."""
    spikes: Tensor = _Population.apply(x, bias, steps, numbers, way)  # type: ignore[no-untyped-call]
    return spikes


class _Population(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor, steps: int, numbers: Numbers, way: Way
    ) -> Tensor:
        spikes = torch.empty(steps, *x.shape[1:], dtype=x.dtype)
        before = torch.empty_like(spikes)
        whole = [numbers.keep_u, numbers.keep_v, numbers.theta, bias.detach()]
        share_out(spikes.numel())
        keep_u, keep_v, theta, added = (n.to(torch.int64).numpy() for n in whole)
        heard = x.detach().contiguous().numpy()
        run: Any = fires
        run(heard, keep_u, keep_v, theta, added, way.subtract, spikes.numpy(), before.numpy())
        ctx.save_for_backward(spike_bytes.fired(spikes), before)
        ctx.still, ctx.numbers, ctx.way = len(x) == 1, numbers, way
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        spikes, before = ctx.saved_tensors
        numbers, way = ctx.numbers, ctx.way
        kind = before.dtype
        theta, middle, unit = (n.to(kind) for n in (numbers.theta, numbers.middle, numbers.unit))
        flow = way.surrogate.derivative((before - middle).div_(unit)).div_(unit)
        size = (1 if ctx.still else len(before), *before.shape[1:])
        to_x, to_bias = torch.zeros(size, dtype=kind), torch.zeros(size[1:], dtype=kind)
        share_out(spikes.numel())
        run: Any = flows
        run(
            grad.contiguous().numpy(),
            flow.numpy(),
            before.numpy(),
            spikes.numpy(),
            (numbers.keep_u / 4096).to(kind).numpy(),
            (numbers.keep_v / 4096).to(kind).numpy(),
            theta.numpy(),
            way.subtract,
            way.detach,
            to_x.numpy(),
            to_bias.numpy(),
        )
        return to_x, to_bias.double().sum(0), None, None, None


def share_out(work: int) -> None:
    """As many threads as torch takes, or one where waking others takes longer than the work."""
    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    asked = torch.get_num_threads()
    numba.set_num_threads(min(asked, most) if work > ALONE else 1)
    if torch.get_num_threads() != asked:  # numba has just begun, with all cores, in torch's OpenMP
        torch.set_num_threads(asked)


@numba.njit(inline="always")
def cut(product: Any) -> Any:
    """core.loihi.scaled in int64."""
    return (product + ((product >> 63) & 4095)) >> 12


@numba.njit(parallel=True, cache=True, nogil=True)
def fires(
    x: Any,  # [T or 1, B, N] whole numbers
    keep_u: Any,  # int64 [N], as keep_v, theta and bias
    keep_v: Any,
    theta: Any,
    bias: Any,
    subtract: bool,
    spikes: Any,  # [T, B, N], out
    before: Any,  # [T, B, N], out: the membrane before the reset
) -> None:
    """Forward."""
    steps, batch, size = spikes.shape
    limit, turn = 1 << 23, 1 << 24
    still = x.shape[0] == 1
    for b in numba.prange(batch):
        u, v = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for t in range(steps):
            at = 0 if still else t
            for i in range(size):
                now = cut(u[i] * keep_u[i]) + (np.int64(x[at, b, i]) << 6)
                now = now - turn * (now > limit) + turn * (now <= -limit)
                new = cut(v[i] * keep_v[i]) + now + bias[i]
                new = min(max(new, 1 - limit), limit - 1)
                fired = new > theta[i]
                spikes[t, b, i] = fired
                before[t, b, i] = new
                u[i] = now
                v[i] = new - theta[i] * fired if subtract else new * (1 - fired)


@numba.njit(parallel=True, cache=True, nogil=True)
def flows(
    grad: Any,  # [T, B, N], of the spikes
    flow: Any,  # [T, B, N], of the spikes by the membrane: the surrogate
    before: Any,
    spikes: Any,
    keep_u: Any,  # [N], as keep_v and theta
    keep_v: Any,
    theta: Any,
    subtract: bool,
    detach: bool,
    to_x: Any,  # [T or 1, B, N], out, from 0
    to_bias: Any,  # [B, N], out, from 0
) -> None:
    """Backward, from the last step to the first."""
    steps, batch, size = spikes.shape
    still = to_x.shape[0] == 1
    for b in numba.prange(batch):
        of_u, of_v = np.zeros(size, to_x.dtype), np.zeros(size, to_x.dtype)  # of the next step's
        for back in range(steps):
            t = steps - 1 - back
            at = 0 if still else t
            for i in range(size):
                of_spike = grad[t, b, i]
                if not detach:
                    of_spike -= of_v[i] * (theta[i] if subtract else before[t, b, i])
                kept = of_v[i] if subtract else of_v[i] * (1 - spikes[t, b, i])
                here = of_spike * flow[t, b, i] + kept
                of_u[i] = here + keep_u[i] * of_u[i]
                of_v[i] = keep_v[i] * here
                to_x[at, b, i] += 64 * of_u[i]
                to_bias[b, i] += here
