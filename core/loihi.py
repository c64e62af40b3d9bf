"""The chip's integers: one compartment step, the registers' ranges, the weights' grid.

Source: Lava's bit-accurate CPU models (lava-nc 0.10.0, proc/lif and proc/dense), checked against
them bit for bit by the conformance tests. du, dv: 12-bit decays; states are 24-bit integers
that live 6 bits above the weights; products are rounded toward zero.

The rules are written with operators and the methods that numpy's arrays and torch's tensors
share, so that one statement serves the interpreter (int64) and the trainer (float64 tensors of
whole numbers, which hold every product: 2^36 and less).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import QuantisationError
from .neuron import Law, reset_by, reset_to

Integers = NDArray[np.int64]
Whole = Any  # whole numbers in an int64 array, or in a torch tensor of int64 or float64
Values = Any  # real numbers in a float64 array or tensor

STATE_BITS = 24
LIMIT = 1 << (STATE_BITS - 1)  # states live in (-LIMIT, LIMIT)
DECAY_BITS = 12
ONE = 1 << DECAY_BITS
SHIFT = 6  # drive and threshold enter the state domain shifted by this
SUM_LIMIT = 1 << 31  # sums over synapses are int32


class SignMode(Enum):
    """What signs a synapse's weights may have; the value is (smallest, largest, shared bits)."""

    MIXED = (-256, 255, 1)
    EXCITATORY = (0, 255, 0)
    INHIBITORY = (-255, 0, 0)


RANGES = {  # register -> (least, most), inclusive
    "du": (0, ONE - 1),
    "dv": (0, ONE - 1),
    "du (simulator)": (-1, ONE - 1),
    "dv (simulator)": (0, ONE),
    "vth": (0, (1 << 17) - 1),
    "vth (simulator)": (0, (1 << 18) - 1),
    "bias_mant": (-(1 << 12), (1 << 12) - 1),
    "bias_exp": (0, 7),
    "weight_exp": (-8, 7),
    "weight_bits": (1, 8),
    "delay": (0, 63),
}


def in_range(where: str, register: str, values: Any) -> None:
    """QuantisationError unless every value fits the register."""
    least, most = RANGES[register]
    array = np.asarray(values)
    if array.size and (array.min() < least or array.max() > most):
        worst = int(array.max() if array.max() > most else array.min())
        raise QuantisationError(
            f"{where}: {register} is {worst}, which needs {bits_of(worst, least < 0)}; the chip's "
            f"register has {bits_of(most, least < 0)} and holds {least} to {most}"
        )


def bits_of(value: int, signed: bool) -> str:
    """How many bits a register needs for a value."""
    size = value.bit_length()
    if signed:
        return f"{size + 1} bits"
    return f"a sign and {size} bits" if value < 0 else f"{size} bits"


def scaled(product: Whole) -> Whole:
    """product / 4096, rounded toward zero: the floor, after a step up below zero."""
    return (product + (ONE - 1) * (product < 0)) // ONE


def wrapped(u: Whole) -> Whole:
    """One turn of the 24-bit current register, as the CPU model makes it: once, not modulo."""
    return u - 2 * LIMIT * (u > LIMIT) + 2 * LIMIT * (u <= -LIMIT)


def outgrows(drive: int, du: Integers, steps: int) -> bool:
    """Whether a current can leave its 32 bits within so many steps. drive: the largest |sum| that
    arrives in one. A current is wrapped once a step, so a drive over two turns adds up."""
    pushed = drive << SHIFT
    if pushed <= 2 * LIMIT:
        return False
    kept = (ONE - 1 - int(du.min())) / ONE  # of the current, from step to step
    grown = pushed * (steps if kept == 1 else min(float(steps), 1 / (1 - kept)))
    return grown + 2 * LIMIT >= SUM_LIMIT  # the state and the bias add so much at most


def hold_current(where: str, drive: int, du: Integers, steps: int) -> None:
    """QuantisationError where a current could outgrow the 32 bits of what holds it."""
    if outgrows(drive, du, steps):
        raise QuantisationError(
            f"{where}: its drive can reach {drive} a step, with which its current can grow past "
            f"the chip's 32 bits in {steps} steps. Smaller weights, fewer inputs or a faster "
            "decay are needed"
        )


def saturated(v: Whole) -> Whole:
    """The membrane register stops at its ends."""
    return v.clip(-LIMIT + 1, LIMIT - 1)


@dataclass(frozen=True)
class Registers:
    """One population's numbers: whole numbers, each one for all or one per neuron.

    bias is added to the membrane every step: bias_mant << bias_exp. reset 'subtract' and a
    refractory period are extensions that Lava's library does not ship.
    """

    du: Whole
    dv: Whole
    vth: Whole
    bias_mant: Whole
    bias_exp: int = 0
    reset: str = "value"
    refractory: int = 0


def law(registers: Registers) -> Law:
    """The registers' step for `core.neuron.step`: drive [B, *neurons] of whole sums."""
    theta = in_states(registers.vth)
    bias = registers.bias_mant * 2**registers.bias_exp
    return Law(
        take=in_states,
        decay_u=lambda u: scaled(u * (ONE - (registers.du + 1))),
        limit_u=wrapped,
        decay_v=lambda v: scaled(v * (ONE - registers.dv)),
        inject=lambda u: u + bias,
        limit_v=saturated,
        fire=lambda v: (v > theta) * 1,
        reset=reset_to(0) if registers.reset == "value" else reset_by(theta),
        refractory=registers.refractory or None,
        v_reset=0,
    )


def in_states(values: Whole) -> Whole:
    """Chip units (one weight unit = 1) in units of the states."""
    return values * 2**SHIFT


def entered(current: Values, scale: float) -> Values:
    """A real current as whole chip units, half to even."""
    return (scale * current).round()


# --- the weights' grid ------------------------------------------------------------------------


def on_grid(weight: Integers, bits: int, mode: SignMode) -> Integers:
    """The weights that the chip keeps of `weight`: clipped to the mode's range, low bits
    dropped (mixed signs: floor, so that 8-bit weights are even; else towards zero)."""
    least, most, shared = mode.value
    step = 8 - bits + shared
    clipped = np.clip(weight, least, most)
    if mode is SignMode.INHIBITORY:
        return -((-clipped >> step) << step)
    return (clipped >> step) << step


def grid_step(bits: int, mode: SignMode) -> int:
    """The distance between two weights that the chip can keep."""
    return 1 << (8 - bits + mode.value[2])


def grid_ends(bits: int, mode: SignMode) -> tuple[int, int]:
    """The smallest and the largest weight that the chip can keep."""
    least, most, _ = mode.value
    step = grid_step(bits, mode)
    return -(-least // step) * step, most // step * step


def nearest_weight(units: Values, bits: int, mode: SignMode) -> Values:
    """The weights that the chip can keep which lie nearest to real ones, half to even."""
    step = grid_step(bits, mode)
    return ((units / step).round() * step).clip(*grid_ends(bits, mode))


def shifted_sum(total: Whole, weight_exp: int) -> Whole:
    """A synapse's sum after its exponent: left, or right with the floor."""
    return total * 2**weight_exp if weight_exp >= 0 else total // 2**-weight_exp


# --- a membrane's bias ------------------------------------------------------------------------


def bias_mantissa(states: Values, bias_exp: int) -> Values:
    """The mantissa that gives a bias of `states` state units with this exponent."""
    return (states / 2**bias_exp).round()


def bias_exponent(states: Values) -> int | None:
    """The smallest exponent whose mantissas all fit; None if there is none."""
    most = RANGES["bias_mant"][1]
    for bias_exp in range(RANGES["bias_exp"][1] + 1):
        if (abs(bias_mantissa(states, bias_exp)) <= most).all():
            return bias_exp
    return None
