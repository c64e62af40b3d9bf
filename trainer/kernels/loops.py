"""`core.neuron.step` over all T steps in one pass over memory, forward and backward, in numba.

The same bits as the eager loop: no fastmath, no contraction, each operation in the eager order.
What does not happen multiplies by 1 or adds -0, which moves no bit. A kernel is a function of the
form of a population and of the shape of its surrogate; both are constants of its compilation.

One thread works on a few blocks of neurons over all steps, then on the next; its state is in its
own room, which stays in the cache. So do the membranes of a block, where the backward pass makes
them again from what was heard, for one block at a time. The rows of a state are of one array and
a fixed length, so that the compiler can see that they are apart. Division is IEEE's
(error_model): a check for zero would keep it from going eight at a time.

A population that hears itself is run a step at a time. Then there is a state of every
part, which stays until the next call.

What a loop gets is a job (`jobs`), whose numbers are named in their order where it begins; an
array that nobody reads or writes is at 0.
"""

import math
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
    NUMBERS,
    SCALE,
    STATE,
    THRESHOLD,
    V_RESET,
    WIDTH,
    Form,
    Shape,
)
from .jobs import BLOCKS, GIVEN, JOB, KINDS, NEXT, ROOM, ROOM_SIZE, SOURCES, memory, taken, told

BLOCK = 2048  # neurons; fixed, since sums over a block must not depend on the threads
MOST = 4  # blocks side by side: longer pieces of a row are read faster
ROW = MOST * BLOCK  # of a state
ROWS = GRADIENTS + STATE + 1  # of a thread's own room: two states, and what is wasted


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
    told, in the columns of `out` from `to` on. state [STATE ROW]: what they are in."""
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
                u = decay_u * state[ROW + i] + u
                state[ROW + i] = u
            v = decay_v * state[i] + (gain_v * u + bias)
            if keep:
                tested[i] = v
            if keep_u:
                flows[i] = u
            if fires:
                if dead:
                    rests = state[2 * ROW + i]
                    v = v * (one - rests) + v_reset * rests
                s = one if (v >= threshold if reached else v > threshold) else zero
                if told:
                    fired[i] = s
                if dead:
                    state[i] = v
                    state[2 * ROW + i] = s
                else:
                    state[i] = v - amount * s if subtract else v * (one - s) + v_reset * s
            else:
                if told:
                    fired[i] = v
                state[i] = v


def room_of(form: Form, steps: int) -> int:
    """Values that a thread needs: a state, what is wasted, and what is made again of some steps."""
    return ROWS * ROW + steps * (1 + form.current + form.dead) * BLOCK


@cache
def forward(form: Form, keep: bool, keep_u: bool, double: bool) -> Any:
    """Spikes; keep: and the membranes that were tested, or would have been without a dead step;
    keep_u: and the currents. double: all in float64, else in float32."""
    kind, sources = KINDS[double], SOURCES
    how, kept, used = tuple(form), (True, keep, keep_u), (True, form.current, form.dead)

    @numba.cfunc(JOB, cache=True, error_model="numpy")
    def run(job: Any) -> None:
        given = told(job, sources)
        rows, n_all, t_all = given[GIVEN], given[GIVEN + 1], given[GIVEN + 2]
        late, start, stop = given[GIVEN + 3], given[GIVEN + 4], given[GIVEN + 5]
        x = memory(given[GIVEN + 6], (rows, n_all), kind)
        numbers = memory(given[GIVEN + 7], (NUMBERS,), kind)
        silence = memory(given[GIVEN + 8], (ROW,), kind)  # of 0
        states, wide = given[GIVEN + 9], given[GIVEN + 10]  # that go on, or none; blocks at once
        spikes = memory(given[GIVEN + 11], (t_all, n_all), kind)
        membranes = memory(given[GIVEN + 12], (t_all, n_all), kind)
        currents = memory(given[GIVEN + 13], (t_all, n_all), kind)
        own = taken(job, ROOM, given[ROOM_SIZE])
        while True:
            part = taken(job, NEXT, 1)
            if part >= given[BLOCKS]:
                break
            lo = part * wide * BLOCK
            n = min(n_all - lo, wide * BLOCK)
            if states:
                state = memory(states, (given[BLOCKS], STATE * ROW), kind)[part]
            else:
                state = memory(own, (STATE * ROW,), kind)
                for row in range(STATE):
                    if used[row]:
                        state[row * ROW : row * ROW + n] = 0
            of, out = (x, numbers, silence, late), (spikes, membranes, currents, lo)
            steps(how, kept, of, out, state, (lo, n, start, stop))

    return run


@cache
def backward(
    form: Form,
    shape: Shape,
    detach: bool,
    learn: tuple[int, ...],
    to_x: bool,
    again: bool,
    spare: bool,
    double: bool,
) -> Any:
    """Gradients of x and of the numbers in `learn`, from membranes alone; of decay_u and gain_v
    from what the current was, too, and with a dead step from the spikes. detach: none through
    the reset. again: those three are made again from x, block by block, in room for one block.
    spare: the gradient of x takes the memory of the membranes."""
    kind, sources = KINDS[double], SOURCES
    current, subtract, reached, dead, fires = form
    height_of = int(shape)
    learned = tuple(number in learn for number in LEARNABLE)
    to_decay_v, to_decay_u, to_gain_v, to_bias, to_threshold, to_amount = learned
    # sums that nobody asks for would take longer than a few steps do
    used = (True, current, *learned, dead and not detach)

    use_u = current and (to_decay_u or to_gain_v)
    how, wanted = tuple(form), (dead, fires, use_u)
    remade = again and (fires or use_u)

    @numba.cfunc(JOB, cache=True, error_model="numpy")
    def run(job: Any) -> None:
        given = told(job, sources)
        rows, n_all, t_all = given[GIVEN], given[GIVEN + 1], given[GIVEN + 2]
        late, start, stop = given[GIVEN + 3], given[GIVEN + 4], given[GIVEN + 5]
        grad = memory(given[GIVEN + 6], (rows, n_all), kind)  # of the spikes
        numbers = memory(given[GIVEN + 7], (NUMBERS,), kind)
        silence = memory(given[GIVEN + 8], (ROW,), kind)  # of 0
        states, wide = given[GIVEN + 9], given[GIVEN + 10]  # that go on, or none; blocks at once
        # where it is needed, or all is made again
        x = memory(given[GIVEN + 11], (given[GIVEN + 12], n_all), kind)
        # of what every step hears, or [1, N]: summed over time
        grad_x = memory(given[GIVEN + 13], (given[GIVEN + 14], n_all), kind)
        sums = memory(given[GIVEN + 15], (-(-n_all // BLOCK), NUMBERS), np.float64)
        room = taken(job, ROOM, given[ROOM_SIZE])
        own = memory(room, (ROWS, ROW), kind)
        # what was kept, or a block of it, made again; each where it is needed
        if again:
            made = memory(room, (ROWS * MOST + 3 * t_all, BLOCK), kind)[ROWS * MOST :]
            membranes, currents = made[:t_all], made[t_all : 2 * t_all]
            spikes = made[(1 + current) * t_all :]
        else:
            membranes = memory(given[GIVEN + 16], (t_all, n_all), kind)
            currents = memory(given[GIVEN + 17], (t_all, n_all), kind)
            spikes = memory(given[GIVEN + 18], (t_all, n_all), kind)
        waste = own[GRADIENTS + STATE]
        waste[:] = 0
        one, pi = grad.dtype.type(1), grad.dtype.type(math.pi)
        zero = grad.dtype.type(0)
        decay_v, decay_u, gain_u = numbers[DECAY_V], numbers[DECAY_U], numbers[GAIN_U]
        gain_v, threshold = numbers[GAIN_V], numbers[THRESHOLD]
        v_reset, amount = numbers[V_RESET], numbers[AMOUNT]
        width, scale = numbers[WIDTH], numbers[SCALE]
        still, heard_still = grad_x.shape[0] == 1, x.shape[0] == 1
        use_x = to_gain_v and not current
        while True:
            part = taken(job, NEXT, 1)
            if part >= given[BLOCKS]:
                break
            lo = part * wide * BLOCK
            n = min(n_all - lo, wide * BLOCK)
            hi = lo + n
            if states:
                state = memory(states, (given[BLOCKS], GRADIENTS * ROW), kind)[part]
            else:
                state = own[:GRADIENTS].reshape(-1)
                for row in range(GRADIENTS):
                    if used[row]:
                        state[row * ROW : row * ROW + n] = zero
                if still:
                    grad_x[0, lo:hi] = zero
            if remade:
                rest = own[GRADIENTS : GRADIENTS + STATE].reshape(-1)
                rest[:] = zero
                of, out = (x, numbers, silence, late), (spikes, membranes, currents, 0)
                steps(how, wanted, of, out, rest, (lo, n, start, stop))
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
                if spare:
                    left = tested
                else:
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
                                to_s = to_s + state[8 * ROW + i]
                            else:
                                to_s = to_s - g * amount if subtract else to_s + g * (v_reset - v)
                        flow = height(height_of, abs(v - threshold) / width, one, pi) * scale * to_s
                        g_v = flow + (g if subtract or dead else g * (one - s))
                        if dead:
                            if not detach:
                                state[8 * ROW + i] = g_v * (v_reset - free)
                            g_v = g_v * (one - rests)
                        if to_threshold:
                            state[6 * ROW + i] -= flow
                        if to_amount:
                            state[7 * ROW + i] -= g * s
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
                            state[2 * ROW + i] += g_v * (kept * past)
                    if to_bias:
                        state[5 * ROW + i] += g_v
                    if to_gain_v:
                        state[4 * ROW + i] += g_v * (
                            flows[i] if current else gain_u * (heard[i] * felt)
                        )
                    g_u = gain_v * g_v
                    if current:
                        g_u = g_u + state[ROW + i]
                        if to_decay_u:
                            state[3 * ROW + i] += g_u * (flowed[i] * past)
                        state[ROW + i] = decay_u * g_u
                    if to_x:
                        if still:
                            left[i] += gain_u * g_u
                        else:
                            left[i] = gain_u * g_u
                    state[i] = decay_v * g_v
            if start == 0:
                for block in range(lo // BLOCK, -(-hi // BLOCK)):
                    first = block * BLOCK - lo
                    for row in range(len(LEARNABLE)):
                        if learned[row]:
                            total = 0.0
                            for i in range(first, min(first + BLOCK, n)):
                                total += state[(2 + row) * ROW + i]
                            sums[block, LEARNABLE[row]] = total

    return run
