"""What all architectures can be told: neurons, norm, start, readout."""

from typing import Annotated, Literal

from pydantic import Field

from ..base import Count, Decay, Positive, Section
from ..neurons import AnyNeuron, Lif

NormName = Literal[  # where they go and what becomes of them: trainer.norms.choice
    "none",
    "bn",
    "tdbn",
    "bntt",
    "wn",
    "mobn",
    "wn-mobn",
    "psp-bn",
    "psp-ln",
    "psp-ln-causal",
    "psp-ln-calibrated",
    "neunorm",
]


ReadoutName = Literal["mean", "sum", "max", "li-max", "li-sum", "voting", "count", "first"]
SPIKING_READOUTS = ("count", "first")  # whose outputs are spikes


StartName = Literal["torch", "kaiming", "xavier", "fluctuation"]


class Net(Section):
    """What all architectures have."""

    neuron: AnyNeuron = Lif()
    norm: NormName = "bn"
    norm_steps: Annotated[int, Field(ge=0)] = 0
    """bntt only: T, as in data.steps"""
    norm_lambda: Positive = 0.1
    """psp norms only: added to the mean square"""
    norm_keep: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """neunorm only: k"""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """before the last layer"""
    readout: ReadoutName = "mean"
    readout_decay: Decay = 0.9
    """li-max, li-sum only: of the membrane"""
    readout_decay_syn: Decay = 0.0
    """li-max, li-sum only: of the current; 0: there is none"""
    votes: Count = 10
    """voting only: output neurons a class"""
    bias: Literal["auto", "always", "never"] = "auto"
    """of convolutions and hidden layers; auto: where no norm behind them brings one"""
    start: StartName = "torch"
    """of all weights: torch's own, or one of trainer.models.starts"""
    start_gain: Positive = 1.0
    """weights are multiplied by it at the start (SLAYER: 10 or 100)"""
