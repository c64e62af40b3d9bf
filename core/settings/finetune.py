"""`[finetune]`: training that goes on from a checkpoint."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Count, Section


class FineTune(Section):
    """Training that goes on from a checkpoint: its norms folded, its weights and biases trained
    further, in the chip's integers or, to compare, in real numbers."""

    start: str = ""
    """best.ckpt of the run to go on from"""
    digest: str = ""
    """of its weights, which must be these; filled in when training begins"""
    numbers: Literal["loihi", "real"] = "loihi"
    bits: Annotated[int, Field(ge=2, le=8)] = 8
    """of a weight, sign included"""
    method: Literal["spikes", "mse", "percentile", "max"] = "spikes"
    """scales are chosen by it"""
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.9
    """of method percentile"""
    equalise: bool = False
    """a scale for each output channel; thresholds then differ"""
    samples: Count = 128
    """of the train split, on which scales are chosen"""

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if not self.start:
            raise ValueError("start names no checkpoint; give best.ckpt of a training run")
        return self
