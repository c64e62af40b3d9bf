"""Cases of populations: every kind of neuron, and every number that it can have."""

from typing import Any

import numpy as np

from ...core.arrays import frozen
from ...core.nodes import Input, Linear, Neuron, Output
from .building import SPIKES, Built, case, chain, cuba, integrate, lif, two_layers


@case
def if_neurons(random: np.random.Generator) -> Built:
    return two_layers(random, integrate(8), integrate(5))


@case
def lif_neurons(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8), lif(5, decay=0.9))


@case
def cuba_neurons(random: np.random.Generator) -> Built:
    return two_layers(random, cuba(8), cuba(5))


@case
def lif_per_neuron(random: np.random.Generator) -> Built:
    first = Neuron(
        (8,),
        frozen(random.uniform(0.5, 0.95, 8)),
        frozen(random.uniform(0.5, 1.2, 8)),
    )
    return two_layers(random, first, lif(5), bias=True)


@case
def biases(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8), integrate(5), bias=True)


@case
def cuba_biases(random: np.random.Generator) -> Built:
    return two_layers(random, cuba(8), cuba(5), bias=True)


@case
def membrane_bias(random: np.random.Generator) -> Built:
    leak = frozen(random.uniform(-0.1, 0.2, 8))
    return two_layers(random, lif(8, bias=leak), cuba(5, bias=frozen(0.05)))


@case
def gain(random: np.random.Generator) -> Built:
    first = lif(8, gain_v=frozen(random.uniform(0.3, 1.2, 8)))
    second = cuba(5, gain_u=frozen(0.8), gain_v=frozen(0.5))
    return two_layers(random, first, second)


@case
def subtract_lif(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8, reset="subtract"), lif(5, reset="subtract"))


@case
def subtract_gently(random: np.random.Generator) -> Built:
    """No membrane ever reaches twice the threshold."""
    nodes, edges, meaning = two_layers(
        random, lif(8, reset="subtract"), lif(5, reset="subtract", decay=0.8)
    )
    for name in ("fc1", "fc2"):
        layer = nodes[name]
        assert isinstance(layer, Linear)
        nodes[name] = Linear(frozen(0.3 * layer.weight + 0.12))
    return nodes, edges, meaning


@case
def subtract_after_decay(random: np.random.Generator) -> Built:
    """What a threshold taken off after the next decay means: threshold / decay, at once."""
    how: dict[str, Any] = {"reset": "subtract", "reset_amount": frozen(1 / 0.6)}
    return two_layers(random, lif(8, **how), lif(5, **how))


@case
def subtract_if(random: np.random.Generator) -> Built:
    return two_layers(random, integrate(8, reset="subtract"), integrate(5, reset="subtract"))


@case
def subtract_cuba(random: np.random.Generator) -> Built:
    return two_layers(random, cuba(8, reset="subtract"), cuba(5, reset="subtract"))


@case
def reset_to_value(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8, v_reset=frozen(0.25)), lif(5, v_reset=frozen(-0.5)))


@case
def fires_at_threshold(random: np.random.Generator) -> Built:
    """Weights of a half and whole spikes: membranes meet the threshold exactly, often."""
    nodes, edges = chain(
        ("in", Input((4,), SPIKES)),
        ("fc", Linear(frozen(random.integers(-1, 3, (6, 4)) * 0.5))),
        ("one", integrate(6, compare=">=")),
        ("out", Output((6,))),
    )
    return nodes, edges, {}


@case
def refractory(random: np.random.Generator) -> Built:
    return two_layers(random, lif(8, refractory=2), cuba(5, refractory=1))
