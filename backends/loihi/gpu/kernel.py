"""A population over all steps in one Triton kernel, in integers: what `..neurons` does on the
processor, one lane a neuron.

Where a drive stays within `..neurons.FAST_DRIVE` everything is int32, by the product in two parts
that is explained there; else int64, in which no product of a state and a decay runs over. Integer
arithmetic has one result, so there is nothing to fuse or reorder that could move a bit.
"""

import triton
import triton.language as tl

BLOCK = 256  # lanes of a program


@triton.jit  # type: ignore[untyped-decorator]
def scaled(x, k, quick: tl.constexpr):  # type: ignore[no-untyped-def]
    """tz(x k / 4096)."""
    size = tl.abs(x)
    if quick:
        kept = (size >> 12) * k + (((size & 4095) * k) >> 12)
    else:
        kept = (size * k) >> 12
    return tl.where(x >= 0, kept, -kept)


@triton.jit  # type: ignore[untyped-decorator]
def population(  # type: ignore[no-untyped-def]
    drive,  # [T or 1, B, N], whole numbers of any type
    extra,  # int32 or int64 [N], as ku, kv, theta and bias
    ku,
    kv,
    theta,
    bias,
    u,  # int32 or int64 [B, N], as v: state in and out
    v,
    rest,  # [B, N] where there is a period
    spikes,  # uint8 [T, B, N]
    us,  # int32 [T, B, N] where recorded
    vs,
    size,  # N
    lanes,  # B N
    steps,  # T
    stride,  # of drive along T: B N, or 0
    soft: tl.constexpr,  # reset by subtraction
    period: tl.constexpr,  # of refractoriness
    record: tl.constexpr,
    quick: tl.constexpr,  # in int32
    block: tl.constexpr,
):
    kind: tl.constexpr = tl.int32 if quick else tl.int64
    lane = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    there = lane < lanes
    own = lane % size
    more = tl.load(extra + own, mask=there, other=0)
    fades = tl.load(ku + own, mask=there, other=0)
    leaks = tl.load(kv + own, mask=there, other=0)
    high = tl.load(theta + own, mask=there, other=0)
    steady = tl.load(bias + own, mask=there, other=0)
    current = tl.load(u + lane, mask=there, other=0)
    membrane = tl.load(v + lane, mask=there, other=0)
    if period > 0:
        left = tl.load(rest + lane, mask=there, other=0)
    for t in range(steps):
        heard = tl.load(drive + t * stride + lane, mask=there, other=0).to(kind)
        current = scaled(current, fades, quick) + ((heard + more) << 6)
        over = tl.where(current > 8388608, 16777216, 0)
        under = tl.where(current <= -8388608, 16777216, 0)
        current = current - over + under
        new = scaled(membrane, leaks, quick) + current + steady
        new = tl.minimum(tl.maximum(new, -8388607), 8388607)
        if period > 0:
            resting = left > 0
            new = tl.where(resting, 0, new)
            left = left - tl.where(resting, 1, 0)
        fired = new > high
        if soft:
            membrane = new - tl.where(fired, high, 0)
        else:
            membrane = tl.where(fired, 0, new)
        if period > 0:
            left = tl.where(fired, period, left)
        at = t * lanes + lane
        tl.store(spikes + at, fired.to(tl.uint8), mask=there)
        if record:
            tl.store(us + at, current.to(tl.int32), mask=there)
            tl.store(vs + at, membrane.to(tl.int32), mask=there)
    tl.store(u + lane, current, mask=there)
    tl.store(v + lane, membrane, mask=there)
    if period > 0:
        tl.store(rest + lane, left, mask=there)
