"""What can be set in a training run: the schema of its TOML file. Every key has a default.

One file a table; `whole.py` is all of them. `core.config` reads a file into it and complains of
what does not fit.
"""

from .base import Section
from .data import Data, Events, Images, Manifolds, Sound
from .encoders import (
    AnyEncoder,
    Current,
    Dct,
    Direct,
    Latency,
    LatencyLinear,
    LatencyLog,
    Poisson,
    Saccades,
)
from .finetune import FineTune
from .nets import (
    SPIKING_READOUTS,
    AnyNet,
    ChainNet,
    ConvNet,
    DeepNet,
    FeedForwardNet,
    JoinName,
    MixerNet,
    Net,
    NormName,
    ReadoutName,
    RecurrentNet,
    ResNet,
    SewNet,
    StartName,
)
from .neurons import (
    AnyNeuron,
    Cuba,
    Fires,
    Firing,
    If,
    Lif,
    Plif,
    Soft,
    SpikingJelly,
    Srm,
    Surrogate,
    Zenke,
)
from .run import Run
from .training import SPIKE_LOSSES, LossName, Regularisers, SpikeTargets, Stage, Train
from .whole import TrainConfig

__all__ = [
    "StartName",
    "Saccades",
    "SewNet",
    "ResNet",
    "Events",
    "Images",
    "Manifolds",
    "MixerNet",
    "JoinName",
    "FeedForwardNet",
    "DeepNet",
    "ChainNet",
    "AnyEncoder",
    "AnyNet",
    "AnyNeuron",
    "ConvNet",
    "Cuba",
    "Current",
    "Data",
    "Dct",
    "Direct",
    "FineTune",
    "Fires",
    "Firing",
    "If",
    "Latency",
    "LatencyLinear",
    "LatencyLog",
    "Lif",
    "LossName",
    "Net",
    "NormName",
    "Plif",
    "Poisson",
    "ReadoutName",
    "RecurrentNet",
    "Regularisers",
    "Run",
    "SPIKE_LOSSES",
    "SPIKING_READOUTS",
    "Section",
    "Soft",
    "Sound",
    "SpikeTargets",
    "SpikingJelly",
    "Srm",
    "Stage",
    "Surrogate",
    "Train",
    "TrainConfig",
    "Zenke",
]
