"""Populations over all steps: one fused integer kernel, and the eager definition beside it.

The fast kernel works in int32, which holds as long as a drive stays within 2^18: then the
current is back within 24 bits after its single wrap, and product by product

    tz(x k / 4096) = sign(x) ((|x| >> 12) k + ((|x| & 4095) k >> 12))

fits 31 bits. Beyond, and for refractory periods or decays and thresholds of their own for each
neuron, the general kernel does the same in int64. Which one runs moves no bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numba
import numpy as np

from ...core import loihi
from ...core.arrays import Numbers
from ...core.chip_nodes import ChipNeuron
from ...core.neuron import State, step
from .arrays import Array
from .layout import spread

FAST_DRIVE = 1 << 18  # largest |drive| of the int32 kernel
WRAP = np.int32(loihi.LIMIT)
TURN = np.int32(2 * loihi.LIMIT)
MOST = np.int32(loihi.LIMIT - 1)
LOW = np.int32(loihi.ONE - 1)
TWELVE, THIRTY_ONE, SIX = (np.int32(n) for n in (loihi.DECAY_BITS, 31, loihi.SHIFT))
ZERO = np.int32(0)
i32 = np.int32


@numba.njit(inline="always")
def scaled(x: Any, k: Any) -> Any:
    """tz(x k / 4096) in int32; |x| < 2^24, 0 <= k <= 4096."""
    sign = i32(x >> THIRTY_ONE)
    size = i32(i32(x ^ sign) - sign)
    whole = i32(i32(size >> TWELVE) * k)
    part = i32(i32(i32(size & LOW) * k) >> TWELVE)
    return i32(i32(i32(whole + part) ^ sign) - sign)


@cache
def fast_kernel(current: bool, soft: bool, record: bool) -> Callable[..., None]:
    """The int32 kernel. current: u is remembered (du < 4095). soft: reset by subtraction.
    record: keep u and v of each step."""

    @numba.njit(cache=True, nogil=True)
    def run(
        drive: Any,  # [T or 1, B, N], float32 (whole numbers) or int32
        extra: Any,  # int32 [N], added to every drive
        ku: Any,
        kv: Any,
        theta: Any,  # threshold as the state has it
        bias: Any,  # int32 [N]
        u: Any,  # int32 [B, N], state in and out
        v: Any,
        spikes: Any,  # uint8 [T, B, N]
        us: Any,  # int32 [T, B, N] where recorded
        vs: Any,
    ) -> None:
        steps, batch, size = spikes.shape
        still = drive.shape[0] == 1
        for b in range(batch):
            for t in range(steps):
                at = 0 if still else t
                for i in range(size):
                    now = i32(i32(i32(drive[at, b, i]) + extra[i]) << SIX)
                    if current:
                        now = i32(now + scaled(u[b, i], ku))
                    over = TURN if now > WRAP else ZERO
                    under = TURN if now <= -WRAP else ZERO
                    now = i32(i32(now - over) + under)
                    new = i32(i32(scaled(v[b, i], kv) + now) + bias[i])
                    new = new if new < MOST else MOST
                    new = new if new > -MOST else i32(-MOST)
                    fired = new > theta
                    if soft:
                        new = i32(new - (theta if fired else ZERO))
                    else:
                        new = ZERO if fired else new
                    spikes[t, b, i] = fired
                    v[b, i] = new
                    if current or record:
                        u[b, i] = now
                if record:
                    for i in range(size):
                        us[t, b, i] = u[b, i]
                        vs[t, b, i] = v[b, i]

    return run


@numba.njit(cache=True, nogil=True)
def general_kernel(
    drive: Any,
    extra: Any,
    ku: Any,  # int64 [N], as kv, theta and bias
    kv: Any,
    theta: Any,
    bias: Any,
    soft: bool,
    period: int,
    u: Any,  # int64 [B, N], as v and rest
    v: Any,
    rest: Any,
    spikes: Any,
    record: bool,
    us: Any,
    vs: Any,
) -> None:
    """Everything that a population can be, in int64."""
    steps, batch, size = spikes.shape
    limit, turn = 1 << 23, 1 << 24
    still = drive.shape[0] == 1
    for b in range(batch):
        for t in range(steps):
            at = 0 if still else t
            for i in range(size):
                grown = u[b, i] * ku[i]
                kept = abs(grown) >> 12
                now = (kept if grown >= 0 else -kept) + (
                    (np.int64(drive[at, b, i]) + extra[i]) << 6
                )
                if now > limit:
                    now -= turn
                elif now <= -limit:
                    now += turn
                grown = v[b, i] * kv[i]
                kept = abs(grown) >> 12
                new = (kept if grown >= 0 else -kept) + now + bias[i]
                new = min(max(new, 1 - limit), limit - 1)
                if rest[b, i] > 0:
                    new = 0
                    rest[b, i] -= 1
                fired = new > theta[i]
                if fired:
                    new = new - theta[i] if soft else 0
                    rest[b, i] = period
                spikes[t, b, i] = fired
                u[b, i] = now
                v[b, i] = new
                if record:
                    us[t, b, i] = now
                    vs[t, b, i] = new


@dataclass
class Ran:
    """Spikes uint8 [T, B, N], and u, v int32 of each step where they were asked for."""

    spikes: Array
    u: Array | None = None
    v: Array | None = None


class Population:
    """A population with its numbers laid out for the kernels. `largest`: bound of |drive|."""

    def __init__(self, node: ChipNeuron, largest: int, kernel: str = "fused") -> None:
        self.node = node
        size = int(np.prod(node.shape))
        extra = spread(np.asarray(0 if node.current is None else node.current), node.shape)
        reach = largest + int(np.abs(extra).max(initial=0))
        uniform = all(n.ndim == 0 for n in (node.du, node.dv, node.vth))
        self.fast = uniform and not node.refractory and reach <= FAST_DRIVE
        self.kernel = kernel
        kind = np.int32 if self.fast else np.int64
        self.extra = extra.astype(kind)
        self.bias = (spread(node.bias_mant, node.shape) << node.bias_exp).astype(kind)
        ku, kv = loihi.ONE - (node.du + 1), loihi.ONE - node.dv
        theta = node.vth << loihi.SHIFT
        if self.fast:
            self.numbers: tuple[Any, ...] = (i32(ku), i32(kv), i32(theta))
        else:
            self.numbers = tuple(spread(n, node.shape).astype(np.int64) for n in (ku, kv, theta))
        self.size = size

    def rest(self, batch: int) -> list[Numbers]:
        """The state at rest: u, v and, for the general kernel, steps of refractoriness left."""
        kind = np.int32 if self.fast else np.int64
        return [np.zeros((batch, self.size), kind) for _ in range(2 if self.fast else 3)]

    def run(self, drive: Numbers, steps: int, state: list[Numbers], record: bool) -> Ran:
        """Go on from `state`, which is changed. drive [T or 1, B, N] of whole numbers."""
        batch = drive.shape[1]
        if drive.dtype not in (np.float32, np.int16, np.int32):
            drive = drive.astype(np.int32)
        if self.kernel == "eager":
            return self.eager(drive, steps, state, record)
        spikes = np.empty((steps, batch, self.size), np.uint8)
        kept = (steps, batch, self.size) if record else (1, 1, 1)
        us, vs = np.empty(kept, np.int32), np.empty(kept, np.int32)
        soft = self.node.reset == "subtract"
        if self.fast:
            current = bool(self.node.du != loihi.ONE - 1)
            run = fast_kernel(current, soft, record)
            run(drive, self.extra, *self.numbers, self.bias, *state, spikes, us, vs)
        else:
            fixed = (self.extra, *self.numbers, self.bias, soft, self.node.refractory)
            general: Callable[..., None] = general_kernel
            general(drive, *fixed, *state, spikes, record, us, vs)
        return Ran(spikes, us, vs) if record else Ran(spikes)

    def eager(self, drive: Numbers, steps: int, state: list[Numbers], record: bool) -> Ran:
        """The definition: core.neuron.step, step by step, in channels-last order."""
        law = loihi.law(self.registers())
        u, v = state[:2]
        rest = state[2] if len(state) > 2 else np.zeros((), np.int64)
        now = State(u.astype(np.int64), v.astype(np.int64), rest)
        ran = [np.empty((steps, *u.shape), k) for k in (np.uint8, np.int32, np.int32)]
        for t in range(steps):
            heard = drive[0 if len(drive) == 1 else t].astype(np.int64) + self.extra
            fired, now = step(now, heard, law)
            ran[0][t], ran[1][t], ran[2][t] = fired, now.u, now.v
        for kept, changed in zip(state, (now.u, now.v, now.rest), strict=False):
            kept[...] = changed
        return Ran(*ran) if record else Ran(ran[0])

    def registers(self) -> loihi.Registers:
        """The node's registers, in the order inside."""
        node = self.node

        def laid(n: Numbers) -> Numbers:
            return n if n.ndim == 0 else spread(n, node.shape).astype(np.int64)

        du, dv, vth, mant = (laid(n) for n in (node.du, node.dv, node.vth, node.bias_mant))
        return loihi.Registers(du, dv, vth, mant, node.bias_exp, node.reset, node.refractory)
