"""How a network is quantised."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ...core import interpreter
from ...core.arrays import Numbers
from ...core.errors import ConfigError
from ...core.loihi import RANGES
from ...core.network import Network
from ...core.recording import Recording
from ...core.schedule import compile

Method = Literal["spikes", "mse", "percentile", "max"]
Runner = Callable[[Network, Mapping[str, Numbers], Collection[str]], Recording]


def by_interpreter(
    network: Network, inputs: Mapping[str, Numbers], record: Collection[str]
) -> Recording:
    """Run a network by its definition; an engine that gives the same bits may stand in."""
    return interpreter.run(compile(network), inputs, record)


@dataclass(frozen=True)
class Options:
    """method: what a population's scale is chosen by:

        spikes      the scale, and the rounding of the decays with it, whose integers spike most
                    like the real numbers, the population fed with the real network's own spikes
        mse         the smallest squared error of the weights
        percentile  no weight clipped but the largest `100 - percentile` per cent
        max         no weight clipped

    bits: of a weight, sign included. equalise: a scale of its own for each output channel, so
    that each uses its whole range; thresholds then differ within a population, which the CPU
    models take and Loihi's shared registers do not. correct_bias: take the mean error of each
    channel's sums on the calibration data into the bias. max_drift: how far biases that are
    rounded may move a membrane over the calibrated steps, and the threshold may be rounded, as
    a share of the threshold.
    """

    method: Method = "spikes"
    bits: int = 8
    percentile: float = 99.9
    equalise: bool = False
    correct_bias: bool = False
    max_drift: float = 0.05

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            known = ", ".join(get_args(Method))
            raise ConfigError(f"method {self.method!r} is unknown; there are {known}")
        least, most = RANGES["weight_bits"]
        if not 2 <= self.bits <= most:
            raise ConfigError(f"bits is {self.bits}; mixed-sign weights take 2 to {most}")
        if not 50 < self.percentile <= 100:
            raise ConfigError(f"percentile is {self.percentile}; over 50, up to 100 is meant")
        if not self.max_drift > 0:
            raise ConfigError(f"max_drift is {self.max_drift}; a positive share is meant")
