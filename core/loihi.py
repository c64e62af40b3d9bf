"""The chip's integers: one compartment step, the registers' ranges, the weights' grid.

Source: Lava's bit-accurate CPU models (lava-nc 0.10.0, proc/lif and proc/dense), checked against
them bit for bit by the conformance tests. du, dv: 12-bit decays; states are 24-bit integers
that live 6 bits above the weights; products are rounded toward zero.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import QuantisationError
from .neuron import Law, reset_by, reset_to

Integers = NDArray[np.int64]

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


def scaled(product: Integers) -> Integers:
    """product / 4096, rounded toward zero."""
    size: Integers = np.abs(product) >> DECAY_BITS
    return np.where(product < 0, -size, size)


def wrapped(u: Integers) -> Integers:
    """One turn of the 24-bit current register, as the CPU model makes it: once, not modulo."""
    return np.where(u > LIMIT, u - 2 * LIMIT, np.where(u <= -LIMIT, u + 2 * LIMIT, u))


def saturated(v: Integers) -> Integers:
    """The membrane register stops at its ends."""
    return np.clip(v, -LIMIT + 1, LIMIT - 1)


@dataclass(frozen=True)
class Registers:
    """One population's numbers: whole numbers, each one for all or one per neuron.

    bias is added to the membrane every step: bias_mant << bias_exp. reset 'subtract' and a
    refractory period are extensions that Lava's library does not ship.
    """

    du: Integers
    dv: Integers
    vth: Integers
    bias_mant: Integers
    bias_exp: int = 0
    reset: str = "value"
    refractory: int = 0


def law(registers: Registers) -> Law:
    """The registers' step for `core.neuron.step`: drive [B, *neurons] of int64 sums."""
    theta = registers.vth << SHIFT
    bias = registers.bias_mant << registers.bias_exp
    return Law(
        take=lambda drive: drive << SHIFT,
        decay_u=lambda u: scaled(u * (ONE - (registers.du + 1))),
        limit_u=wrapped,
        decay_v=lambda v: scaled(v * (ONE - registers.dv)),
        inject=lambda u: u + bias,
        limit_v=saturated,
        fire=lambda v: (v > theta).astype(np.int64),
        reset=reset_to(0) if registers.reset == "value" else reset_by(theta),
        refractory=registers.refractory or None,
        v_reset=0,
    )


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


def shifted_sum(total: Integers, weight_exp: int) -> Integers:
    """A synapse's sum after its exponent: left, or right with the floor."""
    return total << weight_exp if weight_exp >= 0 else total >> -weight_exp
