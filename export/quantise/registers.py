"""Real numbers -> the chip's registers, for a given scale. Rounding is half to even.

scale: chip units a real unit, one number or one an output channel; one chip unit is one weight
unit, states are 64 times finer.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ...core import loihi
from ...core.arrays import Array, Shape, collapsed, frozen
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.errors import QuantisationError
from ...core.loihi import Integers, SignMode
from ...core.nodes import Conv, Linear, Neuron, Node, SumPool2d
from .options import Options

MODE = SignMode.MIXED
Weighted = Linear | Conv
Round = Literal["nearest", "down", "up"]
ROUND = {"nearest": np.rint, "down": np.floor, "up": np.ceil}


@dataclass(frozen=True)
class Rounding:
    """How the two decays are rounded to 12 bits."""

    v: Round = "nearest"
    u: Round = "nearest"


def rounded(values: Array, how: Round = "nearest") -> Integers:
    """To whole numbers."""
    return np.asarray(ROUND[how](values)).astype(np.int64)


def largest(bits: int) -> int:
    """The largest weight that the grid keeps on both sides of zero."""
    return loihi.grid_ends(bits, MODE)[1]


def by_output(scale: Array, weight: Array) -> Array:
    """A scale per output channel, laid along a weight's first axis."""
    return scale.reshape(-1, *(1,) * (weight.ndim - 1)) if scale.ndim else scale


def by_neuron(scale: Array, shape: Shape) -> Array:
    """A scale per output channel as one number a neuron (or one for all)."""
    if scale.ndim == 0:
        return scale
    return frozen(np.broadcast_to(scale.reshape(-1, *(1,) * (len(shape) - 1)), shape))


def top_weight(weight: Array, options: Options) -> float:
    """The largest |weight| that must not be clipped."""
    sizes = np.abs(weight)
    if options.method == "percentile" and sizes.any():  # zeros do not crowd out a sparse layer
        return float(np.percentile(sizes[sizes > 0], options.percentile))
    return float(sizes.max(initial=0.0))


def synapse(node: Node, scale: Array, options: Options) -> ChipSynapse:
    """A layer's weights at `scale`, its bias left out; weights beyond the range are clipped.

    A dense layer chooses its own exponent: the smallest that clips no weight that counts, or,
    by 'mse', the one that errs least. A convolution has none.
    """
    if isinstance(node, SumPool2d):
        return ChipSynapse(node)
    assert isinstance(node, Weighted)
    units = frozen(node.weight * by_output(scale, node.weight))
    exponent = 0 if isinstance(node, Conv) else exponent_for(units, options)
    return synapse_at(node, scale, exponent, options.bits)


def synapse_at(node: Linear | Conv, scale: Array, exponent: int, bits: int) -> ChipSynapse:
    """A layer's weights at a scale and an exponent."""
    units = node.weight * by_output(scale, node.weight)
    kept = on_grid(frozen(units / 2.0**exponent), bits)
    if units.any() and not kept.any():
        least = loihi.grid_step(bits, MODE) / 2 * 2.0**exponent
        raise QuantisationError(
            f"all weights would be 0: the largest is {np.abs(units).max():.3g} weight units, "
            f"and {bits} bits keep nothing below {least:.3g}"
        )
    return ChipSynapse(replace(node, weight=kept, bias=None), exponent, bits, MODE, scale)


def on_grid(units: Array, bits: int) -> Array:
    """The nearest weights that the chip keeps."""
    return frozen(loihi.nearest_weight(units, bits, MODE))


def exponent_for(units: Array, options: Options) -> int:
    """The exponent of a dense layer's weights."""
    top = top_weight(units, options)
    if top == 0:
        return 0
    least, most = loihi.RANGES["weight_exp"]
    smallest = int(np.clip(math.ceil(math.log2(top / largest(options.bits))), least, most))
    if options.method != "mse":
        return smallest
    tried = [e for e in (smallest, smallest - 1, smallest - 2) if e >= least]
    return min(tried, key=lambda e: error(units / 2.0**e, options.bits) * 4.0**e)


def error(units: Array, bits: int) -> float:
    """Squared error of putting weights on the grid."""
    return float(((on_grid(units, bits) - units) ** 2).sum())


def clipped(node: Node, made: ChipSynapse, scale: Array, options: Options) -> int:
    """How many weights the range cuts."""
    if not isinstance(node, Linear | Conv):
        return 0
    limit = largest(options.bits) + loihi.grid_step(options.bits, MODE) / 2
    units = node.weight * by_output(scale, node.weight) / 2.0**made.weight_exp
    return int((np.abs(units) > limit).sum())


def neuron(
    name: str,
    node: Neuron,
    scale: Array,
    synapse_bias: Array,
    rounding: Rounding | None = None,
) -> ChipNeuron:
    """A population's registers. synapse_bias: sum of the biases of the layers before it, in
    real units, shape () or the population's. QuantisationError names the register that cannot
    hold its number, with what is needed and what there is."""
    how = rounding or Rounding()
    assert node.threshold is not None
    each = by_neuron(scale, node.shape)
    membrane = frozen(node.bias)
    current = None
    if node.decay_u is None:
        membrane = frozen(membrane + synapse_bias)
        du: Any = np.asarray(loihi.ONE - 1)  # the current is forgotten each step
    else:
        du = rounded(frozen((1 - node.decay_u) * loihi.ONE), how.u) - 1
        current = rounded(frozen(synapse_bias * each)) if synapse_bias.any() else None
    mant, exp = bias_registers(name, frozen(membrane * each))
    counts = counts_spikes(node, each)
    vth = rounded(collapsed(node.threshold * each), "down" if counts else "nearest")
    if not counts:
        refuse_vanished(name, node, vth)
    numbers: dict[str, Any] = {
        "du": du,
        "dv": rounded(frozen((1 - node.decay_v) * loihi.ONE), how.v),
        "vth": vth,
    }
    for register, values in numbers.items():
        loihi.in_range(f"node {name!r}", register, values)
    return ChipNeuron(
        node.shape,
        **numbers,
        bias_mant=mant,
        bias_exp=exp,
        current=current,
        reset=node.reset,
        refractory=node.refractory,
        scale=each,
    )


def counts_spikes(node: Neuron, each: Array) -> bool:
    """Whether the membrane counts whole spikes, as the OR that a max-pool becomes: then it passes
    a threshold when it passes the whole number below, which may be 0."""
    plain = node.kind == "IF" and node.reset == "value" and not node.bias.any()
    return plain and bool((each == 1).all())


def refuse_vanished(name: str, node: Neuron, vth: Integers) -> None:
    """QuantisationError if a threshold would be rounded to 0, which every spike passes."""
    assert node.threshold is not None
    gone = (vth == 0) & (node.threshold > 0)
    if gone.any():
        worst = np.broadcast_to(node.threshold, gone.shape)[gone].flat[0]
        raise QuantisationError(
            f"node {name!r}: its threshold of {worst:g} "
            "would be 0 in the register's 17 bits, at the scale that its largest bias or current "
            "leaves; the two are too far apart"
        )


def refuse_decays(name: str, node: Neuron) -> None:
    """QuantisationError for a decay that no 12-bit register holds, whatever the scale."""
    for what, register, decay, off in (
        ("synaptic", "du", node.decay_u, 1),
        ("membrane", "dv", node.decay_v, 0),
    ):
        if decay is None:
            continue
        held = rounded(frozen((1 - decay) * loihi.ONE)) - off
        least, most = loihi.RANGES[register]
        wrong = (held < least) | (held > most)
        if wrong.any():
            raise QuantisationError(
                f"node {name!r}: its {what} decay of {decay[wrong].flat[0]:g} a step needs "
                f"{register} = {held[wrong].flat[0]}; the chip's register has 12 bits and holds "
                f"{least} to {most}, decays of {1 - (most + off) / loihi.ONE:g} to "
                f"{1 - (least + off) / loihi.ONE:g}: another time constant or dt is needed"
            )


def most_by_bias(node: Neuron, synapse_bias: Array) -> float:
    """The largest scale whose membrane bias its register holds."""
    bias = np.abs(node.bias + (synapse_bias if node.decay_u is None else 0.0))
    held = loihi.RANGES["bias_mant"][1] << loihi.RANGES["bias_exp"][1]
    return held / (1 << loihi.SHIFT) / max(float(bias.max(initial=0.0)), 1e-30)


def too_large_a_bias(node: Neuron, synapse_bias: Array, off: float) -> str:
    """Why no scale fits, if it is the bias: it needs more bits than there are at the scale that
    a threshold rounded by at most `off` needs. Empty if it is something else."""
    assert node.threshold is not None
    theta = float(node.threshold.max())
    scale = 1 / (2 * off * max(theta, 1e-30))
    if most_by_bias(node, synapse_bias) >= scale:
        return ""
    bias = float(np.abs(node.bias + synapse_bias).max())
    bits = math.ceil(math.log2(bias * scale * (1 << loihi.SHIFT))) + 1
    return (
        f"its bias of {bias:g} beside a threshold of {theta:g} needs {bits} bits, and the register "
        "has 20: 13, shifted by at most 7"
    )


def bias_registers(name: str, units: Array) -> tuple[Integers, int]:
    """(mantissa, exponent) of a membrane bias in chip units: the smallest exponent that holds
    the largest."""
    states = loihi.in_states(units)
    exp = loihi.bias_exponent(states)
    if exp is not None:
        return rounded(loihi.bias_mantissa(states, exp)), exp
    top = float(np.abs(states).max())
    raise QuantisationError(
        f"node {name!r}: a bias of {top:.0f} state units needs "
        f"{math.ceil(math.log2(top)) + 1} bits; the chip has a 13-bit mantissa shifted by at "
        "most 7; choose a smaller scale"
    )


def drift(node: Neuron, made: ChipNeuron, scale: Array, bias: Array, steps: int) -> float:
    """How far rounded biases can move a membrane over `steps` steps without a spike, or how far
    the threshold itself is rounded, as a share of the threshold, in the worst neuron."""
    assert node.threshold is not None
    each = by_neuron(scale, node.shape)
    wanted = node.bias + (bias if node.decay_u is None else 0.0)
    states = made.bias_mant << made.bias_exp
    off = np.abs(states / (each * (1 << loihi.SHIFT)) - wanted)
    if node.decay_u is not None and made.current is not None:
        off = off + np.abs(made.current / each - bias) * piled(node.decay_u, steps)
    theta = np.maximum(node.threshold, 1e-30)
    moved = np.abs(made.vth / each - node.threshold) / theta
    if counts_spikes(node, each):
        moved = np.zeros(())
    return float(max(np.max(off * piled(node.decay_v, steps) / theta), np.max(moved)))


def piled(decay: Array, steps: int) -> Array:
    """What a constant of 1 grows to: 1 + a + a^2 + ... over `steps` steps."""
    return np.asarray(sum(decay**t for t in range(steps)))


def refuse_unlike(name: str, node: Neuron) -> None:
    """What the chip's neuron cannot be."""
    if not ((node.gain_u == 1).all() and (node.gain_v == 1).all()):
        raise QuantisationError(f"node {name!r}: its input gain is not 1; fold it first")
    if node.schedule is not None:
        raise QuantisationError(
            f"node {name!r} has numbers of its own for each of {node.schedule.steps} steps (a "
            "BNTT's), the chip's registers hold one: collapse the norm with "
            "spikeport.trainer.approximate, which says what that costs"
        )
    if node.v_reset.any():
        raise QuantisationError(
            f"node {name!r}: resets to a value other than 0, such as "
            f"{node.v_reset[node.v_reset != 0].flat[0]:.4g}, the chip to 0; train with v_reset=0"
        )
    if node.reset_amount is not None:
        assert node.threshold is not None  # it spikes
        raise QuantisationError(
            f"node {name!r}: subtracts something other than its threshold: "
            f"{np.max(node.reset_amount):.4g}, not {np.max(node.threshold):.4g}, and the chip has "
            "one number for both; train with test_first=false, or an SRM with scale_ref=1"
        )
    if node.memoryless:
        raise QuantisationError(f"node {name!r} (Threshold) has no counterpart on the chip")
    if node.compare == ">=":
        raise QuantisationError(
            f"node {name!r} fires at v >= threshold, the chip at v > threshold, and a state "
            "between two thresholds of its register tells the two apart; train with >"
        )
