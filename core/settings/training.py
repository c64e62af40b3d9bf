"""`[train]`: how it is learned."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import RATE_LIMIT, Count, NotNegative, Positive, Rate, Section


class SpikeTargets(Section):
    """What the spike losses want of output neurons. Rates are spikes per step."""

    true: Annotated[float, Field(ge=0, le=1)] = 0.2
    """of the right class (SLAYER: 60 in 300)"""
    false: Annotated[float, Field(ge=0, le=1)] = 1 / 30
    """of the others (SLAYER: 10 in 300)"""
    tau: Positive = 10.0
    """steps; of the kernel that spikes are compared through"""


class Regularisers(Section):
    """What is added to the loss; spikes, upper, lower, total_spikes, l2 and weight_sum
    are the weights, 0: off."""

    spikes: NotNegative = 0.0
    """half the spike rate of every layer"""
    spikes_order: Literal[1, 2] = 2
    """1: S, pulls at every neuron; 2: S^2, at those that fired"""
    upper: NotNegative = 0.0
    """more spikes a neuron and sample than upper_bound, in the mean"""
    upper_bound: NotNegative = 4.0
    upper_power: Literal[1, 2] = 1
    lower: NotNegative = 0.0
    """neurons with fewer spikes a sample than lower_bound"""
    lower_bound: NotNegative = 1e-3
    total_spikes: NotNegative = 0.0
    """all spikes of a batch, and their square a neuron"""
    l2: NotNegative = 0.0
    """lambda of lambda |w|^2; its gradient is that of weight_decay 2 lambda"""
    weight_sum: NotNegative = 0.0
    """neurons whose weights add up to less than weight_sum_target"""
    weight_sum_target: NotNegative = 1.0


LossName = Literal["sdt", "tet", "max", "sum", "first-spike", "spike-time", "spike-count"]
OptimiserName = Literal["adam", "adamw", "sgd", "adabelief", "adabelief-0.0.5", "smorms3"]
SPIKE_LOSSES = ("first-spike", "spike-time", "spike-count")  # that need spikes as outputs


class Stage(Section):
    """Epochs that come before those of [train] itself, with what is other in them."""

    epochs: Count
    steps: Annotated[int, Field(ge=0)] = 0
    """T; 0: data.steps"""
    lr: Annotated[float, Field(ge=0, lt=RATE_LIMIT, allow_inf_nan=False)] = 0.0
    """a schedule and an optimiser of its own; 0: those of what follows"""
    loss: LossName | Literal[""] = ""
    """"": train.loss"""


class Train(Section):
    """How it is learned."""

    epochs: Count = 20
    batch: Count = 64
    """over all processes together"""
    optimiser: OptimiserName = "adamw"
    lr: Rate = 2e-3
    weight_decay: NotNegative = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """sgd only"""
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: NotNegative = 0.0
    """epochs of rising learning rate"""
    loss: LossName = "tet"
    mse_weight: Annotated[float, Field(ge=0, le=1)] = 0.0
    """lambda: (1 - lambda) L + lambda MSE"""
    mse_target: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    """what outputs are drawn to"""
    clip: NotNegative = 0.0
    """largest norm of the gradient; 0: no limit"""
    data_start: bool = False
    """weight norm: first outputs of mean 0 and variance 1"""
    before: tuple[Stage, ...] = ()
    """earlier stages: fewer steps (TIT), another loss"""
    targets: SpikeTargets = SpikeTargets()
    regularisers: Regularisers = Regularisers()

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.warmup > self.epochs:
            raise ValueError(f"warmup is {self.warmup} epochs of {self.epochs}; take fewer")
        return self
