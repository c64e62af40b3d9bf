"""`[model]`: which architecture, of which parts."""

from typing import Annotated

from pydantic import Field

from .base import SPIKING_READOUTS, Net, NormName, ReadoutName, StartName
from .chains import ChainNet, ConvNet, FeedForwardNet, RecurrentNet
from .residual import DeepNet, JoinName, MixerNet, ResNet, SewNet

AnyNet = Annotated[
    ConvNet | RecurrentNet | FeedForwardNet | ChainNet | ResNet | SewNet | MixerNet | DeepNet,
    Field(discriminator="name"),
]

__all__ = [
    "SPIKING_READOUTS",
    "AnyNet",
    "ChainNet",
    "ConvNet",
    "DeepNet",
    "FeedForwardNet",
    "JoinName",
    "MixerNet",
    "Net",
    "NormName",
    "ReadoutName",
    "RecurrentNet",
    "ResNet",
    "SewNet",
    "StartName",
]
