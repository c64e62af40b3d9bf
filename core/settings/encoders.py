"""`[data.encoder]`: how a still sample becomes T steps."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .base import Count, Positive, Section


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
    stride: Count = 4
    """2: blocks overlap"""
    spikes: bool = True
    """1, 0, -1 by thresholds of the training split, instead of numbers"""


class Current(Section):
    """Samples [*shape, T], a column a step: spectrograms."""

    kind: Literal["current"] = "current"


class Saccades(Section):
    """An event camera that moves before the image: spikes of brighter and darker pixels."""

    kind: Literal["saccades"] = "saccades"
    amplitude: Positive = 3.0
    """pixels, of the gaze"""
    threshold: Positive = 0.2
    """of the logarithm of brightness"""


def _by_name(given: Any) -> Any:
    return {"kind": given} if isinstance(given, str) else given


AnyEncoder = Annotated[
    Direct | Poisson | Latency | LatencyLinear | LatencyLog | Dct | Saccades | Current,
    Field(discriminator="kind"),
    BeforeValidator(_by_name),
]
