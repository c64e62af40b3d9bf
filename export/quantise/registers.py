"""Real numbers -> the chip's registers, for a given scale. Rounding is half to even.

scale: chip units a real unit; one chip unit is one weight unit, states are 64 times finer.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core import loihi
from ...core.arrays import Array, frozen
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.errors import QuantisationError
from ...core.loihi import Integers, SignMode
from ...core.nodes import Conv, Linear, Neuron, Node, SumPool2d

MODE = SignMode.MIXED


@dataclass(frozen=True)
class Bits:
    """Word widths that the user may choose."""

    weight: int = 8


def rounded(values: Array) -> Integers:
    """To whole numbers."""
    return np.rint(values).astype(np.int64)


def largest(bits: int) -> int:
    """The largest weight that the grid keeps on both sides of zero."""
    step = loihi.grid_step(bits, MODE)
    return (MODE.value[1] // step) * step


def synapse(node: Node, scale: float, bits: Bits) -> ChipSynapse:
    """A layer's weights at `scale`, its bias left out; weights beyond the range are clipped.

    A dense layer chooses its own exponent, so that its largest weight uses the whole range. A
    convolution has none.
    """
    if isinstance(node, SumPool2d):
        return ChipSynapse(node, scale=1.0)
    assert isinstance(node, Linear | Conv)
    exponent = 0 if isinstance(node, Conv) else exponent_for(node.weight, scale, bits)
    step = loihi.grid_step(bits.weight, MODE)
    units = node.weight * (scale / 2.0**exponent)
    least = math.ceil(MODE.value[0] / step) * step
    kept = np.clip(np.rint(units / step) * step, least, largest(bits.weight))
    weight = frozen(kept)
    made: Node
    if isinstance(node, Conv):
        made = Conv(weight, None, node.stride, node.padding, node.dilation, node.groups)
    else:
        made = Linear(weight)
    return ChipSynapse(made, exponent, bits.weight, MODE, scale)


def exponent_for(weight: Array, scale: float, bits: Bits) -> int:
    """The smallest exponent at which the largest weight is not clipped."""
    top = float(np.abs(weight).max(initial=0.0)) * scale
    if top == 0:
        return 0
    least, most = loihi.RANGES["weight_exp"]
    return int(np.clip(math.ceil(math.log2(top / largest(bits.weight))), least, most))


def clipped(node: Node, scale: float, bits: Bits) -> int:
    """How many weights the range cuts at this scale."""
    if not isinstance(node, Linear | Conv):
        return 0
    exponent = 0 if isinstance(node, Conv) else exponent_for(node.weight, scale, bits)
    limit = largest(bits.weight) + loihi.grid_step(bits.weight, MODE) / 2
    return int((np.abs(node.weight) * (scale / 2.0**exponent) > limit).sum())


def neuron(name: str, node: Neuron, scale: float, synapse_bias: Array) -> ChipNeuron:
    """A population's registers. synapse_bias: sum of the biases of the layers before it, in
    real units, shape () or the population's. QuantisationError names the register that cannot
    hold its number, with what is needed and what there is."""
    assert node.threshold is not None
    membrane = frozen(node.bias)
    current = None
    if node.decay_u is None:
        membrane = frozen(membrane + synapse_bias)
        du = np.asarray(loihi.ONE - 1)  # the current is forgotten each step
    else:
        du = rounded((1 - node.decay_u) * loihi.ONE) - 1
        current = rounded(frozen(synapse_bias * scale)) if synapse_bias.any() else None
    mant, exp = bias_registers(name, membrane, scale)
    registers: dict[str, Any] = {
        "du": du,
        "dv": rounded((1 - node.decay_v) * loihi.ONE),
        "vth": rounded(node.threshold * scale),
    }
    for register, values in registers.items():
        loihi.in_range(f"node {name!r}", register, values)
    return ChipNeuron(
        node.shape,
        **registers,
        bias_mant=mant,
        bias_exp=exp,
        current=current,
        reset=node.reset,
        refractory=node.refractory,
        scale=scale,
    )


def bias_registers(name: str, bias: Array, scale: float) -> tuple[Integers, int]:
    """(mantissa, exponent) of a membrane bias: the smallest exponent that holds the largest."""
    states = bias * scale * (1 << loihi.SHIFT)
    most = loihi.RANGES["bias_mant"][1]
    for exp in range(loihi.RANGES["bias_exp"][1] + 1):
        mant = rounded(states / 2.0**exp)
        if np.abs(mant).max(initial=0) <= most:
            return mant, exp
    top = float(np.abs(states).max())
    raise QuantisationError(
        f"node {name!r}: a bias of {top:.0f} state units needs "
        f"{math.ceil(math.log2(top)) + 1} bits; the chip has a 13-bit mantissa shifted by at "
        "most 7; choose a smaller scale"
    )


def refuse_unlike(name: str, node: Neuron) -> None:
    """What the chip's neuron cannot be."""
    if not ((node.gain_u == 1).all() and (node.gain_v == 1).all()):
        raise QuantisationError(f"node {name!r}: its input gain is not 1; fold it first")
    if node.v_reset.any():
        raise QuantisationError(f"node {name!r}: resets to a value other than 0, the chip to 0")
    if node.reset_amount is not None:
        raise QuantisationError(f"node {name!r}: subtracts something other than its threshold")
    if node.memoryless:
        raise QuantisationError(f"node {name!r} (Threshold) has no counterpart on the chip")
    if node.compare == ">=":
        raise QuantisationError(
            f"node {name!r} fires at v >= threshold, the chip at v > threshold, and a state "
            "between two thresholds of its register tells the two apart; train with >"
        )
