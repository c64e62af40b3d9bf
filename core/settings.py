"""What can be set in a training run: the schema of its TOML file. Every key has a default.

`core.config` reads a file into it and complains of what does not fit.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Decay = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A table of the file: no unknown keys, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Direct(Section):
    """The sample itself, at every step."""

    kind: Literal["direct"] = "direct"


class Poisson(Section):
    """A spike with chance x at every step; signed: sign(x) with chance |x| / 2."""

    kind: Literal["poisson"] = "poisson"
    signed: bool = False


class Latency(Section):
    """One spike at tau ln(x / (x - threshold)) steps, none for x up to the threshold."""

    kind: Literal["latency"] = "latency"
    tau: Positive = 20.0
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.2


class LatencyLinear(Section):
    """One spike at (T - 1) (1 - x)."""

    kind: Literal["latency-linear"] = "latency-linear"


class LatencyLog(Section):
    """One spike at T - 1 - ln(alpha x + 1), alpha = e^(T - 1) - 1."""

    kind: Literal["latency-log"] = "latency-log"


class Dct(Section):
    """4 x 4 blocks, one frequency a step."""

    kind: Literal["dct"] = "dct"
    stride: Count = 4  # 2: blocks overlap
    spikes: bool = True  # 1, 0, -1 by thresholds of the training split, instead of numbers


class Current(Section):
    """Samples [*shape, T], a column a step: spectrograms."""

    kind: Literal["current"] = "current"


def _by_name(given: Any) -> Any:
    return {"kind": given} if isinstance(given, str) else given


AnyEncoder = Annotated[
    Direct | Poisson | Latency | LatencyLinear | LatencyLog | Dct | Current,
    Field(discriminator="kind"),
    BeforeValidator(_by_name),
]


class Data(Section):
    """What is learned from."""

    name: str = "digits"  # digits, fashion-mnist, or a path to an .npz file with x and y
    folder: str = ""  # where the files of a named set lie; empty: the usual places
    download: bool = False  # fetch missing files
    steps: Count = 4  # T
    temporal: bool = False  # .npz only: x is [N, T, *shape]
    content: Literal["auto", "analogue", "spikes"] = "auto"  # auto: spikes if all are 0 or 1
    encoder: AnyEncoder = Direct()  # how a still sample becomes T steps


class Surrogate(Section):
    """The stand-in for a spike's derivative: scale * h(|v - threshold| / width), h(0) = 1."""

    kind: Literal["triangle", "rectangular", "atan", "superspike", "sigmoid", "exponential"] = (
        "triangle"
    )
    width: Positive = 1.0
    scale: Positive = 1.0


class Fires(Section):
    """What all kinds of neuron have."""

    threshold: Positive = 1.0
    compare: Literal[">", ">="] = ">"  # '>=': a spike at the threshold too
    detach_reset: bool = True  # keep the gradient out of the reset
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
    tau: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0  # steps
    decay_input: bool = True  # false: x is not divided by tau
    learn: tuple[Literal["threshold"], ...] = ()  # kind plif learns tau


class Plif(Firing):
    """The same, with a learned tau."""

    kind: Literal["plif"] = "plif"
    compare: Literal[">", ">="] = ">="
    init_tau: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0  # steps
    decay_input: bool = True
    learn: tuple[Literal["threshold"], ...] = ()  # beside tau


class Zenke(Fires):
    """Current-based, with a dead step after every spike."""

    kind: Literal["zenke"] = "zenke"
    decay: Decay = 0.9048374180359595  # beta_mem: exp(-2 ms / 20 ms)
    decay_syn: Decay = 0.8187307530779818  # beta_syn: exp(-2 ms / 10 ms)
    learn: tuple[Literal["decay", "decay_syn", "threshold"], ...] = ()


class Soft(Fires):
    """v <- decay v + x, less the threshold at every spike, as in BNTT and DIET-SNN."""

    kind: Literal["soft"] = "soft"
    decay: Decay = 0.95
    test_first: bool = False  # the spike is tested before the update, as in hybrid training
    surrogate: Surrogate = Surrogate(scale=0.3)
    learn: tuple[Literal["decay", "threshold"], ...] = ()


class Srm(Fires):
    """SLAYER's spike response model."""

    kind: Literal["srm"] = "srm"
    threshold: Positive = 10.0
    compare: Literal[">", ">="] = ">="
    tau_s: Positive = 10.0  # steps, of the response to a spike that comes in
    tau_r: Positive = 10.0  # steps, of the refractory response to an own one
    kernel: Literal["exponential", "alpha"] = "exponential"  # of the refractory response
    scale_ref: Positive = 2.0  # thresholds that a spike takes off
    surrogate: Surrogate = Surrogate(kind="exponential", width=10.0, scale=0.1)
    learn: tuple[Literal["threshold"], ...] = ()


AnyNeuron = Annotated[
    If | Lif | Cuba | SpikingJelly | Plif | Zenke | Soft | Srm, Field(discriminator="kind")
]


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


class Net(Section):
    """What all architectures have."""

    neuron: AnyNeuron = Lif()
    norm: NormName = "bn"
    norm_steps: Annotated[int, Field(ge=0)] = 0  # bntt only: T, as in data.steps
    norm_lambda: Positive = 0.1  # psp norms only: added to the mean square
    norm_keep: Annotated[float, Field(ge=0, lt=1)] = 0.9  # neunorm only: k
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0  # before the last layer
    readout: ReadoutName = "mean"
    readout_decay: Decay = 0.9  # li-max, li-sum only: of the membrane
    readout_decay_syn: Decay = 0.0  # li-max, li-sum only: of the current; 0: there is none
    votes: Count = 10  # voting only: output neurons a class


class ConvNet(Net):
    """{conv 3x3 - norm - neuron - pool} for each of `channels`, then linear."""

    name: Literal["conv"] = "conv"
    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)
    pool: Literal["avg", "max", "none"] = "avg"


class RecurrentNet(Net):
    """linear - norm - recurrent neurons, for each of `hidden`, then linear."""

    name: Literal["recurrent"] = "recurrent"
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (128,)


AnyNet = Annotated[ConvNet | RecurrentNet, Field(discriminator="name")]


class SpikeTargets(Section):
    """What the spike losses want of output neurons. Rates are spikes per step."""

    true: Annotated[float, Field(ge=0, le=1)] = 0.2  # of the right class (SLAYER: 60 in 300)
    false: Annotated[float, Field(ge=0, le=1)] = 1 / 30  # of the others (SLAYER: 10 in 300)
    tau: Positive = 10.0  # steps; of the kernel that spikes are compared through


class Regularisers(Section):
    """What is added to the loss; spikes, upper, lower, total_spikes, l2 and weight_sum
    are the weights, 0: off."""

    spikes: NotNegative = 0.0  # half the spike rate of every layer
    spikes_order: Literal[1, 2] = 2  # 1: S, pulls at every neuron; 2: S^2, at those that fired
    upper: NotNegative = 0.0  # more spikes a neuron and sample than upper_bound, in the mean
    upper_bound: NotNegative = 4.0
    upper_power: Literal[1, 2] = 1
    lower: NotNegative = 0.0  # neurons with fewer spikes a sample than lower_bound
    lower_bound: NotNegative = 1e-3
    total_spikes: NotNegative = 0.0  # all spikes of a batch, and their square a neuron
    l2: NotNegative = 0.0  # lambda of lambda |w|^2; its gradient is that of weight_decay 2 lambda
    weight_sum: NotNegative = 0.0  # neurons whose weights add up to less than weight_sum_target
    weight_sum_target: NotNegative = 1.0


LossName = Literal["sdt", "tet", "max", "sum", "first-spike", "spike-time", "spike-count"]
SPIKE_LOSSES = ("first-spike", "spike-time", "spike-count")  # that need spikes as outputs


class Train(Section):
    """How it is learned."""

    epochs: Count = 20
    batch: Count = 64  # over all processes together
    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    lr: Positive = 2e-3
    weight_decay: NotNegative = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9  # sgd only
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: NotNegative = 0.0  # epochs of rising learning rate
    loss: LossName = "tet"
    mse_weight: Annotated[float, Field(ge=0, le=1)] = 0.0  # lambda: (1 - lambda) L + lambda MSE
    mse_target: Annotated[float, Field(allow_inf_nan=False)] = 1.0  # what outputs are drawn to
    clip: NotNegative = 0.0  # largest norm of the gradient; 0: no limit
    data_start: bool = False  # weight norm: first outputs of mean 0 and variance 1
    targets: SpikeTargets = SpikeTargets()
    regularisers: Regularisers = Regularisers()

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.warmup > self.epochs:
            raise ValueError(f"warmup is {self.warmup} epochs of {self.epochs}; take fewer")
        return self


class FineTune(Section):
    """Training that goes on from a checkpoint: its norms folded, its weights and biases trained
    further, in the chip's integers or, to compare, in real numbers."""

    start: str = ""  # best.ckpt of the run to go on from
    digest: str = ""  # of its weights, which must be these; filled in when training begins
    numbers: Literal["loihi", "real"] = "loihi"
    bits: Annotated[int, Field(ge=2, le=8)] = 8  # of a weight, sign included
    method: Literal["spikes", "mse", "percentile", "max"] = "spikes"  # scales are chosen by it
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.9  # of method percentile
    equalise: bool = False  # a scale for each output channel; thresholds then differ
    samples: Count = 128  # of the train split, on which scales are chosen

    @model_validator(mode="after")
    def _starts_somewhere(self) -> Self:
        if not self.start:
            raise ValueError("start names no checkpoint; give best.ckpt of a training run")
        return self


class Run(Section):
    """Where and how it is computed. Nothing here changes what is asked for."""

    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: Count = 1  # processes on each machine
    nodes: Count = 1  # machines
    strategy: str = "auto"  # how processes work together, in Lightning Fabric's words
    precision: Literal["32-true", "64-true", "16-mixed", "bf16-mixed"] = "32-true"
    threads: Annotated[int, Field(ge=0)] = 0  # of each process; 0: torch's own choice
    deterministic: bool = True
    channels_last: bool = False  # memory layout of the convolutions
    progress: bool = True  # a bar, where there is a terminal
    loggers: tuple[Literal["csv", "tensorboard"], ...] = ("csv", "tensorboard")
    log_every: Count = 50  # steps
    eval_batch: Count = 256


class TrainConfig(Section):
    """All settings of one run."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    data: Data = Data()
    model: AnyNet = ConvNet()
    train: Train = Train()
    finetune: FineTune | None = None  # None: training begins with fresh weights
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
        return "\n".join(_toml_lines(self.model_dump(exclude_none=True))) + "\n"


# --- writing -----------------------------------------------------------------------------------


def _toml_lines(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """What it is, its other values, then the tables in it."""
    for name, value in sorted(table.items(), key=lambda item: item[0] not in ("name", "kind")):
        if not isinstance(value, dict):
            yield f"{name} = {_toml(value)}"
    for name, value in table.items():
        if isinstance(value, dict):
            yield ""
            yield f"[{prefix}{name}]"
            yield from _toml_lines(value, f"{prefix}{name}.")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return repr(value)
