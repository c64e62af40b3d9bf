"""The encoders that settings can name, each from samples [B, *shape] to [T, B, *shape'].

All run on the host, before the network: a deployed network hears the same numbers that it heard
in training, drawn anew from the same seed where they are random.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...core import settings as config
from ...core.errors import DataError
from ..methods import Answer
from . import camera, dct, latency, rate

Samples = NDArray[np.float32]
Uniforms = Callable[[tuple[int, ...]], NDArray[np.float64]]  # shape -> [B, *shape] in [0, 1)
Content = Literal["analogue", "spikes"]
Limits = tuple[float, float] | None  # of a code that needs numbers from the training split
Encode = Callable[[Samples, int, Any, Uniforms, Limits], NDArray[np.floating]]
Shape = tuple[int, ...]


def _direct(x: Samples, steps: int, _: Any, __: Uniforms, ___: Limits) -> Samples:
    return np.broadcast_to(x, (steps, *x.shape))


def _poisson(
    x: Samples, steps: int, given: config.Poisson, uniforms: Uniforms, _: Limits
) -> Samples:
    u = uniforms((steps, *x.shape[1:])).swapaxes(0, 1)
    return rate.signed_poisson(x, u) if given.signed else rate.poisson(x, u)


def _charge(x: Samples, steps: int, given: config.Latency, _: Uniforms, __: Limits) -> Samples:
    return latency.at_steps(latency.charge(x, steps, given.tau, given.threshold), steps)


def _linear(x: Samples, steps: int, _: Any, __: Uniforms, ___: Limits) -> Samples:
    return latency.at_steps(latency.linear(x, steps), steps)


def _logarithmic(x: Samples, steps: int, _: Any, __: Uniforms, ___: Limits) -> Samples:
    return latency.at_steps(latency.logarithmic(x, steps), steps)


def dct_values(x: Samples, steps: int, given: config.Dct) -> NDArray[np.float64]:
    """Before the thresholds; images of three channels as luma and chroma."""
    return dct.frames(dct.ycbcr(x) if x.shape[1] == 3 else x, steps, given.stride)


def _dct(
    x: Samples, steps: int, given: config.Dct, _: Uniforms, limits: Limits
) -> NDArray[np.floating]:
    values = dct_values(x, steps, given)
    return values if limits is None else dct.signed_spikes(values, *limits)


def _saccades(x: Samples, steps: int, given: config.Saccades, _: Uniforms, __: Limits) -> Samples:
    return camera.saccades(x, steps, given.amplitude, given.threshold)


def _two_polarities(shape: Shape, given: config.Saccades) -> Shape:
    if len(shape) != 3:
        raise DataError(f"encoder 'saccades' takes images [C, H, W], not {list(shape)}")
    return (2, *shape[1:])


def _current(x: Samples, steps: int, _: Any, __: Uniforms, ___: Limits) -> Samples:
    if x.shape[-1] != steps:
        raise DataError(
            f"samples {list(x.shape[1:])} have {x.shape[-1]} columns to be heard one a step, and "
            f"{steps} steps are asked for; set data.steps={x.shape[-1]}"
        )
    return np.moveaxis(x, -1, 0)


def _without_time(shape: Shape, _: Any) -> Shape:
    if len(shape) < 2:
        raise DataError(f"encoder 'current' takes samples [*shape, T], not {list(shape)}")
    return shape[:-1]


def _same(shape: Shape, _: Any) -> Shape:
    return shape


@dataclass(frozen=True)
class Encoder:
    """shape: of what comes out; content: of it, None: as it went in."""

    encode: Encode
    deployed: Answer
    shape: Callable[[Shape, Any], Shape] = _same
    content: Callable[[Any], Content] | None = None


def _spikes(_: Any) -> Content:
    return "spikes"


CONSTANT = "a constant current: the first synapse runs once on the host, or as a bias"
BINARY = "the host sends spikes; the first synapse is on the chip"
GRADED = "the host sends numbers; the first synapse runs there at every step"

ENCODERS: dict[str, Encoder] = {
    "direct": Encoder(_direct, Answer("host", CONSTANT)),
    "poisson": Encoder(
        _poisson,
        Answer("host", f"{BINARY} (signed: {GRADED})"),
        content=lambda given: "analogue" if given.signed else "spikes",
    ),
    "latency": Encoder(_charge, Answer("host", BINARY), content=_spikes),
    "latency-linear": Encoder(_linear, Answer("host", BINARY), content=_spikes),
    "latency-log": Encoder(_logarithmic, Answer("host", BINARY), content=_spikes),
    "dct": Encoder(
        _dct,
        Answer("host", f"thresholds are those of the training split; {GRADED}"),
        shape=lambda shape, given: dct.output_shape(shape, given.stride),
        content=lambda given: "analogue",
    ),
    "saccades": Encoder(_saccades, Answer("host", BINARY), _two_polarities, _spikes),
    "current": Encoder(_current, Answer("host", GRADED), _without_time),
}
