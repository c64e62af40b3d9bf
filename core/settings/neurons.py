"""`[model.neuron]`: what fires, and what stands in for its derivative."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Decay, Positive, Section


class Surrogate(Section):
    """The stand-in for a spike's derivative: scale * h(|v - threshold| / width), h(0) = 1.
    Of kind stdb: scale * exp(-steps since the neuron's last spike / width)."""

    kind: Literal[
        "triangle", "rectangular", "atan", "superspike", "sigmoid", "exponential", "stdb"
    ] = "triangle"
    width: Positive = 1.0
    """in units of the membrane; stdb: in steps, 100 in its source"""
    scale: Positive = 1.0


class Fires(Section):
    """What all kinds of neuron have."""

    threshold: Positive = 1.0
    compare: Literal[">", ">="] = ">"
    """'>=': a spike at the threshold too"""
    detach_reset: bool = True
    """keep the gradient out of the reset"""
    surrogate: Surrogate = Surrogate()


class Firing(Fires):
    """Those whose reset can be chosen."""

    reset: Literal["value", "subtract"] = "value"
    v_reset: Annotated[float, Field(allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _reset_by_one_way(self) -> Self:
        if self.reset == "subtract" and self.v_reset != 0:
            raise ValueError(f"v_reset is {self.v_reset}, which reset 'subtract' does not use")
        return self


class If(Firing):
    """v <- v + x."""

    kind: Literal["if"] = "if"
    learn: tuple[Literal["threshold"], ...] = ()


class Lif(Firing):
    """v <- decay v + x."""

    kind: Literal["lif"] = "lif"
    decay: Decay = 0.5
    learn: tuple[Literal["decay", "threshold"], ...] = ()


class Cuba(Firing):
    """u <- decay_syn u + x; v <- decay v + u."""

    kind: Literal["cuba"] = "cuba"
    decay: Decay = 0.5
    decay_syn: Decay = 0.5
    learn: tuple[Literal["decay", "decay_syn", "threshold"], ...] = ()


class SpikingJelly(Firing):
    """v <- v + (x - (v - v_reset)) / tau."""

    kind: Literal["spikingjelly"] = "spikingjelly"
    compare: Literal[">", ">="] = ">="
    tau: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    """steps"""
    decay_input: bool = True
    """false: x is not divided by tau"""
    learn: tuple[Literal["threshold"], ...] = ()
    """kind plif learns tau"""


class Plif(Firing):
    """The same, with a learned tau."""

    kind: Literal["plif"] = "plif"
    compare: Literal[">", ">="] = ">="
    init_tau: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    """steps"""
    decay_input: bool = True
    learn: tuple[Literal["threshold"], ...] = ()
    """beside tau"""


class Zenke(Fires):
    """Current-based, with a dead step after every spike."""

    kind: Literal["zenke"] = "zenke"
    decay: Decay = 0.9048374180359595
    """beta_mem: exp(-2 ms / 20 ms)"""
    decay_syn: Decay = 0.8187307530779818
    """beta_syn: exp(-2 ms / 10 ms)"""
    learn: tuple[Literal["decay", "decay_syn", "threshold"], ...] = ()


class Soft(Fires):
    """v <- decay v + x, less the threshold at every spike, as in BNTT and DIET-SNN."""

    kind: Literal["soft"] = "soft"
    decay: Decay = 0.95
    test_first: bool = False
    """the spike is tested before the update, as in hybrid training"""
    surrogate: Surrogate = Surrogate(scale=0.3)
    learn: tuple[Literal["decay", "threshold"], ...] = ()


class Srm(Fires):
    """SLAYER's spike response model."""

    kind: Literal["srm"] = "srm"
    threshold: Positive = 10.0
    compare: Literal[">", ">="] = ">="
    tau_s: Positive = 10.0
    """steps, of the response to a spike that comes in"""
    tau_r: Positive = 10.0
    """steps, of the refractory response to an own one"""
    kernel: Literal["exponential", "alpha"] = "exponential"
    """of the refractory response"""
    scale_ref: Positive = 2.0
    """thresholds that a spike takes off"""
    surrogate: Surrogate = Surrogate(kind="exponential", width=10.0, scale=0.1)
    learn: tuple[Literal["threshold"], ...] = ()


AnyNeuron = Annotated[
    If | Lif | Cuba | SpikingJelly | Plif | Zenke | Soft | Srm, Field(discriminator="kind")
]
