"""Which scale a population gets, and how its decays are rounded, by the method that was asked
for. What is tried is always the population alone, fed with the real network's own spikes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...core import loihi
from ...core.arrays import Array, frozen
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.errors import QuantisationError
from ...core.nodes import Conv, Linear, Node, SumPool2d
from . import registers
from .layers import Layer, broadcast_bias, run_alone
from .options import Options, Runner, by_interpreter
from .registers import Rounding

STEPS = 2.0 ** np.arange(-1.0, 2.01, 0.25)  # candidates around the scale that clips no weight
HEADROOM = 4.0  # how far below the current's wrap the largest calibrated drive must stay
MOST_UNEQUAL = 8.0  # largest ratio of two channels' scales


@dataclass(frozen=True)
class Chosen:
    """A population at its scale, and what it cost on the calibration data.

    flipped: share of neuron-steps whose spike differs, fed with the real spikes. drift: of
    rounded biases, a share of the threshold. largest_drive: of the current's range, 1 is where
    it wraps.
    """

    scale: Array
    neuron: ChipNeuron
    synapses: Mapping[str, ChipSynapse]
    rounding: Rounding
    flipped: float
    clipped_weights: int
    drift: float
    largest_drive: float


def choose(layer: Layer, options: Options, run: Runner = by_interpreter) -> Chosen:
    """The best of what the method lets be tried; the coarser of equals.

    QuantisationError if nothing fits the registers at once, with the last reason.
    """
    registers.refuse_unlike(layer.name, layer.node)
    registers.refuse_decays(layer.name, layer.node)
    best: Chosen | None = None
    problem = ""
    for scale in candidates(layer, options):
        try:
            tried = attempt(layer, scale, Rounding(), options, run)
        except QuantisationError as error:
            problem = str(error)
            continue
        if tried.drift > options.max_drift:
            problem = (
                f"rounding moves the threshold, or a bias the membrane in {layer.steps} steps, by "
                f"{tried.drift:.3f} of the threshold, over {options.max_drift}"
            )
            continue
        if best is None or tried.flipped < best.flipped:
            best = tried
    if best is None:
        too_large = registers.too_large_a_bias(layer.node, layer.bias, options.max_drift)
        problem = too_large or f"the last one failed: {problem}"
        raise QuantisationError(
            f"node {layer.name!r}: no scale lets its weights, threshold and bias fit the chip's "
            f"registers at once; rescale the layer in training; {problem}"
        )
    if options.method == "spikes":
        best = with_best_rounding(layer, best, options, run)
    return best


def with_best_rounding(layer: Layer, best: Chosen, options: Options, run: Runner) -> Chosen:
    """Decays rounded the other way where that spikes more like the real numbers: products are
    cut towards zero, which a decay rounded up can make good."""
    for rounding in roundings(layer):
        try:
            tried = attempt(layer, best.scale, rounding, options, run)
        except QuantisationError:
            continue
        if tried.flipped < best.flipped:
            best = tried
    return best


def roundings(layer: Layer) -> Iterator[Rounding]:
    """Every other way to round the decays that are no multiples of 1 / 4096."""

    def ways(decay: Array | None) -> Sequence[registers.Round]:
        if decay is None or (np.mod(decay * loihi.ONE, 1) == 0).all():
            return ("nearest",)
        return ("nearest", "down", "up")

    for v in ways(layer.node.decay_v):
        for u in ways(layer.node.decay_u):
            if (v, u) != ("nearest", "nearest"):
                yield Rounding(v, u)


def candidates(layer: Layer, options: Options) -> list[Array]:
    """Scales to try, coarse to fine. The threshold's register and the current's wrap end them
    above; convolutions, whose weights have no exponent, give the middle. A pool's weights are 1
    on the chip, which leaves no choice."""
    if any(isinstance(n, SumPool2d) for n in layer.synapses.values()):
        return [frozen(1.0)]
    unequal = channel_factors(layer) if options.equalise else frozen(1.0)
    assert layer.node.threshold is not None
    widest = float(unequal.max())
    top = loihi.RANGES["vth"][1] / max(float(layer.node.threshold.max()), 1e-30) / widest
    top = min(top, registers.most_by_bias(layer.node, layer.bias) / widest)
    reach = layer.largest_sum()
    if reach > 0:
        top = min(top, loihi.LIMIT / (1 << loihi.SHIFT) / reach / HEADROOM / widest)
    convs = [n for n in layer.synapses.values() if isinstance(n, Conv)]
    tops = [
        registers.top_weight(frozen(n.weight * registers.by_output(unequal, n.weight)), options)
        for n in convs
    ]
    if not any(tops):
        found = [top / 4, top / 2, top] if options.method == "spikes" else [top]
    else:
        middle = registers.largest(options.bits) / max(tops)
        if options.method == "mse":
            found = [best_by_error(convs, unequal, middle, top, options)]
        else:
            steps = STEPS if options.method == "spikes" else (1.0,)
            found = sorted({min(float(middle * step), top) for step in steps})
    return [frozen(unequal * scale) for scale in found]


def best_by_error(
    convs: Sequence[Conv], unequal: Array, middle: float, top: float, options: Options
) -> float:
    """The scale at which the convolutions' weights err least, in real units."""

    def wrong(scale: float) -> float:
        each = unequal * scale
        units = [c.weight * registers.by_output(each, c.weight) for c in convs]
        return sum(registers.error(frozen(u), options.bits) for u in units) / scale**2

    return min((min(float(middle * step), top) for step in STEPS), key=wrong)


def channel_factors(layer: Layer) -> Array:
    """How much finer each output channel's scale can be than the coarsest: what the largest
    weight of all is to its own. One number where a host current enters, which has one scale."""
    nodes = [n for n in layer.synapses.values() if isinstance(n, Linear | Conv)]
    if layer.drive is not None or len(nodes) != len(layer.synapses) or not nodes:
        return frozen(1.0)
    tops = [np.abs(n.weight).reshape(len(n.weight), -1).max(axis=1) for n in nodes]
    own = np.maximum.reduce(tops)
    if not own.any():
        return frozen(1.0)
    factors = own.max() / np.maximum(own, own.max() / MOST_UNEQUAL)
    return frozen(factors)


def attempt(
    layer: Layer, scale: Array, rounding: Rounding, options: Options, run: Runner
) -> Chosen:
    """The layer in integers at this scale, run on what the real network let it hear."""
    synapses = {n: registers.synapse(node, scale, options) for n, node in layer.synapses.items()}
    bias = layer.bias
    if options.correct_bias:
        bias = frozen(bias + mean_error(layer, synapses, scale))
    neuron = registers.neuron(layer.name, layer.node, scale, bias, rounding)
    got = run_alone(layer, neuron, synapses, scale, run).spikes["neuron"]
    drive = layer.largest_sum() * float(scale.max()) * (1 << loihi.SHIFT) / loihi.LIMIT
    return Chosen(
        scale,
        neuron,
        synapses,
        rounding,
        float((got != layer.spikes).mean()),
        sum(
            registers.clipped(node, synapses[n], scale, options)
            for n, node in layer.synapses.items()
        ),
        registers.drift(layer.node, neuron, scale, bias, layer.steps),
        drive,
    )


def mean_error(layer: Layer, synapses: Mapping[str, ChipSynapse], scale: Array) -> Array:
    """What the integer sums miss on average, per output channel, in real units, for every neuron
    of the population."""
    total: Array = np.zeros(layer.node.shape)
    for name, chip in synapses.items():
        heard = layer.heard[name]
        flat = heard.reshape(-1, *heard.shape[2:])
        sums = chip.total(flat).reshape(*heard.shape[:2], *layer.node.shape)
        missed = layer.sums(name) - sums / registers.by_neuron(scale, layer.node.shape)
        axes = (0, 1, *range(3, missed.ndim))
        total = total + broadcast_bias(as_bias(missed.mean(axis=axes)), layer.node.shape)
    return total


def as_bias(values: Array) -> Node:
    """One value per output channel, as the bias of a layer."""
    return Linear(np.zeros((len(values), 1)), frozen(values))
