"""What quantisation cost, layer by layer: each fed with the real network's own spikes (single),
and with what the integer layers before it made of them (cumulative)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core import loihi
from ..core.arrays import Array, Numbers, frozen
from ..core.chip_nodes import ChipNeuron, ChipSynapse
from ..core.loihi import Integers
from ..core.network import Network
from ..core.nodes import Conv, Linear
from ..core.recording import Recording
from ..export.quantise.layers import Layer, layers_of, run_alone
from ..export.quantise.options import Runner, by_interpreter
from ..export.quantise.partition import partition
from ..export.quantise.quantise import Quantised
from ..export.quantise.registers import largest


@dataclass(frozen=True)
class Difference:
    """Integer spikes against real ones. smape: of the neurons' spike rates, 0 to 1:
    mean of |a - b| / (a + b), 0 where both are silent. flipped: share of neuron-steps that
    differ. first_step: the earliest step at which any does, or None."""

    smape: float
    flipped: float
    first_step: int | None


@dataclass(frozen=True)
class LayerCost:
    """One population. wrapped: currents that ran over their register, saturated: membranes that
    stopped at its end, both as shares of neuron-steps, fed with the real spikes. unused_weights,
    unused_states: share of the weights' and of the membrane's range that is never reached."""

    name: str
    single: Difference
    cumulative: Difference
    wrapped: float
    saturated: float
    unused_weights: float
    unused_states: float
    clipped_weights: int
    rate: float
    integer_rate: float


@dataclass(frozen=True)
class Cost:
    """All populations, in network order; the first that differs end to end."""

    layers: tuple[LayerCost, ...]
    first_layer: str | None
    first_step: int | None
    samples: int
    steps: int


def cost(
    real: Network,
    made: Quantised,
    inputs: Mapping[str, Numbers],
    run: Runner = by_interpreter,
) -> Cost:
    """Compare on `inputs` (Input -> [T, B, *shape]), which need not be the calibration data.

    real: the lowered network in real numbers that was quantised.
    """
    layers = layers_of(real, partition(real), inputs)
    whole = run(made.network, inputs, tuple(layers))
    found = tuple(layer_cost(layer, made, whole, run) for layer in layers.values())
    diverging = [c for c in found if c.cumulative.first_step is not None]
    first = min(diverging, key=lambda c: c.cumulative.first_step or 0, default=None)
    steps, samples = next(iter(layers.values())).spikes.shape[:2]
    return Cost(
        found,
        None if first is None else first.name,
        None if first is None else first.cumulative.first_step,
        samples,
        steps,
    )


def layer_cost(layer: Layer, made: Quantised, whole: Recording, run: Runner) -> LayerCost:
    """One population, by itself and within the integer network."""
    choice = made.chosen[layer.name]
    alone = run_alone(layer, choice.neuron, choice.synapses, choice.scale, run)
    v = np.abs(before_reset(choice.neuron, alone))
    return LayerCost(
        layer.name,
        difference(layer.spikes, alone.spikes["neuron"]),
        difference(layer.spikes, whole.spikes[layer.name]),
        wrapped(layer, choice.neuron, choice.synapses, choice.scale, alone.u["neuron"]),
        float((v > loihi.LIMIT - 1).mean()),
        unused_weights(choice.synapses),
        max(0.0, 1 - float(v.max(initial=0)) / loihi.LIMIT),
        choice.clipped_weights,
        float(layer.spikes.mean()),
        float(whole.spikes[layer.name].mean()),
    )


def before_reset(neuron: ChipNeuron, alone: Recording) -> Integers:
    """What each step brings the membrane to, before its register stops it and a spike resets
    it: [T, B, *shape]."""
    v, u = (x["neuron"].astype(np.int64) for x in (alone.v, alone.u))
    last = np.concatenate([np.zeros_like(v[:1]), v[:-1]])
    kept: Integers = loihi.scaled(last * (loihi.ONE - neuron.dv))
    return kept + u + (neuron.bias_mant << neuron.bias_exp)


def difference(real: Numbers, integer: Numbers) -> Difference:
    """Spikes [T, B, *shape] against spikes."""
    apart = real != integer
    steps = np.flatnonzero(apart.reshape(len(apart), -1).any(axis=1))
    a = real.mean(axis=(0, 1), dtype=np.float64)
    b = integer.mean(axis=(0, 1), dtype=np.float64)
    both = a + b
    smape = np.divide(np.abs(a - b), both, out=np.zeros_like(both), where=both > 0)
    first = int(steps[0]) if len(steps) else None
    return Difference(float(smape.mean()), float(apart.mean()), first)


def wrapped(
    layer: Layer,
    neuron: ChipNeuron,
    synapses: Mapping[str, ChipSynapse],
    scale: Array,
    u: Numbers,
) -> float:
    """Share of neuron-steps whose current ran over its 24 bits: where the register does not
    hold what went in."""
    drive = np.zeros(u.shape, np.int64)
    for name, chip in synapses.items():
        heard = layer.heard[name]
        sums = chip.total(frozen(heard.reshape(-1, *heard.shape[2:])))
        drive += sums.reshape(u.shape)
    if layer.drive is not None:
        drive += np.rint(scale * layer.drive).astype(np.int64)
    if neuron.current is not None:
        drive += neuron.current
    before = np.concatenate([np.zeros_like(u[:1]), u[:-1]]).astype(np.int64)
    kept = loihi.scaled(before * (loihi.ONE - (neuron.du + 1)))
    return float((kept + (drive << loihi.SHIFT) != u).mean())


def unused_weights(synapses: Mapping[str, ChipSynapse]) -> float:
    """Share of the weights' range that no weight of the layer reaches."""
    used = [
        float(np.abs(s.synapse.weight).max(initial=0.0)) / largest(s.weight_bits)
        for s in synapses.values()
        if isinstance(s.synapse, Linear | Conv)
    ]
    return max(0.0, 1 - min(used)) if used else 0.0  # -256 lies one step beyond
