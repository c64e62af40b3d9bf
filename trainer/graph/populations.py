"""The neurons of a graph in torch: in real numbers, or in the chip's integers.

Both are `core.neuron.step` with a law. The chip's is `core.loihi.law` on float64 tensors of
whole numbers, each of its rules passed straight through by gradients.
"""

import dataclasses

import torch
from torch import Tensor

from ...core import loihi
from ...core.arrays import Array
from ...core.chip_nodes import ChipNeuron
from ...core.errors import QuantisationError, UnsupportedNode
from ...core.neuron import Law, real
from ...core.nodes import Neuron
from ..layers import is_static
from ..spike_bytes import alike
from ..spiking import Feedback, Spiking, detached
from ..surrogate import Surrogate
from .straight import through


class RealPopulation(Spiking):
    """A population in real numbers, which stay as they are; the same for all its neurons."""

    def __init__(self, node: Neuron, surrogate: Surrogate, detach_reset: bool) -> None:
        super().__init__()
        self.node = node
        self.surrogate = surrogate
        self.detach_reset = detach_reset
        if node.compare != ">":
            raise UnsupportedNode(
                f"fires at {node.compare} its threshold, and fine-tuning fires at >; "
                "train with model.neuron.compare='>'"
            )
        for name in node.arrays:
            if (values := getattr(node, name)) is not None and values.ndim:
                raise UnsupportedNode(f"{name} differs from neuron to neuron; give one number")

    def law(self) -> Law:
        """The node's numbers."""
        node = self.node
        threshold = float(node.amount if node.threshold is None else node.threshold)
        fire = self.surrogate.begun()
        law = real(
            fire=lambda v: fire(v, threshold, ">"),
            decay_v=other_than(node.decay_v, 1.0),
            decay_u=None if node.decay_u is None else float(node.decay_u),
            gain_u=other_than(node.gain_u, 1.0),
            gain_v=other_than(node.gain_v, 1.0),
            bias=other_than(node.bias, 0.0),
            v_reset=float(node.v_reset),
            amount=float(node.amount) if node.reset == "subtract" else None,
            refractory=node.refractory or None,
        )
        return detached(law) if self.detach_reset else law


def other_than(values: Array, idle: float) -> float | None:
    """The number, or None where it changes nothing."""
    return None if float(values) == idle else float(values)


class ChipPopulation(Spiking):
    """A population in the chip's registers. Decays and threshold stay in theirs; the bias comes
    with every call, in real numbers, and is put into its registers there.

    name: for errors. real: the population that `chip` was made of.
    """

    def __init__(
        self, name: str, real: Neuron, chip: ChipNeuron, surrogate: Surrogate, detach_reset: bool
    ) -> None:
        super().__init__()
        self.name = name
        self.node = chip
        self.real = real
        self.surrogate = surrogate
        self.detach_reset = detach_reset
        self.has_current = real.decay_u is not None

    def numbers(self, device: torch.device) -> "ChipNumbers":
        """The registers and the scale in float64, whatever type the module was cast to."""
        node, real = self.node, self.real
        assert real.threshold is not None
        middle = loihi.in_states(real.threshold * node.scale)
        values = (node.du, node.dv, node.vth, node.scale, real.bias, middle)
        return ChipNumbers(*(torch.tensor(n, dtype=torch.float64, device=device) for n in values))

    def forward(
        self, x: Tensor, feedback: Feedback | None = None, bias: Tensor | None = None
    ) -> Tensor:
        """Spikes [T, B, *shape] for whole sums x [T, B, *shape].

        bias: sum of the biases of the synapses before it, in real numbers, shape () or what
        broadcasts to the population's. QuantisationError if it does not fit its registers.
        """
        kind, own = x.dtype, self.numbers(x.device)
        membrane = own.bias
        if bias is not None and self.has_current:
            x = x + through(torch.round)(bias * own.scale)
        elif bias is not None:
            membrane = membrane + bias
        mantissa, exponent = self.bias_registers(membrane * own.scale)
        alone = feedback is None and self.watch is None and not self.node.refractory
        if alone and x.device.type == "cpu":
            spikes = self.fused(x, own, mantissa * 2**exponent)
            return alike(spikes.to(kind), spikes)
        law = self.law_of(own, mantissa, exponent)
        spikes = self.run(x.double(), law, feedback)
        return alike(spikes.to(kind), spikes)

    def bias_registers(self, units: Tensor) -> tuple[Tensor, int]:
        """(mantissa, exponent) of a membrane's bias in chip units."""
        states = loihi.in_states(units)
        exponent = loihi.bias_exponent(states.detach())
        if exponent is None:
            raise QuantisationError(
                f"node {self.name!r}: training made a bias of "
                f"{float(states.detach().abs().max()):.0f} state units; the registers hold "
                f"{loihi.RANGES['bias_mant'][1] << loihi.RANGES['bias_exp'][1]}; lower train.lr"
            )
        rounded = through(lambda s: loihi.bias_mantissa(s, exponent), 1 / 2**exponent)
        return rounded(states), exponent

    def law_of(self, own: "ChipNumbers", mantissa: Tensor, exponent: int) -> Law:
        """The registers' law, with gradients."""
        node = self.node
        given = own.du, own.dv, own.vth, mantissa
        exact = loihi.law(loihi.Registers(*given, exponent, node.reset, node.refractory))
        assert exact.decay_u is not None
        theta, unit = loihi.in_states(own.vth), loihi.in_states(own.scale)
        law = dataclasses.replace(
            exact,
            decay_u=through(exact.decay_u, (loihi.ONE - 1 - own.du) / loihi.ONE),
            limit_u=through(exact.limit_u),
            decay_v=through(exact.decay_v, (loihi.ONE - own.dv) / loihi.ONE),
            limit_v=through(exact.limit_v),
            fire=lambda v: self.surrogate.of_states(v, theta, own.middle, unit),
        )
        return detached(law) if self.detach_reset else law

    def fused(self, x: Tensor, own: "ChipNumbers", bias: Tensor) -> Tensor:
        """All steps at once; the same bits as the law. bias: in states."""
        from . import kernel  # brings numba, which not every use of a checkpoint needs

        shape = x.shape[2:]
        order = axes_in_memory(x)
        seen = (x[:1] if is_static(x) else x).permute(0, 1, *(a + 2 for a in order))

        def each(values: Tensor) -> Tensor:
            return values.expand(shape).permute(order).reshape(-1)

        spikes = kernel.population(
            seen.reshape(*seen.shape[:2], -1),
            len(x),
            each(bias),
            kernel.Numbers(
                each(loihi.ONE - 1 - own.du),
                each(loihi.ONE - own.dv),
                each(loihi.in_states(own.vth)),
                each(own.middle),
                each(loihi.in_states(own.scale)),
            ),
            kernel.Way(self.surrogate, self.node.reset == "subtract", self.detach_reset),
        )
        laid = spikes.reshape(len(x), x.shape[1], *(shape[a] for a in order))
        return laid.permute(0, 1, *(order.index(a) + 2 for a in range(len(shape))))


@dataclasses.dataclass(frozen=True)
class ChipNumbers:
    """A population's registers, its scale in chip units, its own membrane's real bias, and its
    real threshold in states."""

    du: Tensor
    dv: Tensor
    vth: Tensor
    scale: Tensor
    bias: Tensor
    middle: Tensor


def axes_in_memory(x: Tensor) -> list[int]:
    """The axes of a sample [T, B, *shape], the widest stride first: channels come last where
    convolutions keep them so, and nothing needs to be copied."""
    strides = x.stride()[2:]
    return sorted(range(len(strides)), key=lambda axis: (-strides[axis], axis))
