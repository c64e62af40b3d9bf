"""What the worker is told to build: one piece for each Lava process, as JSON and arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.arrays import Numbers, Shape
from ...core.chip_nodes import ChipNeuron, ChipSynapse
from ...core.errors import UnsupportedNode
from ...core.nodes import AvgPool2d, Conv, Linear, Neuron, Node, Pool, Scale


@dataclass(frozen=True)
class Piece:
    """One Lava process. takes: shape of what it hears, in torch's order. hears: the pieces
    whose sum it gets. told: plain values. arrays: name -> numbers. binary: sends 0 and 1 only."""

    name: str
    kind: str
    takes: Shape
    shift: int
    hears: tuple[str, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Numbers] = field(default_factory=dict)
    binary: bool = False

    def described(self) -> dict[str, Any]:
        """For the wire; its arrays travel under 'NAME/KEY'."""
        return {
            "name": self.name,
            "kind": self.kind,
            "takes": list(self.takes),
            "shift": self.shift,
            "hears": list(self.hears),
            **self.told,
        }


def shaped(shape: Shape) -> Shape:
    """Lava has no arrays without axes."""
    return shape or (1,)


def synapse(name: str, node: Node, takes: Shape, shift: int, graded: bool) -> Piece:
    """A linear node without its bias."""
    if isinstance(node, ChipSynapse):
        made = synapse(name, node.synapse, takes, shift, graded)
        told = {
            "weight_exp": node.weight_exp,
            "weight_bits": node.weight_bits,
            "sign_mode": node.sign_mode.name,
        }
        arrays = {k: v.astype(np.int32) for k, v in made.arrays.items()}
        return Piece(name, made.kind, takes, shift, told={**made.told, **told}, arrays=arrays)
    match node:
        case Linear():
            return Piece(name, "dense", takes, shift, (), {"graded": graded}, weights(node.weight))
        case Scale():
            shape = shaped(node.scale.shape)
            return Piece(name, "scale", takes, shift, (), {}, weights(node.scale.reshape(shape)))
        case Conv():
            return convolution(name, node, takes, shift, graded)
        case Pool():
            return convolution(name, as_conv(node, takes[0]), takes, shift, graded)
    raise UnsupportedNode(f"node {name!r} ({node.kind}) is no synapse that Lava has")


def weights(values: Numbers) -> dict[str, Numbers]:
    """The arrays of a synapse."""
    return {"weight": values}


def convolution(name: str, node: Conv, takes: Shape, shift: int, graded: bool) -> Piece:
    """A convolution over one or two axes."""
    told = {
        "stride": list(node.stride),
        "padding": list(node.padding),
        "dilation": list(node.dilation),
        "groups": node.groups,
        "graded": graded,
    }
    return Piece(name, "conv", takes, shift, (), told, weights(node.weight))


def as_conv(node: Pool, channels: int) -> Conv:
    """A sum or average pool: each channel by itself under a kernel of one number."""
    each = 1 / np.prod(node.kernel) if isinstance(node, AvgPool2d) else 1.0
    kernel = np.full((channels, 1, *node.kernel), each)
    return Conv(kernel, None, node.stride, node.padding, (1, 1), channels)


def neuron(name: str, node: Neuron | ChipNeuron, shift: int, bias: Numbers | None) -> Piece:
    """A population. bias: what its synapses' biases add to the membrane."""
    told, arrays = real(node, bias) if isinstance(node, Neuron) else chip(node)
    extended = node.reset == "subtract" or node.refractory > 0
    told |= {
        "extended": extended,
        "subtract": node.reset == "subtract",
        "refractory": node.refractory,
    }
    shape = shaped(node.shape)
    return Piece(name, "lif", shape, shift, (), told, arrays, binary=True)


def real(node: Neuron, bias: Numbers | None) -> tuple[dict[str, Any], dict[str, Numbers]]:
    """In real numbers: Lava counts what is lost, we count what is kept."""
    assert node.threshold is not None
    if not ((node.gain_u == 1).all() and (node.gain_v == 1).all()):
        raise UnsupportedNode(f"a {node.kind} with a gain: Lava's neurons multiply nothing")
    below = node.threshold if node.compare == ">" else np.nextafter(node.threshold, -np.inf)
    arrays: dict[str, Numbers] = {
        "du": np.ones(()) if node.decay_u is None else 1 - node.decay_u,
        "dv": 1 - node.decay_v,
        "vth": below,
        "bias_mant": node.bias if bias is None else node.bias + bias,
        "amount": node.amount,
    }
    return {}, arrays


def chip(node: ChipNeuron) -> tuple[dict[str, Any], dict[str, Numbers]]:
    """In the chip's registers."""
    arrays: dict[str, Numbers] = {
        name: getattr(node, name) for name in ("du", "dv", "vth", "bias_mant")
    }
    return {"bias_exp": node.bias_exp}, {**arrays, "amount": np.zeros((), np.int64)}
