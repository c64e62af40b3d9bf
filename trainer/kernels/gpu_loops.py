"""The loops of `loops` in Triton: a population over all steps in one launch, a lane a neuron.

The same operations in the same order, none contracted (the launches switch fusion off), so that
spikes and membranes are the eager loop's bits. A state stays in registers; between launches that
go on it is in `scratch` [STATE or GRADIENTS, N]. What a pass has no use for is given as any other
array and not touched. Loads are fetched `stages` steps ahead: of few neurons nothing else would
hide how long memory takes. Arguments are as in `loops`; held: of one row, for all steps.
"""

import triton
import triton.language as tl


@triton.jit
def divided(a, b):  # type: ignore[no-untyped-def]
    """As IEEE has it: a window of 1 must not take in what lies just at 1."""
    if a.dtype == tl.float32:
        return tl.div_rn(a, b)
    return a / b


@triton.jit  # type: ignore[untyped-decorator]
def height(z, pi, shape: tl.constexpr):  # type: ignore[no-untyped-def]
    """h(z), z >= 0, as `loops.height` has it."""
    one = tl.full(z.shape, 1, z.dtype)
    if shape == 0:
        h = tl.maximum(one - z, one - one)
    elif shape == 1:
        h = tl.where(z < one, one, one - one)
    elif shape == 2:
        y = z * pi
        h = divided(one, y * y + one)
    elif shape == 3:
        y = z + one
        h = divided(one, y * y)
    else:
        e = tl.exp(-z)
        h = e
        if shape == 4:
            y = one + e
            h = divided(e + e + e + e, y * y)
    return h


@triton.jit  # type: ignore[untyped-decorator]
def passed(v, threshold, reached: tl.constexpr):  # type: ignore[no-untyped-def]
    """1 where it fires, else 0."""
    if reached:
        above = v >= threshold
    else:
        above = v > threshold
    one = tl.full(v.shape, 1, v.dtype)
    return tl.where(above, one, one - one)


@triton.jit(do_not_specialize=["late", "start", "stop"])  # type: ignore[untyped-decorator]
def forward(  # type: ignore[no-untyped-def]
    x,  # [T or 1, N]
    numbers,  # [11], of the state's type
    spikes,  # [T, N]
    membranes,  # [T, N] where kept
    currents,
    scratch,
    size,  # N
    late,
    start,
    stop,
    current: tl.constexpr,
    subtract: tl.constexpr,
    reached: tl.constexpr,
    dead: tl.constexpr,
    fires: tl.constexpr,
    keep: tl.constexpr,
    keep_u: tl.constexpr,
    held: tl.constexpr,
    goes_on: tl.constexpr,
    block: tl.constexpr,
    stages: tl.constexpr,
):
    kind = numbers.dtype.element_ty
    lane = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    there = lane < size
    row = tl.cast(size, tl.int64)
    decay_v, decay_u = tl.load(numbers), tl.load(numbers + 1)
    gain_u, gain_v = tl.load(numbers + 2), tl.load(numbers + 3)
    bias, threshold = tl.load(numbers + 4), tl.load(numbers + 5)
    v_reset, amount = tl.load(numbers + 6), tl.load(numbers + 7)
    one = tl.full([block], 1, kind)
    v = tl.zeros([block], kind)
    u = tl.zeros([block], kind)
    rests = tl.zeros([block], kind)
    if goes_on:
        v = tl.load(scratch + lane, mask=there, other=0)
        u = tl.load(scratch + row + lane, mask=there, other=0)
        rests = tl.load(scratch + 2 * row + lane, mask=there, other=0)
    if held:
        same = tl.load(x + lane, mask=there, other=0).to(kind)
    for t in tl.range(start, stop, num_stages=stages):
        at = t * row + lane
        hears = lane < tl.where(t >= late, row, 0)
        if held:
            heard = tl.where(hears, same, one - one)
        else:
            heard = tl.load(x + (t - late) * row + lane, mask=hears, other=0).to(kind)
        now = gain_u * heard
        if current:
            now = decay_u * u + now
            u = now
        v = decay_v * v + (gain_v * now + bias)
        if keep:
            tl.store(membranes + at, v, mask=there)
        if keep_u:
            tl.store(currents + at, now, mask=there)
        if fires:
            if dead:
                v = v * (one - rests) + v_reset * rests
            s = passed(v, threshold, reached)
            tl.store(spikes + at, s.to(spikes.dtype.element_ty), mask=there)
            if dead:
                rests = s
            elif subtract:
                v = v - amount * s
            else:
                v = v * (one - s) + v_reset * s
        else:
            tl.store(spikes + at, v.to(spikes.dtype.element_ty), mask=there)
    if goes_on:
        tl.store(scratch + lane, v, mask=there)
        tl.store(scratch + row + lane, u, mask=there)
        tl.store(scratch + 2 * row + lane, rests, mask=there)


@triton.jit
def total(sums, column, values, there):  # type: ignore[no-untyped-def]
    """Of a block's lanes, in float64 and always in one order, into a row of [blocks, 10]."""
    wide = tl.where(there, values, tl.zeros_like(values)).to(tl.float64)
    tl.store(sums + tl.program_id(0) * 10 + column, tl.sum(wide, 0))


@triton.jit(do_not_specialize=["late", "start", "stop"])  # type: ignore[untyped-decorator]
def backward(  # type: ignore[no-untyped-def]
    grad,  # [T or 1, N], of the spikes
    x,  # [T or 1, N] where it is needed
    numbers,  # [11]
    membranes,  # [T, N] where it fires
    currents,  # [T, N] where needed
    spikes,  # [T, N] with a dead step
    grad_x,  # [T, N], of what every step hears, or [1, N]: summed over time
    sums,  # float64 [blocks, 10]
    scratch,
    size,  # N
    late,
    start,
    stop,
    current: tl.constexpr,
    subtract: tl.constexpr,
    reached: tl.constexpr,
    dead: tl.constexpr,
    fires: tl.constexpr,
    shape: tl.constexpr,
    detach: tl.constexpr,
    to_decay_v: tl.constexpr,
    to_decay_u: tl.constexpr,
    to_gain_v: tl.constexpr,
    to_bias: tl.constexpr,
    to_threshold: tl.constexpr,
    to_amount: tl.constexpr,
    to_x: tl.constexpr,
    still: tl.constexpr,  # grad_x is summed over time
    held: tl.constexpr,  # grad is
    x_held: tl.constexpr,
    goes_on: tl.constexpr,
    block: tl.constexpr,
    stages: tl.constexpr,
):
    kind = numbers.dtype.element_ty
    lane = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    there = lane < size
    row = tl.cast(size, tl.int64)
    decay_v, decay_u = tl.load(numbers), tl.load(numbers + 1)
    gain_u, gain_v = tl.load(numbers + 2), tl.load(numbers + 3)
    threshold, v_reset = tl.load(numbers + 5), tl.load(numbers + 6)
    amount, width = tl.load(numbers + 7), tl.load(numbers + 8)
    scale, pi = tl.load(numbers + 9), tl.load(numbers + 10)
    one = tl.full([block], 1, kind)
    zero = tl.zeros([block], kind)
    g, g_current, g_rests, summed = zero, zero, zero, zero
    of_decay_v, of_decay_u, of_gain_v = zero, zero, zero
    of_bias, of_threshold, of_amount = zero, zero, zero
    if goes_on:
        g = tl.load(scratch + lane, mask=there, other=0)
        g_current = tl.load(scratch + row + lane, mask=there, other=0)
        of_decay_v = tl.load(scratch + 2 * row + lane, mask=there, other=0)
        of_decay_u = tl.load(scratch + 3 * row + lane, mask=there, other=0)
        of_gain_v = tl.load(scratch + 4 * row + lane, mask=there, other=0)
        of_bias = tl.load(scratch + 5 * row + lane, mask=there, other=0)
        of_threshold = tl.load(scratch + 6 * row + lane, mask=there, other=0)
        of_amount = tl.load(scratch + 7 * row + lane, mask=there, other=0)
        g_rests = tl.load(scratch + 8 * row + lane, mask=there, other=0)
    if held:
        same = tl.load(grad + lane, mask=there, other=0).to(kind)
    for k in tl.range(0, stop - start, num_stages=stages):
        t = stop - 1 - k
        at = t * row + lane
        hears = lane < tl.where(t >= late, row, 0)
        later = lane < tl.where(t > 0, row, 0)  # than the first step
        if held:
            came = same
        else:
            came = tl.load(grad + at, mask=there, other=0).to(kind)
        if not fires:
            g_v = g + came
        else:
            v = tl.load(membranes + at, mask=there, other=0)
            if dead:
                rests = tl.load(spikes + at - row, mask=later, other=0).to(kind)
                free = v
                v = free * (one - rests) + v_reset * rests
                s = tl.load(spikes + at, mask=there, other=0).to(kind)
            else:
                s = passed(v, threshold, reached)
            to_s = came
            if not detach:
                if dead:
                    to_s = to_s + g_rests
                elif subtract:
                    to_s = to_s - g * amount
                else:
                    to_s = to_s + g * (v_reset - v)
            flow = height(divided(tl.abs(v - threshold), width + zero), pi, shape) * scale * to_s
            if subtract or dead:
                g_v = flow + g
            else:
                g_v = flow + g * (one - s)
            if dead:
                if not detach:
                    g_rests = g_v * (v_reset - free)
                g_v = g_v * (one - rests)
            if to_threshold:
                of_threshold -= flow
            if to_amount:
                of_amount -= g * s
            if to_decay_v:
                old = tl.load(membranes + at - row, mask=later, other=0)
                if dead:
                    long_past = lane < tl.where(t > 1, row, 0)
                    rested = tl.load(spikes + at - 2 * row, mask=long_past, other=0).to(kind)
                    kept = old * (one - rested) + v_reset * rested
                else:
                    fired = passed(old, threshold, reached)
                    if subtract:
                        kept = old - amount * fired
                    else:
                        kept = old * (one - fired) + v_reset * fired
                of_decay_v += g_v * tl.where(later, kept, zero)
        if to_bias:
            of_bias += g_v
        if to_gain_v:
            if current:
                of_gain_v += g_v * tl.load(currents + at, mask=there, other=0)
            elif x_held:
                of_gain_v += g_v * (gain_u * tl.load(x + lane, mask=hears, other=0).to(kind))
            else:
                heard = tl.load(x + at - late * row, mask=hears, other=0).to(kind)
                of_gain_v += g_v * (gain_u * heard)
        g_u = gain_v * g_v
        if current:
            g_u = g_u + g_current
            if to_decay_u:
                of_decay_u += g_u * tl.load(currents + at - row, mask=later, other=0)
            g_current = decay_u * g_u
        if to_x:
            if still:
                summed += tl.where(hears, gain_u * g_u, zero)
            else:
                tl.store(grad_x + at, (gain_u * g_u).to(grad_x.dtype.element_ty), mask=there)
        g = decay_v * g_v
    if to_x:
        if still:
            tl.store(grad_x + lane, summed.to(grad_x.dtype.element_ty), mask=there)
    if goes_on:
        tl.store(scratch + lane, g, mask=there)
        tl.store(scratch + row + lane, g_current, mask=there)
        tl.store(scratch + 2 * row + lane, of_decay_v, mask=there)
        tl.store(scratch + 3 * row + lane, of_decay_u, mask=there)
        tl.store(scratch + 4 * row + lane, of_gain_v, mask=there)
        tl.store(scratch + 5 * row + lane, of_bias, mask=there)
        tl.store(scratch + 6 * row + lane, of_threshold, mask=there)
        tl.store(scratch + 7 * row + lane, of_amount, mask=there)
        tl.store(scratch + 8 * row + lane, g_rests, mask=there)
    if start == 0:
        if to_decay_v:
            total(sums, 0, of_decay_v, there)
        if to_decay_u:
            total(sums, 1, of_decay_u, there)
        if to_gain_v:
            total(sums, 3, of_gain_v, there)
        if to_bias:
            total(sums, 4, of_bias, there)
        if to_threshold:
            total(sums, 5, of_threshold, there)
        if to_amount:
            total(sums, 7, of_amount, there)
