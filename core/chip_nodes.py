"""Nodes of a quantised network: Loihi's integers in the graph. What a float engine refuses.

A quantised network is one graph: the host's part in real numbers (encoder, readout), then
`ToChip` where a current enters, `ChipSynapse` and `ChipNeuron` on the chip.
"""

from dataclasses import dataclass, field

import numpy as np

from . import loihi
from .arrays import Array, Shape, collapsed, collapsed_integers, frozen
from .errors import QuantisationError
from .linear import apply, has_synapses
from .loihi import Integers, SignMode
from .nodes import Conv, Linear, Node, SumPool2d, same_shape


@dataclass(frozen=True, eq=False)
class ToChip(Node):
    """A host current enters the chip: y = round(scale * x), half to even. scale: chip units
    (one weight unit = 1) per unit of x."""

    shape: Shape
    scale: float

    def output_shape(self, shape: Shape) -> Shape:
        return same_shape(self.shape, shape)

    def enter(self, x: Array) -> Integers:
        """[B, *shape] real -> whole numbers; QuantisationError beyond the chip's 32-bit sums."""
        units: Array = loihi.entered(x, self.scale)
        top = float(np.abs(units).max(initial=0.0))
        if top >= loihi.SUM_LIMIT:
            raise QuantisationError(
                f"a current of {top:.6g} chip units enters; the chip's sums have 32 bits"
            )
        return units.astype(np.int64)


@dataclass(frozen=True, eq=False)
class ChipSynapse(Node):
    """Integer weights on the chip's grid: y = (W s) << weight_exp, as int32 sums.

    synapse: a Linear, Conv or SumPool2d (weights of 1) whose numbers are whole and on the grid
    of (weight_bits, sign_mode). A bias of the synapse enters the current: host constants.
    scale: weight units per unit of the real network, one number or one an output channel; for
    reading only.
    """

    synapse: Node
    weight_exp: int = 0
    weight_bits: int = 8
    sign_mode: SignMode = SignMode.MIXED
    scale: Array = field(default_factory=lambda: frozen(1.0))

    def check(self) -> None:
        self._set("scale", collapsed(self.scale))
        if not isinstance(self.synapse, Linear | Conv | SumPool2d):
            raise QuantisationError(f"{self.synapse.kind} is not a synapse that the chip has")
        if isinstance(self.synapse, SumPool2d):
            if self.weight_exp:
                raise QuantisationError(f"a pool with weight_exp {self.weight_exp}: it has none")
            return
        for name in ("weight", "bias"):
            values = getattr(self.synapse, name)
            if values is not None and not np.array_equal(values, np.round(values)):
                raise QuantisationError(f"{name} holds numbers that are not whole")
        weight = self.synapse.weight.astype(np.int64)
        kept = loihi.on_grid(weight, self.weight_bits, self.sign_mode)
        if not np.array_equal(kept, weight):
            worst = int(weight.ravel()[np.argmax(kept.ravel() != weight.ravel())])
            least, most, _ = self.sign_mode.value
            raise QuantisationError(
                f"weight {worst} is not on the chip's grid: {self.weight_bits} bits, "
                f"{self.sign_mode.name.lower()} signs, {least} to {most} in steps of "
                f"{loihi.grid_step(self.weight_bits, self.sign_mode)}"
            )
        loihi.in_range("a synapse", "weight_exp", self.weight_exp)
        if isinstance(self.synapse, Conv) and self.weight_exp:
            raise QuantisationError(
                f"a convolution with weight_exp {self.weight_exp}: Lava's convolution has none"
            )

    @property
    def kind(self) -> str:
        return f"Chip{self.synapse.kind}"

    def output_shape(self, shape: Shape) -> Shape:
        return self.synapse.output_shape(shape)

    def total(self, spikes: Array) -> Integers:
        """[B, *in] of whole numbers -> sums; exact, since float64 holds them (|sum| < 2^53)."""
        summed = np.rint(apply(self.synapse, spikes)).astype(np.int64)
        shifted: Integers = loihi.shifted_sum(summed, self.weight_exp)
        return shifted


def hop(node: Node) -> int:
    """Steps that a pipelined chip takes to cross the node: one for each synapse."""
    return int(isinstance(node, ChipSynapse) or has_synapses(node))


@dataclass(frozen=True, eq=False)
class ChipNeuron(Node):
    """A population in the chip's registers; see `loihi.Registers` for their meaning.

    scale: chip units (one weight unit = 1; states are 64 times that) per unit of the real
    network, one number or one a neuron, for reading only. current: added to the drive every
    step (a bias on the synapse). simulator_only: du may be -1 and dv 4096, a current that never
    fades and a membrane that keeps nothing, and vth may have 18 bits, which no membrane reaches;
    the CPU models take these and the chip's registers do not.
    """

    shape: Shape
    du: Integers
    dv: Integers
    vth: Integers
    bias_mant: Integers
    bias_exp: int = 0
    current: Integers | None = None
    reset: str = "value"
    refractory: int = 0
    scale: Array = field(default_factory=lambda: frozen(1.0))
    simulator_only: bool = False

    def check(self) -> None:
        for name in ("du", "dv", "vth", "bias_mant", "current"):
            value = getattr(self, name)
            if value is None:
                continue
            value = collapsed_integers(value)
            if value.shape not in ((), self.shape):
                raise QuantisationError(
                    f"{name} has shape {list(value.shape)}; [] or {list(self.shape)} is meant"
                )
            self._set(name, value)
            if name != "current":
                beyond = self.simulator_only and name in ("du", "dv", "vth")
                loihi.in_range("a neuron", f"{name} (simulator)" if beyond else name, value)
        loihi.in_range("a neuron", "bias_exp", self.bias_exp)
        self._set("scale", collapsed(self.scale))

    @property
    def spiking(self) -> bool:
        """Chip neurons spike."""
        return True

    def output_shape(self, shape: Shape) -> Shape:
        return same_shape(self.shape, shape)

    def registers(self) -> loihi.Registers:
        """The numbers that the chip's step needs."""
        return loihi.Registers(
            self.du,
            self.dv,
            self.vth,
            self.bias_mant,
            self.bias_exp,
            self.reset,
            self.refractory,
        )
