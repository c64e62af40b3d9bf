"""lava-dl's network files (.net): HDF5 as SLAYER exports it -> a network in the chip's integers,
as netx runs it on Lava (lava-dl 0.6.0, netx/hdf5.py and netx/blocks).

Layers follow one another: /layer/0, /layer/1, ... Every synapse takes a step and nothing is
shifted back (timing `pipelined`); a neuron's bias goes to its membrane. What netx ignores, cannot
run, or runs otherwise than SLAYER trained it is refused by name.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import netx
from .arrays import Numbers, Shape, frozen
from .chip_nodes import ChipNeuron, ChipSynapse, ToChip
from .errors import NetworkError, SpikeportError, UnsupportedNode
from .hdf5 import Reader
from .lavadl_fields import (
    Tree,
    delays,
    fits,
    group,
    known,
    numbers,
    one,
    pair,
    per_channel,
    registers,
    rows,
    shape_of,
    stated,
    steps_of,
    text,
    whole,
)
from .loihi import Integers
from .network import Edge, Meaning, Network
from .nodes import Conv, Delay, Flatten, Input, Linear, Node, Output
from .schedule import compile

INPUT_WEIGHT = 64  # of an input layer that states none
NOT_RUN = ("pool", "convT", "unpool", "average", "concat", "dense_comp")
NO_NEURON = {"type": "CUBA", "iDecay": 0, "vDecay": 4096, "vThMant": 1 << 17}  # netx's own


def read(path: str | Path, dt: float | None = None) -> Network:
    """The network in a .net file; NetworkError names the layer and what is wrong with it. dt in
    seconds, which the file does not say."""
    where = str(path)
    tree = Reader(Path(path)).tree()
    try:
        known("the file", tree, {"layer"}, {"simulation"})
        network = Builder(group(tree, "layer")).network(dt, steps_of(tree))
        compile(network)
    except SpikeportError as error:
        raise type(error)(f"{where}: {error}") from None
    return network


class Builder:
    """Layer after layer. last: the node that the next layer hears."""

    def __init__(self, layers: Tree) -> None:
        self.layers = layers
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.notes: list[str] = []
        self.last = ""
        self.shape: Shape = ()

    def network(self, dt: float | None, steps: int | None) -> Network:
        """All layers."""
        count = len(self.layers)
        if not count:
            raise NetworkError("no layers")
        for number in range(count):
            if str(number) not in self.layers:
                raise NetworkError(f"{count} layers, and none is called {str(number)!r}")
            kind = "?"
            try:
                told = group(self.layers, str(number))
                known("the layer", told, {"type"}, None)
                kind = text(told, "type")
                self.layer(number, kind, told)
            except SpikeportError as error:
                raise type(error)(f"layer {number} ({kind}): {error}") from None
        if not any(isinstance(node, ChipNeuron) for node in self.nodes.values()):
            raise NetworkError("no layer with neurons")
        if isinstance(self.nodes[self.last], Flatten):
            raise NetworkError(f"layer {count - 1} (flatten): no dense layer follows it")
        self.add("output", Output(self.shape))
        meaning = Meaning(dt=dt, timing="pipelined", steps=steps)
        history = ("read from lava-dl", *self.notes)
        return Network(self.nodes, tuple(self.edges), meaning, history=history)

    def layer(self, number: int, kind: str, told: Tree) -> None:
        """One layer."""
        makers: dict[str, Callable[[str, Tree], None]] = {
            "input": self.input,
            "flatten": self.flatten,
            "dense": self.dense,
            "dense_rec": self.recurrent,
            "conv": self.conv,
        }
        if kind not in makers:
            run = "netx has no such layer" if kind in NOT_RUN else "unknown to netx"
            raise UnsupportedNode(f"{run}; what can be run is {', '.join(makers)}")
        if number and kind == "input":
            raise NetworkError("an input after other layers")
        if isinstance(self.nodes.get(self.last), Flatten) and not kind.startswith("dense"):
            raise NetworkError("follows a flatten, after which netx expects a dense layer")
        makers[kind](f"layer{number}", told)

    def add(self, name: str, node: Node, *sources: str) -> None:
        """A node that hears these, or the last one; it is the last one from now on."""
        self.nodes[name] = node
        heard = sources or ((self.last,) if self.last else ())
        self.edges += [(source, name) for source in heard]
        self.last = name

    # --- one method a type -------------------------------------------------------------------

    def input(self, name: str, told: Tree) -> None:
        """Spikes that come in; or, where the layer has neurons, numbers x that charge their
        membranes by weight * x + bias. In netx the caller writes that into the bias register,
        past the current: iDecay says nothing."""
        known("the layer", told, {"type", "shape"}, {"neuron", "weight", "bias"})
        self.shape = shape_of(told)
        if len(self.shape) not in (1, 3):
            raise NetworkError(f"shape {list(self.shape)}; [features] or [channels, y, x]")
        if "neuron" not in told:
            known("the layer, without neurons,", told, {"type", "shape"}, set())
            self.add("input", Input(self.shape, "spikes"))
            return
        neuron = {**group(told, "neuron"), "iDecay": 4096}
        weight = one(told, "weight", INPUT_WEIGHT)
        bias = np.array(one(told, "bias", 0))
        self.add("input", Input(self.shape, "analogue"))
        self.add(f"{name}.enter", ToChip(self.shape, float(weight)))
        held = registers(neuron, self.shape)
        self.add(name, ChipNeuron(self.shape, bias_mant=bias, bias_exp=6, **held))

    def flatten(self, name: str, told: Tree) -> None:
        """[C, Y, X] -> [C Y X]."""
        known("the layer", told, {"type"}, {"shape"})
        if len(self.shape) != 3:
            raise NetworkError(f"hears shape {list(self.shape)}; [channels, y, x] is meant")
        self.shape = (int(np.prod(self.shape)),)
        if "shape" in told:  # [n], or n beside ones in any order
            fits((int(np.prod(shape_of(told))),), self.shape)
        self.add(name, Flatten())

    def dense(self, name: str, told: Tree) -> None:
        """Weights, delays, neurons."""
        optional = {"neuron", "bias", "delay", "inFeatures", "outFeatures"}
        known("the layer", told, {"type", "shape", "weight"}, optional)
        weight, size = self.weights(told)
        loaded = netx.load(weight)
        self.moved(name, loaded)
        steps, of_neurons = np.zeros((), np.int64), True
        if "delay" in told:
            steps, of_neurons = delays(told, weight.shape)
        if steps.any() and not of_neurons:
            self.add(f"{name}.delay", Delay(steps))
        self.add(f"{name}.weight", dense_synapse(loaded, 0))
        if steps.any() and of_neurons:
            self.add(f"{name}.delay", Delay(steps))
        self.shape = (size,)
        self.population(name, told, self.last)

    def recurrent(self, name: str, told: Tree) -> None:
        """Weights, and weights from the neurons to themselves, which share an exponent."""
        wanted = {"type", "shape", "weight", "weight_rec", "neuron"}
        known("the layer", told, wanted, {"bias", "delay", "inFeatures", "outFeatures"})
        if "delay" in told:
            raise UnsupportedNode(
                "a recurrent layer with delays: netx drops the weights' exponent there, so that "
                "it runs another network than was trained"
            )
        weight, size = self.weights(told)
        back = rows(told, "weight_rec", size)
        fits(back.shape, (size, size), "weight_rec")
        loaded = netx.load(weight, back)
        self.moved(name, loaded)
        synapse, loop = f"{name}.weight", f"{name}.recurrent"
        self.add(synapse, dense_synapse(loaded, 0))
        self.add(loop, dense_synapse(loaded, 1), name)
        self.shape = (size,)
        self.population(name, told, synapse, loop)

    def weights(self, told: Tree) -> tuple[Integers, int]:
        """(a dense layer's weights [out, in], out)."""
        size = int(np.prod(shape_of(told)))
        weight = rows(told, "weight", size)
        if not self.last:
            self.shape = (weight.shape[1],)
            self.add("input", Input(self.shape, "spikes"))
        if self.shape != (weight.shape[1],):
            raise NetworkError(
                f"weight takes [{weight.shape[1]}], the layer before gives {list(self.shape)}"
            )
        stated(told, "inFeatures", weight.shape[1])
        stated(told, "outFeatures", size)
        return weight, size

    def conv(self, name: str, told: Tree) -> None:
        """A convolution, whose weights Lava takes as they are."""
        geometry = {"stride", "padding", "dilation", "groups"}
        wanted = {"type", "shape", "weight", "neuron"} | geometry
        optional = {"bias", "delay", "inChannels", "outChannels", "kernelSize"}
        known("the layer", told, wanted, optional)
        if "delay" in told and numbers(told, "delay").any():
            raise UnsupportedNode("has delays, which netx leaves out of convolutions")
        if len(self.shape) != 3:
            raise NetworkError(
                f"hears shape {list(self.shape)}; an input layer must say [channels, y, x]"
            )
        weight = whole(told, "weight")
        if weight.ndim == 5 and weight.shape[4] == 1:
            weight = weight[..., 0]
        if weight.ndim != 4:
            raise NetworkError(f"weight has shape {list(weight.shape)}; [out, in, y, x] is meant")
        stride, padding, dilation = (pair(told, n) for n in ("stride", "padding", "dilation"))
        groups = one(told, "groups", 1)
        node = Conv(frozen(weight), None, stride, padding, dilation, groups)
        shape = node.output_shape(self.shape)
        fits(shape_of(told), shape)
        stated(told, "inChannels", self.shape[0])
        stated(told, "outChannels", shape[0])
        if "kernelSize" in told:
            fits(pair(told, "kernelSize"), weight.shape[2:], "kernelSize")
        self.shape = shape
        synapse = f"{name}.weight"
        self.add(synapse, ChipSynapse(node, sign_mode=netx.sign_mode(weight)))
        self.population(name, told, synapse)

    def population(self, name: str, told: Tree, *sources: str) -> None:
        """A layer's neurons."""
        neuron = group(told, "neuron") if "neuron" in told else NO_NEURON
        bias: Numbers = np.zeros((), np.int64)
        if "bias" in told:
            bias = per_channel("bias", whole(told, "bias"), self.shape)
        held = registers(neuron, self.shape)
        self.add(name, ChipNeuron(self.shape, bias_mant=bias, bias_exp=6, **held), *sources)

    def moved(self, name: str, loaded: netx.Loaded) -> None:
        """Say where netx changes what the file says."""
        if loaded.moved:
            self.notes.append(f"{name}: weights that netx and Lava clip: {loaded.moved}")


def dense_synapse(loaded: netx.Loaded, which: int) -> ChipSynapse:
    """One of the matrices."""
    weight = Linear(frozen(loaded.weights[which]))
    return ChipSynapse(weight, loaded.exponent, loaded.bits, loaded.modes[which])
