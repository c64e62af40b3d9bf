"""All settings of one run, and what must hold between its tables."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from .base import Section
from .data import Data
from .finetune import FineTune
from .nets import SPIKING_READOUTS, AnyNet, ConvNet
from .run import Run
from .toml import toml_lines
from .training import SPIKE_LOSSES, Train


class TrainConfig(Section):
    """All settings of one run."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    data: Data = Data()
    model: AnyNet = ConvNet()
    train: Train = Train()
    finetune: FineTune | None = None
    """None: training begins with fresh weights"""
    run: Run = Run()

    @model_validator(mode="after")
    def _bntt_counts_steps(self) -> Self:
        if self.model.norm == "bntt" and self.model.norm_steps != self.data.steps:
            raise ValueError(
                f"model.norm is 'bntt', which has weights for each step: model.norm_steps is "
                f"{self.model.norm_steps}, data.steps is {self.data.steps}; make them the same"
            )
        return self

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        for number, stage in enumerate(self.train.before, 1):
            if stage.steps not in (0, self.data.steps) and self.model.norm == "bntt":
                raise ValueError(
                    f"train.before has {stage.steps} steps in stage {number}, and model.norm "
                    f"'bntt' has weights for {self.data.steps}; take bn"
                )
            if stage.loss in SPIKE_LOSSES and self.model.readout not in SPIKING_READOUTS:
                raise ValueError(
                    f"train.before has loss {stage.loss!r} in stage {number}, which looks at "
                    f"output spikes, and model.readout is {self.model.readout!r}; take count or "
                    "first"
                )
        return self

    @model_validator(mode="after")
    def _losses_fit(self) -> Self:
        loss, readout = self.train.loss, self.model.readout
        if loss in SPIKE_LOSSES and readout not in SPIKING_READOUTS:
            raise ValueError(
                f"train.loss is {loss!r}, which looks at output spikes, and model.readout is "
                f"{readout!r}, which has none; take model.readout=count or first"
            )
        return self

    def to_toml(self) -> str:
        """The settings as a TOML file that `load` reads back to the same."""
        return "\n".join(toml_lines(self.model_dump(exclude_none=True))) + "\n"
