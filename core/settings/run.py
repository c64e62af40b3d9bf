"""`[run]`: where and how it is computed."""

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Section


class Run(Section):
    """Where and how it is computed. Nothing here changes what is asked for."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: Count = 1
    """processes on each machine"""
    nodes: Count = 1
    """machines"""
    strategy: str = "auto"
    """how processes work together, in Lightning Fabric's words"""
    precision: Literal["32-true", "64-true", "16-mixed", "bf16-mixed"] = "32-true"
    threads: Annotated[int, Field(ge=0, le=1024)] = 0
    """of each process; 0: torch's own choice"""
    deterministic: bool = True
    compile: bool = False
    """the net between its neurons, by torch.compile"""
    checkpoint_steps: Annotated[int, Field(ge=0)] = 0
    """a segment; its inside is computed twice"""
    spike_bytes: bool = False
    """what layers keep of spikes for the backward pass, in one byte each"""
    channels_last: bool = False
    """memory layout of the convolutions"""
    kernels: Literal["auto", "fused", "eager"] = "auto"
    """of neurons; eager: step by step"""
    progress: bool = True
    """a bar, where there is a terminal"""
    loggers: tuple[Literal["csv", "tensorboard"], ...] = ("csv", "tensorboard")
    log_every: Count = 50
    """steps"""
    eval_batch: Count = 256
