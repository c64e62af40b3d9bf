"""`core.neuron.step` over all T steps in one pass over memory, forward and backward, in numba.

The same bits as the eager loop: no fastmath, no contraction, each operation in the eager order.
What does not happen multiplies by 1 or adds -0, which moves no bit. A kernel is a function of the
form of a population and of the shape of its surrogate; both are constants of its compilation.

One thread works on a block of neurons over all steps, then on the next; its state is in
`scratch`, which stays in the cache. So do the membranes of a block, where the backward pass makes
them again from what was heard. The rows of scratch are of one array and a fixed length, so that
the compiler can see that they are apart. Division is IEEE's (error_model): a check for zero would
keep it from going eight at a time.

A population that hears itself is run a step at a time. Then `goes_on` is true, scratch has a part
for every block, and what is in it stays until the next call.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from .form import (
    AMOUNT,
    BIAS,
    DECAY_U,
    DECAY_V,
    GAIN_U,
    GAIN_V,
    GRADIENTS,
    LEARNABLE,
    SCALE,
    STATE,
    THRESHOLD,
    V_RESET,
    WIDTH,
    Form,
    Shape,
)

BLOCK = 2048  # neurons; fixed, since sums over a block must not depend on the threads


@numba.njit(inline="always", error_model="numpy")
def height(shape: int, z: Any, one: Any, pi: Any) -> Any:
    """h(z), z >= 0, as the surrogates of that name have it."""
    zero = one - one
    if shape == 0:
        return max(one - z, zero)
    if shape == 1:
        return one if z < one else zero
    if shape == 2:
        y = z * pi
        return one / (y * y + one)
    if shape == 3:
        y = z + one
        return one / (y * y)
    e = np.exp(-z)
    if shape == 4:
        y = one + e
        return (e + e + e + e) / (y * y)
    return e


@numba.njit(forceinline=True, error_model="numpy")
def steps(form: Any, kept: Any, of: Any, out: Any, state: Any, part: Any) -> None:
    """Steps [start, stop) of the n neurons from lo on. form and kept are constants of whoever
    calls, who takes all this in; form: as `Form`; kept: whether spikes, membranes and currents are
    told, in the columns of `out` from `to` on. state [STATE BLOCK]: what they are in."""
    current, subtract, reached, dead, fires = form
    told, keep, keep_u = kept
    x, numbers, silence, late = of
    spikes, membranes, currents, to = out
    lo, n, start, stop = part
    one = x.dtype.type(1)
    zero = x.dtype.type(0)
    decay_v, decay_u, gain_u = numbers[DECAY_V], numbers[DECAY_U], numbers[GAIN_U]
    gain_v, bias, threshold = numbers[GAIN_V], numbers[BIAS], numbers[THRESHOLD]
    v_reset, amount = numbers[V_RESET], numbers[AMOUNT]
    still = x.shape[0] == 1
    for t in range(start, stop):
        heard = silence[:n] if t < late else x[0 if still else t - late, lo : lo + n]
        fired = spikes[t if told else 0, to if told else 0 :]
        tested = membranes[t if keep else 0, to if keep else 0 :]
        flows = currents[t if keep_u else 0, to if keep_u else 0 :]
        for i in range(n):
            u = gain_u * heard[i]
            if current:
                u = decay_u * state[BLOCK + i] + u
                state[BLOCK + i] = u
            v = decay_v * state[i] + (gain_v * u + bias)
            if keep:
                tested[i] = v
            if keep_u:
                flows[i] = u
            if fires:
                if dead:
                    rests = state[2 * BLOCK + i]
                    v = v * (one - rests) + v_reset * rests
                s = one if (v >= threshold if reached else v > threshold) else zero
                if told:
                    fired[i] = s
                if dead:
                    state[i] = v
                    state[2 * BLOCK + i] = s
                else:
                    state[i] = v - amount * s if subtract else v * (one - s) + v_reset * s
            else:
                if told:
                    fired[i] = v
                state[i] = v


@cache
def forward(form: Form, keep: bool, keep_u: bool) -> Callable[..., None]:
    """Spikes; keep: and the membranes that were tested, or would have been without a dead step;
    keep_u: and the currents."""
    kind, kept = tuple(form), (True, keep, keep_u)

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def run(
        x: Any,  # [T or 1, N]
        numbers: Any,  # [10]
        spikes: Any,  # [T, N]
        membranes: Any,  # [T, N] where kept, else [1, 1]
        currents: Any,
        scratch: Any,  # [STATE BLOCK], or [blocks STATE BLOCK] that go on
        silence: Any,  # [BLOCK] of 0
        goes_on: bool,
        late: int,  # steps that hear nothing, before those that hear x
        start: int,  # step
        stop: int,
        first: int,  # block, of those that this thread does
        end: int,
    ) -> None:
        for block in range(first, end):
            lo = block * BLOCK
            n = min(spikes.shape[1] - lo, BLOCK)
            at = block * STATE * BLOCK if goes_on else 0
            state = scratch[at : at + STATE * BLOCK]
            if not goes_on:
                state[:] = 0
            of, out = (x, numbers, silence, late), (spikes, membranes, currents, lo)
            steps(kind, kept, of, out, state, (lo, n, start, stop))

    return run


@cache
def backward(
    form: Form, shape: Shape, detach: bool, learn: tuple[int, ...], to_x: bool, again: bool
) -> Callable[..., None]:
    """Gradients of x and of the numbers in `learn`, from membranes alone; of decay_u and gain_v
    from what the current was, too, and with a dead step from the spikes. detach: none through
    the reset. again: those three are made again from x, block by block, in room for one block."""
    current, subtract, reached, dead, fires = form
    height_of = int(shape)
    learned = tuple(number in learn for number in LEARNABLE)
    to_decay_v, to_decay_u, to_gain_v, to_bias, to_threshold, to_amount = learned
    # sums that nobody asks for would take longer than a few steps do
    used = (True, current, *learned, dead and not detach)

    use_u = current and (to_decay_u or to_gain_v)
    kind, wanted = tuple(form), (dead, fires, use_u)
    remade = again and (fires or use_u)

    @numba.njit(cache=True, nogil=True, error_model="numpy")
    def run(
        grad: Any,  # [T or 1, N], of the spikes
        x: Any,  # [T or 1, N] where it is needed or all is made again, else [1, 1]
        numbers: Any,  # [10]
        membranes: Any,  # [T, N], or again [T, BLOCK], where it fires, else [1, 1]
        currents: Any,  # the same where needed
        spikes: Any,  # the same with a dead step
        grad_x: Any,  # [T, N], of what every step hears, or [1, N]: summed over time
        sums: Any,  # float64 [blocks, 10]
        scratch: Any,  # [(GRADIENTS + STATE) BLOCK], or [blocks GRADIENTS BLOCK] that go on
        waste: Any,  # [BLOCK]
        silence: Any,  # [BLOCK] of 0
        goes_on: bool,
        late: int,  # steps that hear nothing, before those that hear x
        start: int,  # step, the last to be done
        stop: int,
        first: int,  # block, of those that this thread does
        end: int,
    ) -> None:
        one, pi = grad.dtype.type(1), grad.dtype.type(math.pi)
        zero = grad.dtype.type(0)
        decay_v, decay_u, gain_u = numbers[DECAY_V], numbers[DECAY_U], numbers[GAIN_U]
        gain_v, threshold = numbers[GAIN_V], numbers[THRESHOLD]
        v_reset, amount = numbers[V_RESET], numbers[AMOUNT]
        width, scale = numbers[WIDTH], numbers[SCALE]
        still, heard_still = grad_x.shape[0] == 1, x.shape[0] == 1
        use_x = to_gain_v and not current
        for block in range(first, end):
            lo = block * BLOCK
            n = min(grad.shape[1] - lo, BLOCK)
            hi = lo + n
            at = block * GRADIENTS * BLOCK if goes_on else 0
            state = scratch[at : at + GRADIENTS * BLOCK]
            if not goes_on:
                for row in range(GRADIENTS):
                    if used[row]:
                        state[row * BLOCK : (row + 1) * BLOCK] = zero
                if still:
                    grad_x[0, lo:hi] = zero
            if remade:
                rest = scratch[GRADIENTS * BLOCK :]
                rest[:] = zero
                of, out = (x, numbers, silence, late), (spikes, membranes, currents, 0)
                steps(kind, wanted, of, out, rest, (lo, n, start, stop))
            seen = 0 if again else lo
            for t in range(stop - 1, start - 1, -1):
                came = grad[0 if grad.shape[0] == 1 else t, lo:hi]
                tested = membranes[t if fires else 0, seen if fires else 0 :]
                before = membranes[max(t - 1, 0) if fires else 0, seen if fires else 0 :]
                fired = spikes[t if dead else 0, seen if dead else 0 :]
                once = spikes[max(t - 1, 0) if dead else 0, seen if dead else 0 :]
                twice = spikes[max(t - 2, 0) if dead else 0, seen if dead else 0 :]
                past = one if t > 0 else zero
                long_past = one if t > 1 else zero
                left = waste[:n] if still and t < late else grad_x[0 if still else t, lo:hi]
                heard = waste[:n]
                if use_x and t >= late:
                    heard = x[0 if heard_still else t - late, lo:hi]
                flows = currents[t if use_u else 0, seen if use_u else 0 :]
                flowed = currents[max(t - 1, 0) if use_u else 0, seen if use_u else 0 :]
                felt = zero if use_x and t < late else one
                for i in range(n):
                    g = state[i]
                    if not fires:
                        g_v = g + came[i]
                    else:
                        v = tested[i]
                        if dead:
                            rests = once[i] * past
                            free = v
                            v = free * (one - rests) + v_reset * rests
                            s = fired[i]
                        else:
                            s = one if (v >= threshold if reached else v > threshold) else zero
                        to_s = came[i]
                        if not detach:
                            if dead:
                                to_s = to_s + state[8 * BLOCK + i]
                            else:
                                to_s = to_s - g * amount if subtract else to_s + g * (v_reset - v)
                        flow = height(height_of, abs(v - threshold) / width, one, pi) * scale * to_s
                        g_v = flow + (g if subtract or dead else g * (one - s))
                        if dead:
                            if not detach:
                                state[8 * BLOCK + i] = g_v * (v_reset - free)
                            g_v = g_v * (one - rests)
                        if to_threshold:
                            state[6 * BLOCK + i] -= flow
                        if to_amount:
                            state[7 * BLOCK + i] -= g * s
                        if to_decay_v:
                            old = before[i]
                            if dead:
                                rested = twice[i] * long_past
                                kept = old * (one - rested) + v_reset * rested
                            else:
                                f = (
                                    one
                                    if (old >= threshold if reached else old > threshold)
                                    else zero
                                )
                                kept = (
                                    old - amount * f if subtract else old * (one - f) + v_reset * f
                                )
                            state[2 * BLOCK + i] += g_v * (kept * past)
                    if to_bias:
                        state[5 * BLOCK + i] += g_v
                    if to_gain_v:
                        state[4 * BLOCK + i] += g_v * (
                            flows[i] if current else gain_u * (heard[i] * felt)
                        )
                    g_u = gain_v * g_v
                    if current:
                        g_u = g_u + state[BLOCK + i]
                        if to_decay_u:
                            state[3 * BLOCK + i] += g_u * (flowed[i] * past)
                        state[BLOCK + i] = decay_u * g_u
                    if to_x:
                        if still:
                            left[i] += gain_u * g_u
                        else:
                            left[i] = gain_u * g_u
                    state[i] = decay_v * g_v
            if start == 0:
                for row in range(len(LEARNABLE)):
                    if learned[row]:
                        total = 0.0
                        for i in range(n):
                            total += state[(2 + row) * BLOCK + i]
                        sums[block, LEARNABLE[row]] = total

    return run
