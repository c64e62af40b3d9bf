"""`run.compile`: the net as torch.compile makes it, for training only.

Names of weights, checkpoints and evaluation are the plain net's. Neurons stay fused kernels, at
which the compiled graph breaks; what is compiled is between them.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..core.errors import ConfigError, TrainingError
from ..core.settings import Run, TrainConfig
from .norms.psp import PspNorm
from .readouts import LeakyReadout
from .regularisers import listens
from .spiking import Spiking

APART = Spiking | LeakyReadout | PspNorm  # they run fused kernels
COMPILERS = ("g++", "c++", "clang++")  # one that torch would find


def compiled(net: nn.Module, model: nn.Module, config: TrainConfig, device: str) -> nn.Module:
    """The model compiled, if the settings say so. ConfigError names what is in the way."""
    if not config.run.compile:
        return model
    if model is not net:
        other = "checkpoint_steps" if config.run.checkpoint_steps else "spike_bytes"
        raise ConfigError(
            f"run.compile and run.{other} are both set; a compiled net keeps what it likes, so "
            "leave one of the two out"
        )
    if key := listens(config.train.regularisers):
        raise ConfigError(
            f"run.compile is set, but train.regularisers.{key} listens to layers, which a "
            "compiled net does not tell of; leave one of the two out"
        )
    own = os.environ.get("CXX")
    if device == "cpu" and not any(shutil.which(c) for c in ([own] if own else COMPILERS)):
        raise ConfigError(
            f"run.compile needs a C++ compiler on the CPU, and {own or ', '.join(COMPILERS)} is "
            "not there (Debian: apt install g++); install one, or set run.compile to false"
        )
    for layer in net.modules():
        if isinstance(layer, APART):  # on the layer, so that no frame of numba's is looked into
            layer.forward = torch.compiler.disable(layer.forward)  # type: ignore[method-assign, no-untyped-call]
    return torch.compile(model, dynamic=False)  # type: ignore[return-value]  # one batch size


def plain(net: nn.Module) -> nn.Module:
    """The net without what was done to it for compiling."""
    for layer in net.modules():
        if isinstance(layer, APART):
            layer.__dict__.pop("forward", None)
    return net


@contextmanager
def compiling(run: Run) -> Iterator[None]:
    """A compiled net draws eager torch's random numbers inside the block; TrainingError if it
    cannot be compiled."""
    if not run.compile:
        yield
        return
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor import config as inductor

    with inductor.patch(fallback_random=True):
        try:
            yield
        except TorchDynamoException as error:
            first = str(error).strip().splitlines()[0]
            raise TrainingError(
                f"torch.compile failed: {first}; set run.compile to false"
            ) from error
